import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { PolicyError } from '../../../src/policy/errors.ts';
import { matchesName, parseNamePattern } from '../../../src/policy/name-pattern.ts';
import { findOverlaps, type RuleEntry } from '../../../src/policy/overlap.ts';
import { mostSpecific, PatternIndex } from '../../../src/policy/pattern-index.ts';
import { compilePolicy, examineRules } from '../../../src/policy/policy.ts';
import type { Rule } from '../../../src/policy/rule.ts';
import { compareSpecificity, specificityRanks } from '../../../src/policy/specificity.ts';
import { narrowerAndWider, patternTexts, repositories, repository } from './arbitraries.ts';

describe('the order of patterns', () => {
  const rows: readonly (readonly [string, readonly string[]])[] = [
    ['hosts', ['r.eu.corp/**', '*.eu.corp/a/b', 'r.*.corp/a', '*.*.corp/a/b/c', '*/a/b/c']],
    ['literal beginning', ['h.io/a/b/**', 'h.io/a/*', 'h.io/*/b/c']],
    ['exact, *, **', ['h.io/a', 'h.io/a*', 'h.io/*', 'h.io/**']],
    ['** after all others', ['h.io/a/*/*', 'h.io/a/*/**', 'h.io/a/**']],
    ['fewer wildcards', ['h.io/*/b/c', 'h.io/*/*/c', 'h.io/*/*/*']],
    ['longer text, fewer stars', ['h.io/aaa*', 'h.io/aa*', 'h.io/*aa*', 'h.io/a*', 'h.io/*a*']],
    ['spelling at last', ['h.io/*b', 'h.io/a*']],
  ];
  for (const [name, ordered] of rows) {
    it(name, () => {
      const sorted = ordered.toReversed().map(parseNamePattern).sort(compareSpecificity);
      assert.deepEqual(
        sorted.map((pattern) => pattern.text),
        ordered,
      );
    });
  }

  it('knows equal patterns', () => {
    const [a, b] = [parseNamePattern('h.io/a*'), parseNamePattern('H.io/a*')];
    assert.equal(compareSpecificity(a, b), 0);
    const index = new PatternIndex([
      { pattern: a, name: 'first' },
      { pattern: b, name: 'second' },
    ]);
    assert.equal(index.find(repository('h.io/a'))?.name, 'first');
  });

  it('is total and the same from both sides', () => {
    fc.assert(
      fc.property(patternTexts(), patternTexts(), patternTexts(), (a, b, c) => {
        const [x, y, z] = [parseNamePattern(a), parseNamePattern(b), parseNamePattern(c)];
        const [xy, yz, xz] = [
          compareSpecificity(x, y),
          compareSpecificity(y, z),
          compareSpecificity(x, z),
        ];
        assert.equal(Math.sign(xy), -Math.sign(compareSpecificity(y, x)) + 0);
        assert.equal(xy === 0, a === b);
        if (xy <= 0 && yz <= 0) assert.ok(xz <= 0);
      }),
      { numRuns: 1000 },
    );
  });

  it('puts a pattern before every other that covers more than it does', () => {
    fc.assert(
      fc.property(narrowerAndWider(), ([narrower, wider]) => {
        const order = compareSpecificity(parseNamePattern(narrower), parseNamePattern(wider));
        assert.ok(order < 0, `${narrower} before ${wider}`);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('the rule that applies', () => {
  const rules = [
    verified('registry.example.com/team/**', 'corp'),
    verified('docker.io/library/**', 'vetted'),
    verified('docker.io/library/alpine', 'corp'),
    unverified('registry.example.com/scratch/**'),
    unverified('registry.example.com/*/scratch'),
    verified('*.example.com/**', 'any'),
  ];
  const rows: readonly (readonly [string, string | undefined])[] = [
    ['docker.io/library/alpine', 'docker.io/library/alpine'],
    ['DOCKER.IO/library/alpine', 'docker.io/library/alpine'],
    ['docker.io/library/busybox', 'docker.io/library/**'],
    ['docker.io/grafana/grafana', undefined],
    ['registry.example.com/team/scratch', 'registry.example.com/team/**'],
    ['registry.example.com/other/scratch', 'registry.example.com/*/scratch'],
    ['registry.example.com/scratch/scratch', 'registry.example.com/scratch/**'],
    ['registry.example.com/other/app', '*.example.com/**'],
    ['a.registry.example.com/team/app', undefined],
    ['quay.io/docker.io/library/alpine', undefined],
  ];
  for (const [name, match] of rows) {
    it(`${name}: ${match ?? 'none'}`, () => {
      for (const policy of [compilePolicy(rules), compilePolicy(rules.toReversed())]) {
        // Twice: the second answer comes from memory.
        for (const _turn of [1, 2]) assert.equal(policy.match(repository(name))?.match, match);
      }
    });
  }

  it('is a matching one that no other matching one beats, in any order of rules', () => {
    const texts = fc.uniqueArray(patternTexts(), { maxLength: 12 });
    fc.assert(
      fc.property(texts, fc.array(repositories(), { maxLength: 8 }), (matches, names) => {
        const policy = compilePolicy(matches.map(unverified));
        const patterns = matches.map(parseNamePattern);
        for (const name of [...names, ...names]) {
          const covering = patterns.filter((pattern) => matchesName(pattern, name));
          const best = covering.sort(compareSpecificity)[0]?.text;
          assert.equal(policy.match(name)?.match, best);
        }
      }),
    );
  });

  it('stays right for more names than are remembered', () => {
    const policy = compilePolicy([unverified('h.io/a*')]);
    for (let index = 0; index < 10_050; index += 1) policy.match(repository(`h.io/n${index}`));
    assert.equal(policy.match(repository('h.io/abc'))?.match, 'h.io/a*');
    assert.equal(policy.match(repository('h.io/n0')), undefined);
  });

  it('is none where there are no rules', () => {
    assert.equal(compilePolicy([]).match(repository('docker.io/library/alpine')), undefined);
  });
});

describe('the entry that applies among others with patterns', () => {
  it('is the most specific one', () => {
    const anchors = ['registry.example.com/**', 'registry.example.com/team/app'].map((gun) => ({
      gun,
      pattern: parseNamePattern(gun),
    }));
    const find = (name: string) => mostSpecific(anchors, repository(name))?.gun;
    assert.equal(find('registry.example.com/team/app'), 'registry.example.com/team/app');
    assert.equal(find('registry.example.com/team/other'), 'registry.example.com/**');
    assert.equal(find('docker.io/library/alpine'), undefined);
  });
});

describe('rules that cannot be used', () => {
  it('are reported all at once', () => {
    const rules = ['docker.io/a', 'alpine', 'DOCKER.IO/a', 'h.io/**/x', 'docker.io/a'].map(
      unverified,
    );
    const { problems } = examineRules(rules);
    assert.deepEqual(
      problems.map((problem) => problem.split(':')[0]),
      ['rule 1', 'rule 2', 'rule 3', 'rule 4'],
    );
    assert.throws(
      () => compilePolicy(rules),
      (error) => {
        assert.ok(error instanceof PolicyError);
        assert.equal(error.code, 'POLICY_INVALID');
        assert.deepEqual(error.detail, { problems });
        return true;
      },
    );
  });

  it('are not confused with other failures', () => {
    const broken: Rule = {
      get match(): string {
        throw new RangeError('not readable');
      },
      requirement: { kind: 'unverified', reason: '' },
    };
    assert.throws(() => compilePolicy([broken]), RangeError);
  });
});

describe('rules between which only their spelling decides', () => {
  const rows: readonly (readonly [string, readonly string[], number])[] = [
    ['beginning and end', ['h.io/a*', 'h.io/*b'], 1],
    ['every pair', ['h.io/a*', 'h.io/*b', 'h.io/*c'], 2],
    ['different components', ['h.io/*/b*', 'h.io/b*/*'], 1],
    ['open ones', ['h.io/a*/**', 'h.io/*b/**'], 1],
    ['wildcard hosts', ['*.b.io/x', 'a.*.io/x'], 1],
    ['any host', ['*/a*', '*/*b'], 1],
    ['a host of other length', ['*.b.io/a*', '*.io/*b'], 0],
    ['a host with a port', ['*.b.io/a*', '*.b.io:5000/*b'], 0],
    ['other hosts', ['a.io/a*', 'b.io/*b'], 0],
    ['other beginnings', ['h.io/a*', 'h.io/b*'], 0],
    ['other literal beginnings', ['h.io/x/a*', 'h.io/y/*b'], 0],
    ['literal after a wildcard', ['h.io/a*/x', 'h.io/*b/y'], 0],
    ['one more specific', ['h.io/a*', 'h.io/*'], 0],
    ['exact ones', ['h.io/a', 'h.io/b'], 0],
    ['equal ones', ['h.io/a*', 'h.io/a*'], 0],
  ];
  for (const [name, patterns, count] of rows) {
    it(`${name}: ${count}`, () => {
      assert.equal(findOverlaps(patterns.map(entryOf)).length, count);
    });
  }

  it('are warned of, with the one that applies first', () => {
    const { problems, warnings } = examineRules(['h.io/a*', 'h.io/*b'].map(unverified));
    assert.deepEqual(problems, []);
    assert.equal(warnings.length, 1);
    const policy = compilePolicy(['h.io/a*', 'h.io/*b'].map(unverified));
    const applies = policy.match(repository('h.io/ab'))?.match ?? '';
    assert.ok(warnings[0]?.startsWith(`"${applies}"`));
  });

  it('are found when two equally specific patterns cover one repository, and only then', () => {
    fc.assert(
      fc.property(patternTexts(), patternTexts(), repositories(), (a, b, name) => {
        const [x, y] = [parseNamePattern(a), parseNamePattern(b)];
        if (a === b || !matchesName(x, name) || !matchesName(y, name)) return;
        const isTie = String(specificityRanks(x)) === String(specificityRanks(y));
        const [preferred, other] = [x, y].sort(compareSpecificity).map((pattern) => pattern.text);
        const overlaps = findOverlaps([a, b].map(entryOf));
        assert.deepEqual(
          overlaps.map((overlap) => [overlap.preferred, overlap.other]),
          isTie ? [[preferred, other]] : [],
        );
        for (const { example } of overlaps) {
          const image = repository(example);
          assert.ok(matchesName(x, image) && matchesName(y, image), example);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

function entryOf(text: string): RuleEntry {
  return { pattern: parseNamePattern(text), rule: unverified(text) };
}

function verified(match: string, source: string): Rule {
  return { match, requirement: { kind: 'verified', source, signers: [] } };
}

function unverified(match: string): Rule {
  return { match, requirement: { kind: 'unverified', reason: 'throw-away builds' } };
}
