import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inTime, withinDeadline } from '../../../src/metadata/deadline.ts';
import { TrustServerError } from '../../../src/metadata/errors.ts';
import { TrustError } from '../../../src/trust/errors.ts';
import { rejectsWithCode } from '../../support/reject-with-code.ts';

function untilAborted(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener('abort', () => reject(signal.reason));
  return promise;
}

describe('a deadline', () => {
  it('that passes counts as a server out of reach', async () => {
    const act = withinDeadline(1, untilAborted);
    const error = await rejectsWithCode(act, TrustServerError, 'trust_server_unreachable');
    assert.ok(error.cause instanceof DOMException);
  });

  it('leaves results and other errors alone, also when it has passed', async () => {
    assert.equal(await withinDeadline(60_000, async () => 5), 5);
    const own = new TrustError('rollback', 'own');
    await assert.rejects(
      withinDeadline(60_000, () => Promise.reject(own)),
      (error) => error === own,
    );
    const late = withinDeadline(1, async (signal) => {
      await untilAborted(signal).catch(() => undefined);
      throw own;
    });
    await assert.rejects(late, (error) => error === own);
    const reason = new Error('reason');
    const running = new AbortController().signal;
    assert.equal(inTime(reason, running), reason);
    assert.equal(inTime(undefined, AbortSignal.abort(reason)), undefined);
  });
});
