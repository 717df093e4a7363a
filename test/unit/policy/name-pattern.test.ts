import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { PatternCode } from '../../../src/policy/errors.ts';
import { PolicyPatternError } from '../../../src/policy/errors.ts';
import { globsIntersect, matchesGlob, parseGlob } from '../../../src/policy/glob.ts';
import { matchesName, parseNamePattern } from '../../../src/policy/name-pattern.ts';
import { narrowerAndWider, patternTexts, repositories, repository } from './arbitraries.ts';

describe('what a pattern covers', () => {
  const rows: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    [
      'docker.io/library/alpine',
      ['docker.io/library/alpine', 'DOCKER.io/library/alpine'],
      [
        'docker.io/library/alpine2',
        'docker.io/library',
        'docker.io/library/alpine/x',
        'quay.io/library/alpine',
      ],
    ],
    [
      'docker.io/library/*',
      ['docker.io/library/alpine'],
      ['docker.io/library', 'docker.io/library/a/b', 'docker.io/other/alpine'],
    ],
    [
      'docker.io/team-*/app',
      ['docker.io/team-a/app', 'docker.io/team-a-b/app'],
      ['docker.io/team/app', 'docker.io/team-a/x/app', 'docker.io/xteam-a/app'],
    ],
    [
      'h.io/a*b*c',
      ['h.io/abc', 'h.io/a1b2c', 'h.io/abbcc', 'h.io/abcbc'],
      ['h.io/ab', 'h.io/acb', 'h.io/xabc'],
    ],
    ['h.io/*a*', ['h.io/a', 'h.io/xa', 'h.io/ax'], ['h.io/b']],
    ['h.io/aa*aa', ['h.io/aaaa', 'h.io/aaxaa'], ['h.io/aaa', 'h.io/aa']],
    [
      'docker.io/library/**',
      ['docker.io/library/a', 'docker.io/library/a/b/c'],
      ['docker.io/library', 'docker.io/libraryx/a', 'docker.io/x/library/a'],
    ],
    ['docker.io/**', ['docker.io/a', 'docker.io/a/b'], ['x.docker.io/a', 'docker.io.evil.com/a']],
    [
      'docker.io/*/x/**',
      ['docker.io/a/x/b', 'docker.io/a/x/b/c'],
      ['docker.io/a/x', 'docker.io/a/b/x/c'],
    ],
    ['*/**', ['docker.io/a', 'localhost:5000/a/b', '[::1]:5000/a'], []],
    ['*/library/alpine', ['quay.io/library/alpine'], ['docker.io/x/library/alpine']],
    [
      '*.example.com/**',
      ['r.example.com/a', 'R.Example.COM/a'],
      ['example.com/a', 'a.b.example.com/a', 'r.example.com:5000/a', 'r.example.org/a'],
    ],
    [
      'r.*.corp:5000/a',
      ['r.eu.corp:5000/a'],
      ['r.eu.corp/a', 'r.eu.corp:500/a', 'r.eu.x.corp:5000/a'],
    ],
    ['localhost:5000/a', ['localhost:5000/a'], ['localhost/a', 'localhost:5001/a']],
    ['Docker.IO/a', ['docker.io/a'], []],
    ['[::1]:5000/a', ['[::1]:5000/a'], ['[::1]/a', '[::2]:5000/a']],
  ];
  for (const [pattern, covered, uncovered] of rows) {
    it(pattern, () => {
      const parsed = parseNamePattern(pattern);
      for (const name of covered) assert.equal(matchesName(parsed, repository(name)), true, name);
      for (const name of uncovered)
        assert.equal(matchesName(parsed, repository(name)), false, name);
    });
  }

  it('has the same text for the same host in any case', () => {
    assert.equal(parseNamePattern('Docker.IO/a/**').text, 'docker.io/a/**');
  });
});

