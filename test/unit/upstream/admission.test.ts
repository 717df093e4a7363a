import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Admission, type Lease } from '../../../src/upstream/admission.ts';
import { type BreakerState, CircuitBreaker } from '../../../src/upstream/circuit-breaker.ts';
import { ExchangeError } from '../../../src/upstream/errors.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { rejectsWithCode } from '../../support/reject-with-code.ts';

interface Scene {
  readonly clock: FakeClock;
  readonly states: BreakerState[];
}

function breakerOf(failures: number): Scene & { readonly breaker: CircuitBreaker } {
  const clock = new FakeClock();
  const states: BreakerState[] = [];
  const onChange = (state: BreakerState): void => void states.push(state);
  return {
    clock,
    states,
    breaker: new CircuitBreaker({ failures, openMs: 10_000 }, clock, onChange),
  };
}

function admissionOf(limits: { readonly requests: number; readonly queue: number }): Scene & {
  readonly admission: Admission;
} {
  const clock = new FakeClock();
  const states: BreakerState[] = [];
  const admission = new Admission({
    host: 'registry.test',
    limits,
    breaker: { failures: 2, openMs: 10_000 },
    clock,
    onBreaker: (state) => void states.push(state),
  });
  return { clock, states, admission };
}

describe('CircuitBreaker', () => {
  it('opens after so many failures in a row, and lets one try after the rest', () => {
    const { breaker, clock, states } = breakerOf(3);
    breaker.begin().failed();
    breaker.begin().failed();
    breaker.begin().succeeded();
    for (let count = 0; count < 2; count += 1) breaker.begin().failed();
    assert.equal(breaker.state, 'closed');
    assert.equal(breaker.waitMs(), 0);
    breaker.begin().failed();
    assert.equal(breaker.state, 'open');
    assert.equal(breaker.waitMs(), 10_000);
    clock.advance(9_999);
    assert.equal(breaker.waitMs(), 1);
    clock.advance(1);
    assert.equal(breaker.state, 'half-open');
    assert.equal(breaker.waitMs(), 0);
    const trial = breaker.begin();
    assert.ok(trial.isTrial);
    assert.ok(breaker.waitMs() > 0, 'one at a time');
    trial.succeeded();
    assert.equal(breaker.state, 'closed');
    assert.equal(breaker.failures, 0);
    assert.deepEqual(states, ['open', 'closed']);
  });

  it('rests anew when the trial fails, and not when nobody knows', () => {
    const { breaker, clock, states } = breakerOf(1);
    breaker.begin().failed();
    clock.advance(10_000);
    breaker.begin().abandoned();
    assert.equal(breaker.waitMs(), 0);
    breaker.begin().failed();
    assert.equal(breaker.waitMs(), 10_000);
    assert.deepEqual(states, ['open', 'open']);
  });

  it('does not hear what began before it opened or closed', () => {
    const { breaker, clock } = breakerOf(1);
    const early = [breaker.begin(), breaker.begin(), breaker.begin()];
    early[0]?.failed();
    early[1]?.succeeded();
    assert.equal(breaker.state, 'open');
    clock.advance(10_000);
    breaker.begin().succeeded();
    early[2]?.failed();
    assert.equal(breaker.state, 'closed');
  });

  it('never opens with 0', () => {
    const { breaker, states } = breakerOf(0);
    for (let count = 0; count < 1000; count += 1) breaker.begin().failed();
    assert.equal(breaker.waitMs(), 0);
    assert.deepEqual(states, []);
  });
});

describe('Admission', () => {
  it('lets so many in, has so many wait in order, and refuses the others at once', async () => {
    const { admission } = admissionOf({ requests: 2, queue: 2 });
    const inside = [await admission.enter(), await admission.enter()];
    const order: string[] = [];
    const waiting = ['third', 'fourth'].map(async (name) => {
      const lease = await admission.enter();
      order.push(name);
      return lease;
    });
    assert.deepEqual([admission.inFlight, admission.queued], [2, 2]);
    const refused = admission.enter();
    await rejectsWithCode(refused, ExchangeError, 'busy');
    await refused.catch((error: ExchangeError) => assert.equal(error.retryAfterSeconds, 5));
    inside[0]?.leave();
    inside[0]?.leave();
    assert.deepEqual([admission.inFlight, admission.queued], [2, 1]);
    inside[1]?.leave();
    const leases = await Promise.all(waiting);
    assert.deepEqual(order, ['third', 'fourth']);
    for (const lease of leases) lease.leave();
    assert.deepEqual([admission.inFlight, admission.queued], [0, 0]);
  });

  it('forgets who went away while waiting, with the reason for it', async () => {
    const { admission } = admissionOf({ requests: 1, queue: 5 });
    const inside = await admission.enter();
    const going = new AbortController();
    const gone = new Error('the client went away');
    const left = admission.enter(going.signal);
    const stays = admission.enter();
    going.abort(gone);
    await assert.rejects(left, gone);
    await assert.rejects(admission.enter(going.signal), gone);
    inside.leave();
    (await stays).leave();
    assert.deepEqual([admission.inFlight, admission.queued], [0, 0]);
  });

  it('lets nobody wait longer than 30 s', async () => {
    const { admission, clock } = admissionOf({ requests: 1, queue: 5 });
    const inside = await admission.enter();
    const waiting = admission.enter();
    clock.advance(30_000);
    await rejectsWithCode(waiting, ExchangeError, 'busy');
    inside.leave();
    assert.deepEqual([admission.inFlight, admission.queued], [0, 0]);
  });

  it('refuses while the server rests, those that wait too, and says until when', async () => {
    const { admission, clock, states } = admissionOf({ requests: 2, queue: 5 });
    const inside = [await admission.enter(), await admission.enter()];
    const waiting = admission.enter();
    for (const lease of inside) lease.failed();
    for (const lease of inside) lease.leave();
    await rejectsWithCode(waiting, ExchangeError, 'resting');
    clock.advance(1_500);
    const refused = admission.enter();
    await rejectsWithCode(refused, ExchangeError, 'resting');
    await refused.catch((error: ExchangeError) => assert.equal(error.retryAfterSeconds, 9));
    await assert.rejects(
      refused,
      /registry\.test failed 2 requests in a row and is not asked for another 9 s/,
    );
    clock.advance(8_500);
    const trial = await admission.enter();
    await rejectsWithCode(admission.enter(), ExchangeError, 'resting');
    // The head of an answer is enough for the others to go on.
    trial.answered();
    (await admission.enter()).leave();
    trial.leave();
    assert.deepEqual(states, ['open', 'closed']);
    assert.equal(admission.inFlight, 0);
  });

  it('lets the next one try when a trial ended without a word', async () => {
    const { admission, clock } = admissionOf({ requests: 2, queue: 5 });
    await failTwice(admission);
    clock.advance(10_000);
    const trial = await admission.enter();
    trial.leave();
    (await admission.enter()).succeeded();
    assert.equal(admission.breaker.state, 'closed');
  });

  it('counts no answer as a success before its end unless others wait for it', async () => {
    const { admission } = admissionOf({ requests: 9, queue: 0 });
    for (let count = 0; count < 2; count += 1) {
      const lease: Lease = await admission.enter();
      lease.answered();
      lease.failed();
      lease.leave();
    }
    assert.equal(admission.breaker.state, 'open');
  });
});

async function failTwice(admission: Admission): Promise<void> {
  for (let count = 0; count < 2; count += 1) {
    const lease = await admission.enter();
    lease.failed();
    lease.leave();
  }
}
