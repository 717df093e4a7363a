import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { describe, it } from 'node:test';
import { BufferPool } from '../../../src/resolve/blob-buffers.ts';
import type { StoredContent } from '../../../src/resolve/blob-ports.ts';
import { StoredBlob } from '../../../src/resolve/blob-stored.ts';
import { ByteBudget } from '../../../src/resolve/byte-budget.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const SIZE = 100_000;
const RANGE = { start: 0, end: SIZE };

/** A stored blob, the buffers it is sent by, and those that have been read into. */
function scene(): {
  readonly blob: StoredBlob;
  readonly pool: BufferPool;
  readonly budget: ByteBudget;
  readonly used: Set<ArrayBufferLike>;
} {
  const used = new Set<ArrayBufferLike>();
  const waiting = { most: 0, waitMs: 0 };
  const budget = new ByteBudget(new FakeClock(), { bufferedBytes: 2 ** 26, waiting });
  const pool = new BufferPool(budget);
  const content: StoredContent = {
    size: SIZE,
    read(buffer) {
      used.add(buffer.buffer);
      return Promise.resolve(buffer.length);
    },
    close: () => undefined,
  };
  return { blob: new StoredBlob(content, pool), pool, budget, used };
}

describe('the buffers of stored blobs', () => {
  it('are lent again when the sink has taken what was in them', async () => {
    const { blob, pool, budget, used } = scene();
    const sink = new Writable({ write: (_chunk, _encoding, onTaken) => onTaken() });
    await blob.send(sink, RANGE);
    assert.equal(budget.taken, 0);
    assert.ok(used.has(pool.lend(SIZE).buffer));
  });

  it('are never lent again when the sink was cut off with something in them', async () => {
    const { blob, pool, budget, used } = scene();
    // It may still send what it was given, whatever is in there by then.
    const sink = new Writable({ write: () => undefined });
    sink.on('error', () => undefined);
    const sending = blob.send(sink, RANGE);
    await new Promise(setImmediate);
    assert.equal(used.size, 1);
    sink.destroy();
    await assert.rejects(sending, { code: 'client_gone' });
    assert.equal(budget.taken, 0);
    assert.ok(!used.has(pool.lend(SIZE).buffer));
  });
});
