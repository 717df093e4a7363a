import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GOOD, problemsOf } from './loading.ts';

/** One change to the good configuration, and the problems it has to cause. */
export interface ProblemCase {
  readonly name: string;
  /** Text of the good configuration and what takes its place. */
  readonly change: readonly [string, string];
  /** Paths of exactly the problems expected. */
  readonly paths: readonly string[];
  /** Something the fix of the first problem has to say. */
  readonly fix?: string;
}

/** Declares one test per case. */
export function testProblems(cases: readonly ProblemCase[]): void {
  for (const { name, change, paths, fix } of cases) {
    test(`refused: ${name}`, async () => {
      const yaml = GOOD.replace(change[0], () => change[1]);
      assert.notEqual(yaml, GOOD);
      const problems = await problemsOf(yaml, { env: { PATH_OF_TEST: 'set' } });
      assert.deepEqual(new Set(problems.map((problem) => problem.path)), new Set(paths));
      if (fix !== undefined) assert.ok(problems[0]?.fix?.includes(fix), problems[0]?.fix);
    });
  }
}
