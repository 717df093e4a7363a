import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { describe, it } from 'node:test';
import { BufferPool } from '../../../src/resolve/blob-buffers.ts';
import { type SendSource, sendRange } from '../../../src/resolve/blob-sender.ts';
import { roomy } from '../../support/blob-setup.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const KIB = 1024;
const MIB = KIB ** 2;
const SIZE = MIB;
const CLIENTS = 40;

/** Content that is at hand at once, in memory or by reading. */
function source(isInMemory: boolean): SendSource {
  const piece = Buffer.alloc(64 * KIB);
  return {
    sendable: () => SIZE,
    chunkAt: () => (isInMemory ? piece : undefined),
    read: (buffer) => Promise.resolve(buffer.length),
    changed: () => Promise.resolve(),
    wake: () => undefined,
    advanced: () => undefined,
  };
}

describe('content for many clients who all have room for it', () => {
  for (const isInMemory of [true, false]) {
    it(`is handed over by 2 MiB in a turn of the event loop, ${isInMemory ? 'from memory' : 'from a file'}`, async () => {
      const buffers = new BufferPool(roomy(new FakeClock()).budget);
      let inTurn = 0;
      let most = 0;
      let all = 0;
      let isOver = false;
      const count = (): void => {
        most = Math.max(most, inTurn);
        inTurn = 0;
        if (!isOver) setImmediate(count);
      };
      setImmediate(count);
      const sending = Array.from({ length: CLIENTS }, async () => {
        const sink = new Writable({
          highWaterMark: SIZE,
          write(chunk, _encoding, onTaken) {
            inTurn += chunk.length;
            all += chunk.length;
            onTaken();
          },
        });
        await sendRange(source(isInMemory), sink, { range: { start: 0, end: SIZE }, buffers });
      });
      await Promise.all(sending);
      isOver = true;
      assert.equal(all, CLIENTS * SIZE);
      assert.ok(most > MIB && most < 3 * MIB, `${most} bytes in one turn`);
    });
  }

  it('is let go of by one who leaves while it waits for its turn', async () => {
    const { budget } = roomy(new FakeClock());
    const buffers = new BufferPool(budget);
    const range = { start: 0, end: SIZE };
    const leave = new AbortController();
    const left = new Error('left');
    const sending = Array.from({ length: CLIENTS }, async () => {
      const sink = new Writable({ write: (_chunk, _encoding, onTaken) => onTaken() });
      await sendRange(source(false), sink, { range, buffers, signal: leave.signal });
    });
    leave.abort(left);
    const ends = await Promise.allSettled(sending);
    assert.ok(ends.every((end) => end.status === 'rejected' && end.reason === left));
    assert.equal(budget.taken, 0);
  });
});
