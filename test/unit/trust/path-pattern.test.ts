import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { matchesPathPattern } from '../../../src/trust/path-pattern.ts';

/** The definition, written down without a thought for time. */
function matchesNaively(name: string, pattern: string): boolean {
  const [names, patterns] = [name.split('/'), pattern.split('/')];
  return (
    names.length === patterns.length &&
    names.every((each, index) => matchesPart([...each], [...(patterns[index] ?? '')]))
  );
}

function matchesPart(text: readonly string[], pattern: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return text.length === 0;
  if (first === '*')
    return text.some((_, at) => matchesPart(text.slice(at), rest)) || matchesPart([], rest);
  const [character, ...others] = text;
  if (character === undefined) return false;
  if (first === '?') return matchesPart(others, rest);
  const close = first === '[' ? pattern.indexOf(']', pattern[1] === '!' ? 3 : 2) : -1;
  if (close < 0) return first === character && matchesPart(others, rest);
  return (
    isMember(character, pattern.slice(1, close)) && matchesPart(others, pattern.slice(close + 1))
  );
}

function isMember(character: string, written: readonly string[]): boolean {
  const isNegated = written[0] === '!';
  const members: string[] = [];
  for (let at = isNegated ? 1 : 0; at < written.length; at += 1) {
    const low = written[at]?.codePointAt(0) ?? 0;
    const end = written[at + 1] === '-' ? written[at + 2]?.codePointAt(0) : undefined;
    for (let code = low; code <= (end ?? low); code += 1) members.push(String.fromCodePoint(code));
    if (end !== undefined) at += 2;
  }
  return members.includes(character) !== isNegated;
}

const MATCHES: readonly (readonly [string, string, boolean])[] = [
  ['docker.io/library/alpine:3.20', 'docker.io/library/*', true],
  ['docker.io/library/alpine:3.20', 'docker.io/*', false],
  ['docker.io/library/alpine:3.20', '*', false],
  ['docker.io/library/alpine:3.20', '*/*/*', true],
  ['docker.io/library/alpine:3.20', 'docker.io/library/alpine:3.*', true],
  ['docker.io/library/alpine:3.20', 'docker.io/library/alpine:3.?', false],
  ['docker.io/library/alpine:3.20', 'docker.io/library/alpine:3.[0-9][0-9]', true],
  ['a', '', false],
  ['', '', true],
  ['', '*', true],
  ['a', '[!a]', false],
  ['b', '[!a]', true],
  [']', '[]]', true],
  ['a', '[]a]', true],
  ['[a', '[a', true],
  ['-', '[a-]', true],
  ['b', '[c-a]', false],
  ['/', '?', false],
  ['/', '[/]', false],
  ['a/b', 'a[/]b', false],
  ['A', 'a', false],
  ['😀', '?', true],
  ['a*b', 'a\\*b', false],
  ['x.y', 'x.y', true],
  ['xay', 'x.y', false],
];

describe('path patterns', () => {
  for (const [name, pattern, expected] of MATCHES) {
    test(`${JSON.stringify(pattern)} ${expected ? 'covers' : 'does not cover'} ${JSON.stringify(name)}`, () => {
      assert.equal(matchesPathPattern(name, pattern), expected);
      assert.equal(matchesNaively(name, pattern), expected);
    });
  }

  test('are what the naive definition says, for any name and pattern', () => {
    const name = fc.string({
      unit: fc.constantFrom('a', 'b', 'c', '-', ']', '[', '!', '/'),
      maxLength: 8,
    });
    const pattern = fc.string({
      unit: fc.constantFrom('a', 'b', 'c', '-', ']', '[', '!', '/', '*', '?'),
      maxLength: 10,
    });
    fc.assert(
      fc.property(name, pattern, (text, wanted) => {
        assert.equal(matchesPathPattern(text, wanted), matchesNaively(text, wanted));
      }),
      { numRuns: 5000 },
    );
  });

  test('a name without special characters covers itself', () => {
    const plain = fc.string({ unit: fc.constantFrom(...'abz09.:/_-@é😀'), maxLength: 40 });
    fc.assert(fc.property(plain, (text) => matchesPathPattern(text, text)));
  });

  test('take no time worth mentioning on patterns made to backtrack', () => {
    const name = `${'a'.repeat(4000)}b`;
    const pattern = `${'a*'.repeat(1000)}c`;
    const begin = process.cpuUsage().user;
    assert.equal(matchesPathPattern(name, pattern), false);
    assert.ok(process.cpuUsage().user - begin < 2_000_000, 'microseconds');
  });
});
