import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseDigest } from '../../../src/oci/digest.ts';
import { BreakGlass, type BreakGlassEntry } from '../../../src/policy/break-glass.ts';
import { DenyList, NOTHING_DENIED } from '../../../src/policy/deny-list.ts';
import { PolicyError, PolicyPatternError } from '../../../src/policy/errors.ts';
import { exampleText } from '../../../src/policy/example.ts';
import { globsIntersect, matchesGlob, parseGlob } from '../../../src/policy/glob.ts';
import { compilePolicy, examineRules } from '../../../src/policy/policy.ts';
import { type Rule, ruleName } from '../../../src/policy/rule.ts';
import {
  compareTagSpecificity,
  matchesTag,
  parseTagPattern,
} from '../../../src/policy/tag-pattern.ts';
import { repository } from './arbitraries.ts';

const TAGS = ['a', 'b', 'ab', 'aab', 'v1', 'v1.0', 'v2'];

function rule(match: string, ...tags: readonly string[]): Rule {
  const requirement = { kind: 'unverified', reason: 'a test' } as const;
  return tags.length === 0 ? { match, requirement } : { match, requirement, tags };
}

function tagPatterns(): fc.Arbitrary<string> {
  return fc.constantFrom('a', 'ab', 'v1', '*', 'a*', '*b', 'v*', 'v1*', 'a*b', '*a*');
}

describe('tag patterns', () => {
  for (const text of ['', '.a', '-a', 'a b', 'a:b', 'a/b', 'ä', 'a'.repeat(129), '**/']) {
    it(`that no tag can match are refused: ${JSON.stringify(text.slice(0, 10))}`, () => {
      assert.throws(
        () => parseTagPattern(text),
        (error) => error instanceof PolicyPatternError && error.code === 'TAG_PATTERN_INVALID',
      );
    });
  }

  it('are ordered as a whole, and a narrower one comes first', () => {
    fc.assert(
      fc.property(tagPatterns(), tagPatterns(), (a, b) => {
        const [x, y] = [parseTagPattern(a), parseTagPattern(b)];
        const order = compareTagSpecificity(x, y);
        assert.equal(Math.sign(order), -Math.sign(compareTagSpecificity(y, x)) + 0);
        assert.equal(order === 0, a === b);
        const covered = TAGS.filter((tag) => matchesTag(x, tag));
        const isNarrower = !a.includes('*') && b.includes('*') && matchesTag(y, a);
        if (isNarrower) assert.ok(order < 0 && covered.length === 1);
      }),
    );
    assert.ok(compareTagSpecificity(parseTagPattern('*'), undefined) < 0);
    assert.equal(compareTagSpecificity(undefined, undefined), 0);
  });
});

describe('the rule for a tag', () => {
  const rules = [
    rule('h.io/**'),
    rule('h.io/team/**', 'prod-*', 'stable'),
    rule('h.io/team/**', 'prod-1*'),
    rule('h.io/team/app', 'v*'),
    rule('g.io/**', 'v*'),
  ];
  const policy = compilePolicy(rules);
  for (const [image, tag, place] of [
    ['h.io/other', 'prod-1', 0],
    ['h.io/team/x', 'dev', 0],
    ['h.io/team/x', 'prod-2', 1],
    ['h.io/team/x', 'stable', 1],
    ['h.io/team/x', 'prod-10', 2],
    ['h.io/team/app', 'v1', 3],
    ['h.io/team/app', 'prod-2', 1],
    ['h.io/team/app', 'dev', 0],
    ['g.io/x', 'v1', 4],
    ['g.io/x', 'dev', undefined],
  ] as const) {
    it(`${image}:${tag} is rule ${place}`, () => {
      const found = policy.rulesOf(repository(image)).forTag(tag);
      assert.equal(found, place === undefined ? undefined : rules[place]);
    });
  }

  it('without a tag it is the rule for all tags, or else the most specific one', () => {
    assert.equal(policy.match(repository('h.io/team/app')), rules[0]);
    assert.equal(policy.match(repository('g.io/x')), rules[4]);
    // "stable" has no wildcard, so the rule that has it comes before the one for prod-1*.
    assert.deepEqual(policy.rulesOf(repository('h.io/team/app')).all.map(ruleName), [
      'h.io/team/app:v*',
      'h.io/team/**:prod-*,stable',
      'h.io/team/**:prod-1*',
      'h.io/**',
    ]);
    assert.equal(policy.match(repository('i.io/x')), undefined);
  });

  it('speaks for the repository as a whole by the rule that asks a trust source', () => {
    const requirement = { kind: 'verified', source: 'corp', signers: [] } as const;
    const open = rule('h.io/**');
    const byTag = { match: 'h.io/team/app', tags: ['v*'], requirement };
    const whole = { match: 'h.io/team/**', requirement };
    const verifying = (...all: readonly Rule[]): Rule | undefined =>
      compilePolicy(all).rulesOf(repository('h.io/team/app')).verifying;
    assert.equal(verifying(open), undefined);
    assert.equal(verifying(open, byTag), byTag);
    assert.equal(verifying(open, byTag, whole), whole);
  });

  it('does not depend on the order of the rules', () => {
    fc.assert(
      fc.property(
        fc.shuffledSubarray(rules, { minLength: rules.length }),
        fc.constantFrom('prod-1', 'prod-2', 'v1', 'dev'),
        (shuffled, tag) => {
          for (const name of ['h.io/team/app', 'h.io/team/x', 'g.io/x']) {
            const other = compilePolicy(shuffled).rulesOf(repository(name));
            assert.equal(other.forTag(tag), policy.rulesOf(repository(name)).forTag(tag));
          }
        },
      ),
    );
  });

  it('cannot be two', () => {
    const twice = [rule('h.io/**', 'a*', 'b'), rule('h.io/**', 'b')];
    assert.throws(() => compilePolicy(twice), PolicyError);
    assert.deepEqual(examineRules([rule('h.io/**'), rule('h.io/**', 'b')]).problems, []);
    assert.equal(examineRules([rule('h.io/**', '.b')]).problems.length, 1);
  });
});

