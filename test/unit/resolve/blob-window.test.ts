import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BufferPool } from '../../../src/resolve/blob-buffers.ts';
import { BlobWindow } from '../../../src/resolve/blob-window.ts';
import { ByteBudget } from '../../../src/resolve/byte-budget.ts';
import { roomy } from '../../support/blob-setup.ts';
import { FakeClock } from '../../support/fake-clock.ts';

function contentOf(window: BlobWindow, from: number): Buffer {
  return Buffer.concat(window.chunksFrom(from, Number.POSITIVE_INFINITY));
}

test('a window gives back what was pushed, whatever the sizes, and lets go only of the beginning', () => {
  const sizes = fc.array(
    fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 4000, max: 9000 })),
    { maxLength: 60 },
  );
  fc.assert(
    fc.property(sizes, fc.array(fc.nat(200_000), { maxLength: 5 }), (chunkSizes, trims) => {
      const { budget } = roomy(new FakeClock());
      const window = new BlobWindow(budget);
      const all: Buffer[] = [];
      for (const [index, size] of chunkSizes.entries()) {
        const chunk = Buffer.alloc(size, index + 1);
        all.push(chunk);
        window.push(chunk);
        const trim = trims[index % 12];
        if (trim !== undefined) window.trimTo(Math.min(trim, window.end));
      }
      const expected = Buffer.concat(all);
      assert.equal(window.end, expected.length);
      assert.deepEqual(contentOf(window, window.start), expected.subarray(window.start));
      const middle = Math.floor((window.start + window.end) / 2);
      assert.deepEqual(contentOf(window, middle), expected.subarray(middle));
      assert.equal(window.chunkAt(window.end), undefined);
      assert.equal(budget.taken, window.end - window.start);
      if (window.start > 0) assert.equal(window.chunkAt(window.start - 1), undefined);
    }),
  );
});

test('chunks given out do not change when more arrives', () => {
  const { budget } = roomy(new FakeClock());
  const window = new BlobWindow(budget);
  window.push(Buffer.from('abc'));
  const given = window.chunkAt(0);
  window.push(Buffer.from('def'));
  assert.equal(Buffer.from(given ?? []).toString(), 'abc');
  assert.equal(Buffer.from(window.chunkAt(1) ?? []).toString(), 'bcdef');
});

test('many tiny chunks do not take more than they hold', () => {
  const { budget } = roomy(new FakeClock());
  const window = new BlobWindow(budget);
  for (let index = 0; index < 100_000; index += 1) window.push(Buffer.of(index % 256));
  assert.equal(window.chunksFrom(0, Number.POSITIVE_INFINITY).length, 2);
});

test('a buffer is lent to one at a time, smaller ones the more are lent', () => {
  const KIB = 1024;
  const budget = new ByteBudget(new FakeClock(), {
    bufferedBytes: 4_096 * KIB,
    waiting: { most: 0, waitMs: 0 },
  });
  const pool = new BufferPool(budget);
  const lent = Array.from({ length: 36 }, () => pool.lend(1e6));
  assert.equal(new Set(lent).size, 36);
  assert.deepEqual(
    lent.map(({ length }) => length / KIB),
    [512, 512, ...Array.from({ length: 32 }, () => 64), 16, 16],
  );
  assert.equal(budget.taken, (2 * 512 + 32 * 64 + 2 * 16) * KIB);
  const [first, second] = lent;
  assert.ok(first && second);
  assert.equal(pool.isTooLarge(first), true);
  assert.equal(pool.isTooLarge(lent.at(-1) ?? first), false);
  pool.giveBack(first);
  assert.equal(pool.isTooLarge(second), false);
  pool.lost(second);
  for (const each of lent.slice(2)) pool.giveBack(each);
  assert.equal(budget.taken, 0);
  const again = [pool.lend(1e6), pool.lend(1e6)];
  assert.ok(again[0] === first);
  assert.ok(!again.includes(second), 'one that is lost is never lent again');
  assert.equal(pool.lend(100).length, 16 * KIB);
});
