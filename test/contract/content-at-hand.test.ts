import assert from 'node:assert/strict';
import { readdir, readFile, readlink, stat, unlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { sampleOf, temporaryFolder } from '../support/blob-doubles.ts';
import { bytesOf, openStore, pathOf, put } from '../support/opened-store.ts';

const MEMORY = { memoryBytes: 1024 * 1024 };
const isLinux = process.platform === 'linux';

/** The files below a folder that this process has open, removed ones too. */
async function openFilesBelow(folder: string): Promise<readonly string[]> {
  const descriptors = await readdir('/proc/self/fd');
  const targets = await Promise.all(
    descriptors.map((each) => readlink(join('/proc/self/fd', each)).catch(() => '')),
  );
  return targets.filter((target) => target.startsWith(`${folder}/v1/`));
}

/** Waits for what closes files in the background. */
async function untilOpen(folder: string, count: number): Promise<void> {
  for (let turn = 0; turn < 1000; turn += 1) {
    if ((await openFilesBelow(folder)).length === count) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal((await openFilesBelow(folder)).length, count);
}

test('small content that was read is at hand, counted and read like any other', async (t) => {
  const folder = await temporaryFolder(t);
  const { store, counts } = await openStore(t, folder, MEMORY);
  for (const size of [0, 1, 9000, 64 * 1024]) {
    const sample = sampleOf(size);
    await put(store, sample);
    assert.equal(store.openNow(sample.digest), undefined);
    assert.deepEqual(await bytesOf(await store.open(sample.digest)), sample.bytes);
    await unlink(pathOf(folder, sample.digest));
    const content = store.openNow(sample.digest);
    assert.deepEqual(content?.bytes, sample.bytes);
    assert.deepEqual(await bytesOf(content), sample.bytes);
    assert.deepEqual(await bytesOf(await store.open(sample.digest)), sample.bytes);
  }
  assert.deepEqual([counts.hits, counts.misses], [12, 0]);
});

test('larger content, and any without memory for it, is read from its file', async (t) => {
  const folder = await temporaryFolder(t);
  for (const [size, options] of [
    [64 * 1024 + 1, MEMORY],
    [100, {}],
  ] as const) {
    const { store } = await openStore(t, folder, options);
    const sample = sampleOf(size);
    await put(store, sample);
    (await store.open(sample.digest))?.close();
    assert.equal(store.openNow(sample.digest), undefined);
    await unlink(pathOf(folder, sample.digest));
    assert.equal(await store.open(sample.digest), undefined);
  }
});

test('content that is evicted is not at hand any more', async (t) => {
  const { store } = await openStore(t, await temporaryFolder(t), { ...MEMORY, maxBytes: 2500 });
  const [first, second, third] = [sampleOf(1000), sampleOf(1000), sampleOf(1000)];
  for (const sample of [first, second]) {
    await put(store, sample);
    (await store.open(sample.digest))?.close();
  }
  // From memory, and a use all the same.
  store.openNow(first.digest)?.close();
  await put(store, third);
  await store.settled();
  assert.notEqual(store.openNow(first.digest), undefined);
  assert.equal(store.has(second.digest), false);
  assert.equal(store.openNow(second.digest), undefined);
  assert.equal(await store.open(second.digest), undefined);
});

test('content that is stored anew is read anew', async (t) => {
  const { store } = await openStore(t, await temporaryFolder(t), MEMORY);
  const sample = sampleOf(1000);
  await put(store, sample);
  (await store.open(sample.digest))?.close();
  await put(store, sample);
  assert.equal(store.openNow(sample.digest), undefined);
  assert.deepEqual(await bytesOf(await store.open(sample.digest)), sample.bytes);
});

test('a file that was altered so that it looks the same does not get into memory', async (t) => {
  const folder = await temporaryFolder(t);
  const { store, clock, counts } = await openStore(t, folder, { ...MEMORY, memoryBytes: 1600 });
  const [sample, other] = [sampleOf(1000), sampleOf(1000)];
  for (const each of [sample, other]) await put(store, each);
  clock.advance(120_000);
  (await store.open(sample.digest))?.close();
  // Leaves no room for the first one.
  (await store.open(other.digest))?.close();
  assert.equal(store.openNow(sample.digest), undefined);
  const path = pathOf(folder, sample.digest);
  const { atimeMs, mtimeMs, ino } = await stat(path);
  const bytes = await readFile(path);
  bytes[500] = (bytes[500] ?? 0) ^ 1;
  await writeFile(path, bytes, { flag: 'r+' });
  await utimes(path, atimeMs / 1000, mtimeMs / 1000);
  assert.deepEqual([(await stat(path)).mtimeMs, (await stat(path)).ino], [mtimeMs, ino]);
  assert.equal(await store.open(sample.digest), undefined);
  assert.equal(counts.corruptEntries, 1);
});

test('uses from memory are written to the file once a minute', async (t) => {
  const folder = await temporaryFolder(t);
  const { store, clock } = await openStore(t, folder, MEMORY);
  const sample = sampleOf(1000);
  await put(store, sample);
  (await store.open(sample.digest))?.close();
  const path = pathOf(folder, sample.digest);
  const before = (await stat(path)).mtimeMs;
  clock.advance(120_000);
  store.openNow(sample.digest)?.close();
  for (let turn = 0; turn < 1000 && (await stat(path)).mtimeMs === before; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal((await stat(path)).mtimeMs, Math.floor(clock.now() / 1000) * 1000);
});

test('a file that was read stays open for the next reader, and not for long', {
  skip: !isLinux,
}, async (t) => {
  const folder = await temporaryFolder(t);
  const { store, clock } = await openStore(t, folder, { maxIdleFiles: 2 });
  const samples = [sampleOf(1000), sampleOf(1000), sampleOf(1000)];
  for (const sample of samples) {
    await put(store, sample);
    const readers = await Promise.all([store.open(sample.digest), store.open(sample.digest)]);
    for (const reader of readers) assert.deepEqual(await bytesOf(reader), sample.bytes);
  }
  await untilOpen(folder, 2);
  const [, second, third] = samples;
  assert.ok(second && third);
  clock.advance(10_000);
  const reading = await store.open(third.digest);
  clock.advance(10_000);
  await untilOpen(folder, 1);
  clock.advance(60_000);
  // Whoever is reading is not disturbed.
  assert.deepEqual(await bytesOf(reading), third.bytes);
  clock.advance(20_000);
  await untilOpen(folder, 0);
  (await store.open(second.digest))?.close();
  await untilOpen(folder, 1);
  await store.close();
  await untilOpen(folder, 0);
});

test('a reader goes on reading a file that another one has replaced', async (t) => {
  const { store } = await openStore(t, await temporaryFolder(t), { maxIdleFiles: 4 });
  const sample = sampleOf(1000);
  await put(store, sample);
  const first = await store.open(sample.digest);
  const second = await store.open(sample.digest);
  await put(store, sample);
  first?.close();
  assert.deepEqual(await bytesOf(second), sample.bytes);
});

test('an evicted file does not stay open', { skip: !isLinux }, async (t) => {
  const folder = await temporaryFolder(t);
  const { store } = await openStore(t, folder, { maxIdleFiles: 4, maxBytes: 1500 });
  const sample = sampleOf(1000);
  await put(store, sample);
  (await store.open(sample.digest))?.close();
  await untilOpen(folder, 1);
  await put(store, sampleOf(1000));
  await store.settled();
  await untilOpen(folder, 0);
});

test('without idle files each is closed by its last reader', { skip: !isLinux }, async (t) => {
  const folder = await temporaryFolder(t);
  const { store } = await openStore(t, folder);
  const sample = sampleOf(1000);
  await put(store, sample);
  const readers = await Promise.all([store.open(sample.digest), store.open(sample.digest)]);
  for (const reader of readers) reader?.close();
  await untilOpen(folder, 0);
});
