import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readTop, referencesIn, sourceProblems, tableRows, testProblems } from './references.ts';

const rows = tableRows(readTop('docs/spec-map.md'));

describe('docs/spec-map.md', () => {
  it('covers the client workflow of TUF, the Notary dialect and the pull endpoints of OCI', () => {
    const steps = rows.map((row) => row.get('Step') ?? '');
    for (const section of ['5.1', '5.2', '5.3', '5.4', '5.5', '5.6', '5.7']) {
      assert.ok(
        steps.some((step) => step.startsWith(`${section}.`) || step.startsWith(`${section} `)),
        section,
      );
    }
    for (const endpoint of ['end-1', 'end-2', 'end-3', 'end-8a', 'end-8b', 'end-12a']) {
      assert.ok(
        steps.some((step) => step.startsWith(`${endpoint} `)),
        endpoint,
      );
    }
  });

  for (const row of rows) {
    it(`is right about: ${row.get('Step')}`, () => {
      const functions = referencesIn(row.get('Function') ?? '');
      const tests = referencesIn(row.get('Test') ?? '');
      assert.notEqual(functions.length, 0, 'a function is named');
      assert.notEqual(tests.length, 0, 'a test is named');
      assert.deepEqual([...functions.flatMap(sourceProblems), ...tests.flatMap(testProblems)], []);
    });
  }
});
