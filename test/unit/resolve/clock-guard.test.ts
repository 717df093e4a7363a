import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ClockGuard, type TimeRecord } from '../../../src/resolve/clock-guard.ts';
import { PullError } from '../../../src/resolve/errors.ts';
import { StateError } from '../../../src/store/errors.ts';
import { MemoryState } from '../../../src/store/memory-state.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { rejectsWithCode } from '../../support/reject-with-code.ts';

const HOUR_MS = 3_600_000;

async function guardOf(clock: FakeClock, record: TimeRecord): Promise<ClockGuard> {
  const guard = new ClockGuard(clock, record);
  await guard.start();
  return guard;
}

function back(clock: FakeClock, ms: number): void {
  clock.setWallTime(new Date(clock.now() - ms));
}

describe('ClockGuard', () => {
  it('lets a clock pass that goes on or is corrected a little', async () => {
    const clock = new FakeClock();
    const guard = await guardOf(clock, new MemoryState(clock));
    for (const ms of [0, HOUR_MS, 1]) {
      clock.advance(ms);
      assert.equal(guard.isTrue(), true);
    }
    back(clock, 60_000);
    assert.equal(guard.isTrue(), true);
    await guard.require();
  });

  it('notices a clock that went back, with both times in the error', async () => {
    const clock = new FakeClock('2026-11-23T10:00:00Z');
    const guard = await guardOf(clock, new MemoryState(clock));
    back(clock, 60_001);
    assert.equal(guard.isTrue(), false);
    const error = await rejectsWithCode(guard.require(), PullError, 'clock_went_back');
    assert.deepEqual(error.detail, {
      now: '2026-11-23T09:58:59.999Z',
      newestSeen: '2026-11-23T10:00:00.000Z',
    });
    clock.advance(60_000);
    await guard.require();
  });

  it('remembers across restarts, and writes once a minute', async () => {
    const clock = new FakeClock();
    const state = new MemoryState(clock);
    const noted: number[] = [];
    const guard = await guardOf(clock, {
      timeResets: () => state.timeResets(),
      newestTimeSeen: () => state.newestTimeSeen(),
      noteTime(now) {
        noted.push(now);
        return state.noteTime(now);
      },
    });
    const start = clock.now();
    for (let second = 0; second < 150; second += 1) {
      guard.isTrue();
      clock.advance(1000);
    }
    assert.deepEqual(
      noted.map((at) => at - start),
      [0, 60_000, 120_000],
    );
    clock.setWallTime(new Date(start));
    assert.equal((await guardOf(clock, state)).isTrue(), false);
  });

  it('notices a reset by another process at the next question, and guards on from there', async () => {
    const clock = new FakeClock();
    const state = new MemoryState(clock);
    const guard = await guardOf(clock, state);
    const start = clock.now();
    clock.advance(HOUR_MS);
    await guard.require();
    back(clock, HOUR_MS);
    await rejectsWithCode(guard.require(), PullError, 'clock_went_back');
    assert.equal(await state.resetTime('it ran ahead'), start + HOUR_MS);
    await guard.require();
    assert.equal(guard.isTrue(), true);
    assert.equal(await state.newestTimeSeen(), start);
    back(clock, HOUR_MS);
    await rejectsWithCode(guard.require(), PullError, 'clock_went_back');
  });

  it('fails closed when the record cannot be read', async () => {
    const clock = new FakeClock();
    const broken = () => Promise.reject(new StateError('state_unreadable', 'broken'));
    const state = new MemoryState(clock);
    const guard = await guardOf(clock, state);
    back(clock, HOUR_MS);
    state.timeResets = broken;
    await rejectsWithCode(guard.require(), StateError, 'state_unreadable');
    await rejectsWithCode(new ClockGuard(clock, state).start(), StateError, 'state_unreadable');
  });
});
