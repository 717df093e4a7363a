import assert from 'node:assert/strict';
import type { CodedError } from '../../src/base/coded-error.ts';

/** A class of coded errors, as a value. */
export type CodedErrorClass = abstract new (...parameters: never[]) => CodedError;

/** Asserts that `promise` rejects with exactly this class and code, and gives back the error for more questions. */
export async function rejectsWithCode<Class extends CodedErrorClass>(
  promise: Promise<unknown>,
  errorClass: Class,
  code: InstanceType<Class>['code'],
): Promise<InstanceType<Class>> {
  const outcome = await promise.then(
    () => ({ threw: false as const }),
    (error: unknown) => ({ threw: true as const, error }),
  );
  return requireCode(outcome, errorClass, code);
}

/** Asserts that `action` throws exactly this class and code, and gives back the error for more questions. */
export function throwsWithCode<Class extends CodedErrorClass>(
  action: () => unknown,
  errorClass: Class,
  code: InstanceType<Class>['code'],
): InstanceType<Class> {
  try {
    action();
  } catch (error) {
    return requireCode({ threw: true, error }, errorClass, code);
  }
  return requireCode({ threw: false }, errorClass, code);
}

type Outcome = { readonly threw: false } | { readonly threw: true; readonly error: unknown };

function requireCode<Class extends CodedErrorClass>(
  outcome: Outcome,
  errorClass: Class,
  code: InstanceType<Class>['code'],
): InstanceType<Class> {
  const wanted = `${errorClass.name} ${code}`;
  if (!outcome.threw) assert.fail(`expected ${wanted}, nothing was thrown`);
  if (!(outcome.error instanceof errorClass)) {
    assert.fail(`expected ${wanted}, got ${String(outcome.error)}`);
  }
  assert.equal(outcome.error.code, code, `expected ${wanted}: ${outcome.error.message}`);
  return outcome.error as InstanceType<Class>;
}
