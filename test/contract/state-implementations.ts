import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { CollectionKey } from '../../src/metadata/ports.ts';
import type { DurableState } from '../../src/store/durable-state.ts';
import { MemoryState } from '../../src/store/memory-state.ts';
import { SqliteState } from '../../src/store/sqlite-state.ts';
import { FakeClock } from '../support/fake-clock.ts';

/** Where the fake clock stands. */
export const NOW: number = Date.parse('2026-11-23T00:00:00Z');

/** A collection of trust metadata. */
export const KEY: CollectionKey = { source: 'corp', gun: 'docker.io/library/alpine' };

/** Every implementation of the port, under the name its tests carry. */
export const IMPLEMENTATIONS: readonly (readonly [string, (t: TestContext) => DurableState])[] = [
  [
    'MemoryState',
    (t) => {
      const state = new MemoryState(new FakeClock());
      t.after(() => state.close());
      return state;
    },
  ],
  [
    'SqliteState',
    (t) => {
      const folder = mkdtempSync(join(tmpdir(), 'pinnace-state-'));
      const state = SqliteState.open(folder, { clock: new FakeClock(), pinPrecisionMs: 0 });
      t.after(() => {
        state.close();
        rmSync(folder, { recursive: true });
      });
      return state;
    },
  ],
];
