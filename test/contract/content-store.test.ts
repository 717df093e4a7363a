import assert from 'node:assert/strict';
import {
  open,
  readdir,
  readFile,
  rename,
  stat,
  symlink,
  truncate,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { ContentCheck } from '../../src/resolve/blob-check.ts';
import { sampleOf, temporaryFolder } from '../support/blob-doubles.ts';
import { diskWithRoomFor } from '../support/failing-disk.ts';
import { bytesOf, openStore, pathOf, put } from '../support/opened-store.ts';

test('content that was stored is read back, from any position', async (t) => {
  const { store, counts } = await openStore(t, await temporaryFolder(t));
  const sample = sampleOf(100_000);
  assert.equal(await put(store, sample), true);
  assert.deepEqual(await bytesOf(await store.open(sample.digest)), sample.bytes);
  const content = await store.open(sample.digest);
  const buffer = Buffer.alloc(1000);
  assert.equal(await content?.read(buffer, 99_500), 500);
  assert.deepEqual(buffer.subarray(0, 500), sample.bytes.subarray(99_500));
  content?.close();
  assert.deepEqual([counts.hits, counts.misses, counts.total], [2, 0, 100_000]);
  assert.equal(await store.open(sampleOf(1).digest), undefined);
  assert.equal(counts.misses, 1);
});

test('empty content can be stored', async (t) => {
  const { store } = await openStore(t, await temporaryFolder(t));
  const sample = sampleOf(0);
  assert.equal(await put(store, sample), true);
  assert.equal((await bytesOf(await store.open(sample.digest)))?.length, 0);
});

test('content is kept only when digest and size are right', async (t) => {
  const folder = await temporaryFolder(t);
  const { store } = await openStore(t, folder);
  const sample = sampleOf(5000);
  const flipped = Buffer.from(sample.bytes);
  flipped[4999] = (flipped[4999] ?? 0) ^ 1;
  const rows: readonly (readonly [string, Buffer])[] = [
    ['a wrong byte', flipped],
    ['a byte too few', sample.bytes.subarray(0, 4999)],
    ['a byte too many', Buffer.concat([sample.bytes, Buffer.of(0)])],
  ];
  for (const [name, bytes] of rows) {
    assert.equal(await put(store, sample, bytes), false, name);
    assert.equal(store.has(sample.digest), false, name);
    assert.equal(await store.open(sample.digest), undefined, name);
  }
  assert.deepEqual(await readdir(join(folder, 'tmp')), []);
});

test("a check of other content does not make a writer's content right", async (t) => {
  const { store } = await openStore(t, await temporaryFolder(t));
  const [sample, other] = [sampleOf(100), sampleOf(100)];
  const writer = await store.create(sample.digest, sample.size);
  await writer.append([other.bytes]);
  const check = new ContentCheck(other.digest, other.size);
  check.accept(other.bytes);
  assert.equal(await writer.commit(check), false);
  await writer.close();
  assert.equal(await store.open(sample.digest), undefined);
});

test('two writers of one digest are harmless', async (t) => {
  const { store, counts } = await openStore(t, await temporaryFolder(t));
  const sample = sampleOf(50_000);
  assert.deepEqual(await Promise.all([put(store, sample), put(store, sample)]), [true, true]);
  assert.deepEqual(await bytesOf(await store.open(sample.digest)), sample.bytes);
  assert.equal(counts.total, 50_000);
});

test('after a restart content is verified before it is believed', async (t) => {
  const folder = await temporaryFolder(t);
  const sample = sampleOf(3_000_000);
  await put((await openStore(t, folder)).store, sample);
  const { store, counts } = await openStore(t, folder);
  assert.equal(counts.total, 3_000_000);
  const contents = await Promise.all([1, 2, 3].map(() => store.open(sample.digest)));
  for (const content of contents) assert.deepEqual(await bytesOf(content), sample.bytes);
  assert.equal(counts.hits, 3);
});

test('content another process put into the folder is found, and verified', async (t) => {
  const folder = await temporaryFolder(t);
  const one = await openStore(t, folder);
  const other = await openStore(t, folder);
  const sample = sampleOf(70_000);
  await put(one.store, sample);
  assert.deepEqual(await bytesOf(await other.store.open(sample.digest)), sample.bytes);
  assert.equal(other.counts.total, 70_000);
});

const DAMAGES: readonly (readonly [string, (path: string) => Promise<void>, boolean])[] = [
  [
    'one flipped bit',
    async (path) => {
      const bytes = await readFile(path);
      bytes[777] = (bytes[777] ?? 0) ^ 4;
      await writeFile(path, bytes);
    },
    true,
  ],
  ['a lost tail', (path) => truncate(path, 8000), true],
  ['no bytes at all', (path) => truncate(path, 0), true],
  ['more bytes', (path) => writeFile(path, 'more', { flag: 'a' }), true],
  ['no file', (path) => unlink(path), false],
];

for (const [name, damage, isCorrupt] of DAMAGES) {
  for (const moment of ['before a restart', 'under a running process', 'while open'] as const) {
    test(`damaged content is a miss and is removed: ${name}, ${moment}`, async (t) => {
      const folder = await temporaryFolder(t);
      const sample = sampleOf(9000);
      let opened = await openStore(t, folder, { maxIdleFiles: moment === 'while open' ? 4 : 0 });
      await put(opened.store, sample);
      if (moment !== 'before a restart') (await opened.store.open(sample.digest))?.close();
      await damage(pathOf(folder, sample.digest));
      if (moment === 'before a restart') opened = await openStore(t, folder);
      const { store, counts } = opened;
      assert.equal(await store.open(sample.digest), undefined);
      assert.equal(counts.corruptEntries, isCorrupt ? 1 : 0);
      assert.equal(counts.misses, 1);
      assert.equal(store.has(sample.digest), false);
      await assert.rejects(stat(pathOf(folder, sample.digest)));
      assert.equal(await put(store, sample), true);
      assert.deepEqual(await bytesOf(await store.open(sample.digest)), sample.bytes);
    });
  }
}

test('a link in the place of content is not followed', async (t) => {
  const folder = await temporaryFolder(t);
  const { store } = await openStore(t, folder);
  const sample = sampleOf(100);
  await put(store, sample);
  const path = pathOf(folder, sample.digest);
  await rename(path, join(folder, 'elsewhere'));
  await symlink(join(folder, 'elsewhere'), path);
  assert.equal(await store.open(sample.digest), undefined);
});

test('what was used least recently goes first', async (t) => {
  const { store, counts } = await openStore(t, await temporaryFolder(t), { maxBytes: 3000 });
  const samples = [1, 2, 3].map(() => sampleOf(1000));
  for (const sample of samples) await put(store, sample);
  const [first, second, third] = samples;
  assert.ok(first && second && third);
  (await store.open(first.digest))?.close();
  await put(store, sampleOf(1000));
  await store.settled();
  assert.deepEqual(
    samples.map((sample) => store.has(sample.digest)),
    [true, false, true],
  );
  assert.equal(await store.open(second.digest), undefined);
  assert.deepEqual([counts.evictedBytes, counts.total], [1000, 3000]);
});

test('the order of use survives a restart', async (t) => {
  const folder = await temporaryFolder(t);
  const before = await openStore(t, folder);
  const samples = [1, 2, 3].map(() => sampleOf(1000));
  for (const [index, sample] of samples.entries()) {
    await put(before.store, sample);
    await utimes(pathOf(folder, sample.digest), 1_000_000 + index, 1_000_000 + index);
  }
  const [first] = samples;
  assert.ok(first);
  const again = await openStore(t, folder);
  (await again.store.open(first.digest))?.close();
  const { store } = await openStore(t, folder, { maxBytes: 2000 });
  await store.settled();
  assert.deepEqual(
    samples.map((sample) => store.has(sample.digest)),
    [true, false, true],
  );
});

test('use is written to the file at most once a minute, and does not cost another verification', async (t) => {
  const folder = await temporaryFolder(t);
  const { store, clock } = await openStore(t, folder);
  const sample = sampleOf(1000);
  await put(store, sample);
  const path = pathOf(folder, sample.digest);
  const times = new Set<number>();
  for (let round = 0; round < 10; round += 1) {
    clock.advance(20_000);
    (await store.open(sample.digest))?.close();
    times.add((await stat(path)).mtimeMs);
  }
  assert.ok(times.size >= 3 && times.size <= 5, `${times.size} times`);
  assert.deepEqual(await bytesOf(await store.open(sample.digest)), sample.bytes);
});

test('content being read is not evicted, and may be after it is closed', async (t) => {
  const { store, counts } = await openStore(t, await temporaryFolder(t), { maxBytes: 2000 });
  const sample = sampleOf(1500);
  await put(store, sample);
  const content = await store.open(sample.digest);
  await put(store, sampleOf(1500));
  await store.settled();
  assert.equal(store.has(sample.digest), true);
  assert.deepEqual(await bytesOf(content), sample.bytes);
  await put(store, sampleOf(1500));
  await store.settled();
  assert.equal(store.has(sample.digest), false);
  assert.equal(counts.total, 1500);
});

test('content whose file is removed by others while it is read stays readable', async (t) => {
  const folder = await temporaryFolder(t);
  const { store } = await openStore(t, folder);
  const sample = sampleOf(40_000);
  await put(store, sample);
  const content = await store.open(sample.digest);
  await unlink(pathOf(folder, sample.digest));
  assert.deepEqual(await bytesOf(content), sample.bytes);
});

test('content larger than the whole limit is not stored', async (t) => {
  const { store, counts } = await openStore(t, await temporaryFolder(t), { maxBytes: 100 });
  assert.equal((await store.create(sampleOf(101).digest, 101)).isStoring, false);
  assert.equal(counts.failedWrites, 0);
});

test('an unusable folder is counted, and nothing is thrown', async (t) => {
  const folder = join(await temporaryFolder(t), 'file');
  await writeFile(folder, '');
  const { store, counts } = await openStore(t, folder);
  const sample = sampleOf(10);
  assert.equal(await put(store, sample), false);
  assert.equal(await store.open(sample.digest), undefined);
  assert.equal(counts.failedWrites, 2);
});

test('a full disk ends the storing and nothing else', {
  skip: process.platform !== 'linux',
}, async (t) => {
  const { store, counts } = await openStore(t, await temporaryFolder(t), {
    openTemporary: () => open('/dev/full', 'r+'),
  });
  const writer = await store.create(sampleOf(10).digest, 10);
  assert.equal(writer.isStoring, true);
  await writer.append([Buffer.alloc(5)]);
  assert.deepEqual([writer.isStoring, writer.storedBytes], [false, 0]);
  await writer.append([Buffer.alloc(5)]);
  await writer.close();
  assert.equal(counts.failedWrites, 1);
});

test('what was stored before the disk failed stays readable', async (t) => {
  const folder = await temporaryFolder(t);
  const { store, counts } = await openStore(t, folder, {
    openTemporary: diskWithRoomFor(1000),
  });
  const sample = sampleOf(3000);
  const writer = await store.create(sample.digest, sample.size);
  await writer.append([sample.bytes.subarray(0, 1000), sample.bytes.subarray(1000)]);
  assert.deepEqual([writer.isStoring, writer.storedBytes], [false, 1000]);
  const buffer = Buffer.alloc(2000);
  assert.equal(await writer.read(buffer, 500), 500);
  assert.deepEqual(buffer.subarray(0, 500), sample.bytes.subarray(500, 1000));
  const check = new ContentCheck(sample.digest, sample.size);
  check.accept(sample.bytes);
  assert.equal(await writer.commit(check), false);
  await writer.close();
  assert.equal(counts.failedWrites, 1);
  assert.deepEqual(await readdir(join(folder, 'tmp')), []);
});

test('a writer that is closed leaves nothing behind', async (t) => {
  const folder = await temporaryFolder(t);
  const { store } = await openStore(t, folder);
  const writer = await store.create(sampleOf(10).digest, 10);
  await writer.append([Buffer.alloc(4)]);
  assert.equal((await readdir(join(folder, 'tmp'))).length, 1);
  await Promise.all([writer.close(), writer.close()]);
  assert.deepEqual(await readdir(join(folder, 'tmp')), []);
});
