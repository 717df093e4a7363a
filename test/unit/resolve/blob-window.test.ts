import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BufferPool } from '../../../src/resolve/blob-buffers.ts';
import { BlobWindow } from '../../../src/resolve/blob-window.ts';

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
      const window = new BlobWindow();
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
      if (window.start > 0) assert.equal(window.chunkAt(window.start - 1), undefined);
    }),
  );
});

test('chunks given out do not change when more arrives', () => {
  const window = new BlobWindow();
  window.push(Buffer.from('abc'));
  const given = window.chunkAt(0);
  window.push(Buffer.from('def'));
  assert.equal(Buffer.from(given ?? []).toString(), 'abc');
  assert.equal(Buffer.from(window.chunkAt(1) ?? []).toString(), 'bcdef');
});

test('many tiny chunks do not take more than they hold', () => {
  const window = new BlobWindow();
  for (let index = 0; index < 100_000; index += 1) window.push(Buffer.of(index % 256));
  assert.equal(window.chunksFrom(0, Number.POSITIVE_INFINITY).length, 2);
});

test('a buffer is lent to one at a time, and large ones are limited', () => {
  const pool = new BufferPool({ maxLarge: 2 });
  const lent = [pool.lend(1e6), pool.lend(1e6), pool.lend(1e6), pool.lend(100)];
  assert.equal(new Set(lent).size, 4);
  assert.deepEqual(
    lent.map((buffer) => buffer.length),
    [524_288, 524_288, 65_536, 65_536],
  );
  const [first, second] = lent;
  assert.ok(first && second);
  pool.giveBack(first);
  assert.equal(pool.lend(1e6), first);
  pool.lost(second);
  assert.notEqual(pool.lend(1e6), second);
});