describe('what is not a pattern', () => {
  const rows: readonly (readonly [string, PatternCode, string?])[] = [
    ['', 'PATH_MISSING'],
    ['alpine', 'PATH_MISSING'],
    ['**', 'PATH_MISSING'],
    ['docker.io/', 'COMPONENT_INVALID', ''],
    ['/library/alpine', 'HOST_INVALID', ''],
    ['https://docker.io/library', 'HOST_INVALID', 'https:'],
    ['docker_io/library', 'HOST_INVALID', 'docker_io'],
    ['-a.io/library', 'HOST_INVALID', '-a.io'],
    ['docker.io:/library', 'HOST_INVALID', 'docker.io:'],
    ['docker..io/library', 'HOST_INVALID', 'docker..io'],
    ['[::1/a', 'HOST_INVALID', '[::1'],
    ['**/library', 'WILDCARD_MISPLACED', '**'],
    ['*.*/library', 'WILDCARD_MISPLACED', '*.*'],
    ['*:5000/library', 'WILDCARD_MISPLACED', '*:5000'],
    ['docker.io:*/library', 'WILDCARD_MISPLACED', 'docker.io:*'],
    ['r*.example.com/library', 'WILDCARD_MISPLACED', 'r*.example.com'],
    ['**.example.com/library', 'WILDCARD_MISPLACED', '**.example.com'],
    ['[*]/library', 'WILDCARD_MISPLACED', '[*]'],
    ['docker.io/**/alpine', 'WILDCARD_MISPLACED', '**'],
    ['docker.io/**/**', 'WILDCARD_MISPLACED', '**'],
    ['docker.io/a**', 'WILDCARD_MISPLACED', 'a**'],
    ['docker.io/***', 'WILDCARD_MISPLACED', '***'],
    ['docker.io/Library/alpine', 'COMPONENT_INVALID', 'Library'],
    ['docker.io/library/alpine:3.20', 'COMPONENT_INVALID', 'alpine:3.20'],
    ['docker.io/library/*:latest', 'COMPONENT_INVALID', '*:latest'],
    ['docker.io/library//alpine', 'COMPONENT_INVALID', ''],
    ['docker.io/../alpine', 'COMPONENT_INVALID', '..'],
    ['docker.io/a\u0000', 'COMPONENT_INVALID', 'a\u0000'],
    ['docker.io/a\n', 'COMPONENT_INVALID', 'a\n'],
    ['docker.io/*\n', 'COMPONENT_INVALID', '*\n'],
    ['docker.io/[ab]', 'COMPONENT_INVALID', '[ab]'],
    [`docker.io/${'a/'.repeat(300)}b`, 'PATTERN_TOO_LONG'],
  ];
  for (const [text, code, part] of rows) {
    it(`${JSON.stringify(text.slice(0, 40))}: ${code}`, () => {
      assert.throws(
        () => parseNamePattern(text),
        (error) => {
          assert.ok(error instanceof PolicyPatternError);
          assert.equal(error.code, code);
          if (part !== undefined) assert.deepEqual(error.detail, { pattern: text, part });
          return true;
        },
      );
    });
  }

  it('throws nothing else, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a.*:/\-[\]]{0,20}$/)), (text) => {
        try {
          parseNamePattern(text);
        } catch (error) {
          assert.ok(error instanceof PolicyPatternError);
        }
      }),
    );
  });
});

describe('matching', () => {
  it('agrees with a plain definition of each pattern', () => {
    fc.assert(
      fc.property(patternTexts(), repositories(), (text, name) => {
        assert.equal(matchesName(parseNamePattern(text), name), covers(text, name));
      }),
      { numRuns: 2000 },
    );
  });

  it('never covers a host by what stands in the path, nor the other way', () => {
    fc.assert(
      fc.property(patternTexts(), repositories(), (text, name) => {
        const pattern = parseNamePattern(text);
        if (!matchesName(pattern, name)) return;
        const host = text.slice(0, text.indexOf('/'));
        assert.ok(host === '*' || host.split('.').length === name.registry.split('.').length);
        if (!host.includes('*')) assert.equal(host, name.registry);
      }),
      { numRuns: 2000 },
    );
  });

  it('covers with a wider pattern all that a narrower one covers', () => {
    fc.assert(
      fc.property(narrowerAndWider(), repositories(), ([narrower, wider], name) => {
        if (!matchesName(parseNamePattern(narrower), name)) return;
        assert.ok(matchesName(parseNamePattern(wider), name), `${narrower} in ${wider}`);
      }),
      { numRuns: 2000 },
    );
  });

  it('does not slow down on patterns made to backtrack', () => {
    const glob = parseGlob(`${'a*'.repeat(200)}b`);
    const text = 'a'.repeat(250);
    for (let round = 0; round < 1000; round += 1) assert.equal(matchesGlob(glob, text), false);
  });
});

describe('globs that meet', () => {
  const stars = fc.stringMatching(/^[ab*]{0,6}$/);

  it('are found whenever a text matches both', () => {
    fc.assert(
      fc.property(stars, stars, fc.stringMatching(/^[ab]{0,6}$/), (a, b, text) => {
        if (!matchesGlob(parseGlob(a), text) || !matchesGlob(parseGlob(b), text)) return;
        assert.ok(globsIntersect(parseGlob(a), parseGlob(b)));
      }),
      { numRuns: 2000 },
    );
  });

  it('have a text that matches both', () => {
    const texts = [
      '',
      ...words(1),
      ...words(2),
      ...words(3),
      ...words(4),
      ...words(5),
      ...words(6),
    ];
    fc.assert(
      fc.property(fc.stringMatching(/^[ab*]{0,3}$/), fc.stringMatching(/^[ab*]{0,3}$/), (a, b) => {
        const both = texts.some(
          (text) => matchesGlob(parseGlob(a), text) && matchesGlob(parseGlob(b), text),
        );
        assert.equal(globsIntersect(parseGlob(a), parseGlob(b)), both);
      }),
    );
  });
});

/** Every word of a length over two letters. */
function words(length: number): readonly string[] {
  if (length === 0) return [''];
  return words(length - 1).flatMap((word) => [`${word}a`, `${word}b`]);
}

/** The definition by regular expressions, which production code must not use. */
function covers(text: string, name: ReturnType<typeof repository>): boolean {
  const slash = text.indexOf('/');
  const [host, path] = [text.slice(0, slash), text.slice(slash + 1)];
  const hostPattern = host === '*' ? '.*' : host.replaceAll('.', '\\.').replaceAll('*', '[^.:]+');
  const pathPattern = path
    .split('/')
    .map((part) => (part === '**' ? '.+' : part.replaceAll('*', '[^/]*')))
    .join('/');
  return (
    new RegExp(`^${hostPattern}$`).test(name.registry) &&
    new RegExp(`^${pathPattern}$`).test(name.path)
  );
}
