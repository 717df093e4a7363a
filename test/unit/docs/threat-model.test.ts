import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readTop, referencesIn, sourceProblems, tableRows, testProblems } from './references.ts';

/** Attacks that the document has to have a row for, by a word of that row. */
const ATTACKS = [
  'arbitrary software',
  'rollback',
  'fast-forward',
  'freeze',
  'mix-and-match',
  'wrong keys',
  'endless data',
  'slow retrieval',
  'malicious mirror',
  'key compromise',
  'duplicate members',
  'role swap',
  'tag moved',
  'HEAD and GET',
  'tail of a blob',
  'completing a decoy',
  'server-side requests',
  'costly patterns',
  'prototype',
  'state put back',
  'clock put back',
  'fallback of a mirror',
] as const;

const rows = tableRows(readTop('docs/threat-model.md')).filter((row) => row.has('Attack'));

describe('docs/threat-model.md', () => {
  for (const attack of ATTACKS) {
    it(`has a row for ${attack}`, () => {
      const found = rows.filter((row) =>
        row.get('Attack')?.toLowerCase().includes(attack.toLowerCase()),
      );
      assert.ok(found.length > 0);
    });
  }

  for (const row of rows) {
    it(`is right about: ${row.get('Attack')}`, () => {
      const places = referencesIn(row.get('Where') ?? '');
      const tests = referencesIn(row.get('Test') ?? '');
      assert.notEqual(places.length, 0, 'a place is named');
      assert.notEqual(tests.length, 0, 'a test is named');
      assert.deepEqual([...places.flatMap(sourceProblems), ...tests.flatMap(testProblems)], []);
    });
  }
});