describe('overlaps of rules for tags', () => {
  for (const [name, rules, example] of [
    ['tie of tags', [rule('h.io/a', 'x*'), rule('h.io/a', '*y')], 'h.io/a:xxy'],
    ['tie of repositories', [rule('h.io/a*', 'x*'), rule('h.io/*b')], 'h.io/axb:xx'],
    ['more specific tags', [rule('h.io/a', 'xx*'), rule('h.io/a', '*y')], undefined],
    ['other tags', [rule('h.io/a*', 'x'), rule('h.io/*b', 'y')], undefined],
    ['one rule with both', [rule('h.io/a', 'x*', '*y')], undefined],
    ['tags and none', [rule('h.io/a', 'x*'), rule('h.io/a')], undefined],
  ] as const) {
    it(`${name}: ${example ?? 'none'}`, () => {
      const { warnings } = examineRules(rules);
      assert.equal(warnings.length, example === undefined ? 0 : 1);
      if (example !== undefined)
        assert.ok(warnings[0]?.includes(`such as ${example},`), warnings[0]);
    });
  }
});

describe('an example of two globs', () => {
  it('is matched by both wherever they meet', () => {
    const globs = fc.constantFrom('a', 'ab', '*', 'a*', '*b', 'a*b', '*a*', 'aa*', '*ab', 'a*a*b');
    fc.assert(
      fc.property(globs, globs, (a, b) => {
        const [x, y] = [parseGlob(a), parseGlob(b)];
        if (!globsIntersect(x, y)) return;
        const example = exampleText(x, y);
        assert.ok(matchesGlob(x, example) && matchesGlob(y, example), `${a} ${b}: ${example}`);
      }),
      { numRuns: 500 },
    );
  });
});

describe('deny lists', () => {
  const digest = parseDigest(`sha256:${'1'.repeat(64)}`);
  const other = parseDigest(`sha256:${'2'.repeat(64)}`);
  it('are taken together', () => {
    const list = new DenyList([
      { ...NOTHING_DENIED, digests: [digest], signers: ['mallory'] },
      { ...NOTHING_DENIED, tags: ['*-rc', 'v1'], signers: ['mallory', 'eve'], keys: ['k'] },
    ]);
    assert.equal(list.deniedDigest([other, digest]), digest);
    assert.equal(list.deniedDigest([other]), undefined);
    assert.equal(list.deniedTag('2-rc'), '*-rc');
    assert.equal(list.deniedTag('v1'), 'v1');
    assert.equal(list.deniedTag('v1.0'), undefined);
    assert.deepEqual(list.signers, ['mallory', 'eve']);
    assert.ok(list.keys.has('k') && list.hasDigests && !list.isEmpty);
    assert.ok(new DenyList([NOTHING_DENIED]).isEmpty);
  });

  it('of a rule hold with those for all, and no rule of another policy is asked about', () => {
    const denying: Rule = { ...rule('h.io/**'), deny: { ...NOTHING_DENIED, tags: ['a'] } };
    const policy = compilePolicy([denying], { ...NOTHING_DENIED, tags: ['b'] });
    assert.deepEqual(
      ['a', 'b', 'c'].map((tag) => policy.denied(denying).deniedTag(tag)),
      ['a', 'b', undefined],
    );
    assert.throws(() => policy.denied(rule('h.io/**')), /another policy/);
  });
});

describe('break-glass entries', () => {
  const entry = (name: string, until: number): BreakGlassEntry => ({
    image: `${name}:1`,
    repository: repository(name),
    digest: parseDigest(`sha256:${'1'.repeat(64)}`),
    approvedBy: 'Ann',
    reason: 'a test',
    until,
  });
  it('end at their own time, that instant included', () => {
    const entries = [entry('h.io/b', 20), entry('h.io/a', 10), entry('h.io/b', 30)];
    const breakGlass = new BreakGlass(entries);
    const untils = (now: number): number[] => breakGlass.active(now).map(({ until }) => until);
    assert.deepEqual([untils(0), untils(10), untils(30)], [[10, 20, 30], [20, 30], []]);
    assert.equal(breakGlass.of(repository('h.io/b'), 19).length, 2);
    assert.equal(breakGlass.of(repository('h.io/b'), 20).length, 1);
    assert.equal(breakGlass.of(repository('h.io/c'), 0).length, 0);
    assert.ok(!breakGlass.isEmpty && new BreakGlass([]).isEmpty);
  });
});
