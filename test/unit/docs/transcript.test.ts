import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { blocksOf, Comparison, wordsOf } from './transcript.ts';

const KEY = 'f629f23d107a';
const OTHER = 'e2877328f11f';
const ACTUAL = '0123456789ab';
const ACTUAL_OTHER = 'ba9876543210';

interface Case {
  readonly name: string;
  readonly shown: readonly string[];
  readonly printed: string;
  readonly isSame: boolean;
}

const CASES: readonly Case[] = [
  { name: 'the same words', shown: ['Signed'], printed: 'Signed\n', isSame: true },
  { name: 'other words', shown: ['Signed.'], printed: 'Signed!\n', isSame: false },
  { name: 'a line too many', shown: ['a'], printed: 'a\nb\n', isSame: false },
  { name: 'a line too few', shown: ['a', 'b'], printed: 'a\n', isSame: false },
  { name: 'lines left out', shown: ['a', '…', 'd'], printed: 'a\nb\nc\nd\n', isSame: true },
  { name: 'lines left out at the end', shown: ['a', '…'], printed: 'a\nb\n', isSame: true },
  { name: 'lines left out, but no end', shown: ['…', 'd'], printed: 'a\nb\n', isSame: false },
  { name: 'words left out', shown: ['from … to b'], printed: 'from a, b to b\n', isSame: true },
  {
    name: 'another time, number of bytes and key',
    shown: [`until 2027-11-23T08:40:11Z, 12 bytes by ${KEY}`],
    printed: `until 2026-01-01T00:00:00.000Z, 3456 bytes by ${ACTUAL}\n`,
    isSame: true,
  },
  {
    name: 'a longer key',
    shown: [`by ${KEY}`],
    printed: `by ${ACTUAL}cd\n`,
    isSame: false,
  },
  {
    name: 'a key cut short in the document',
    shown: [`by ${KEY}`, 'by f629f23d…'],
    printed: `by ${ACTUAL}\nby ${ACTUAL}cdef\n`,
    isSame: true,
  },
  {
    name: 'two keys where one is shown',
    shown: [`by ${KEY}`, `by ${KEY}`],
    printed: `by ${ACTUAL}\nby ${ACTUAL_OTHER}\n`,
    isSame: false,
  },
  {
    name: 'one key where two are shown',
    shown: [`by ${KEY}`, `by ${OTHER}`],
    printed: `by ${ACTUAL}\nby ${ACTUAL}\n`,
    isSame: false,
  },
  {
    name: 'progress in another order',
    shown: ['[1/2] a', '[2/2] b', 'done'],
    printed: '[1/2] b\n[2/2] a\ndone\n',
    isSame: true,
  },
];

describe('transcripts in documents', () => {
  it('are taken apart into commands with their output, and files', () => {
    const text = ['```console', '$ a "b c"', 'one', '$ d', '```', '```yaml', 'x: 1', '```', ''];
    const blocks = blocksOf(text.join('\n'));
    assert.deepEqual(blocks, [
      {
        kind: 'commands',
        commands: [
          { line: 'a "b c"', output: ['one'] },
          { line: 'd', output: [] },
        ],
      },
      { kind: 'yaml', text: 'x: 1\n' },
    ]);
    assert.deepEqual(wordsOf('a "b c" d'), ['a', 'b c', 'd']);
  });

  for (const { name, shown, printed, isSame } of CASES) {
    it(`${isSame ? 'allow' : 'do not allow'} ${name}`, () => {
      const difference = new Comparison().difference(shown, printed);
      assert.equal(difference === undefined, isSame, difference);
    });
  }
});
