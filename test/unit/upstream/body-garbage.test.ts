import assert from 'node:assert/strict';
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { BodyGarbage } from '../../../src/upstream/body-garbage.ts';

const MIB = 1024 ** 2;
const PIECE_BYTES = 64 * 1024;

describe('the garbage of received bodies', () => {
  it('is collected once for each 16 MiB', () => {
    let collections = 0;
    const garbage = new BodyGarbage(() => {
      collections += 1;
    });
    const seen: number[] = [];
    for (let mib = 1; mib <= 48; mib += 1) {
      for (let piece = 0; piece < MIB; piece += PIECE_BYTES) garbage.note(PIECE_BYTES);
      if (mib % 8 === 0) seen.push(collections);
    }
    assert.deepEqual(seen, [0, 1, 1, 2, 2, 3]);
  });

  it('is collected as young garbage, and nobody else is given the means', async () => {
    const asked: number[] = [];
    const observer = new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        assert.ok('detail' in entry);
        const { kind, flags } = entry.detail as { readonly kind: number; readonly flags: number };
        // Of all collections, those that somebody asked for.
        if ((flags & constants.NODE_PERFORMANCE_GC_FLAGS_FORCED) !== 0) asked.push(kind);
      }
    });
    observer.observe({ entryTypes: ['gc'] });
    new BodyGarbage().note(16 * MIB);
    for (let turn = 0; turn < 1000 && asked.length === 0; turn += 1) await setImmediate();
    observer.disconnect();
    assert.deepEqual(asked, [constants.NODE_PERFORMANCE_GC_MINOR]);
    assert.equal('gc' in globalThis, false);
  });
});
