import assert from 'node:assert/strict';
import { readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Digest, sha256Digest } from '../../src/oci/digest.ts';
import type { FetchedManifest } from '../../src/resolve/ports.ts';
import {
  DiskManifestStore,
  type DiskManifestStoreOptions,
} from '../../src/store/manifest-store.ts';
import { beforeRemoval, temporaryFolder } from '../support/blob-doubles.ts';
import { FakeClock } from '../support/fake-clock.ts';

const MEDIA_TYPE = 'application/vnd.oci.image.manifest.v1+json';

interface Sample {
  readonly digest: Digest;
  readonly manifest: FetchedManifest;
}

function sampleOf(text: string, mediaType = MEDIA_TYPE): Sample {
  const bytes = Buffer.from(text);
  return { digest: sha256Digest(bytes), manifest: { bytes, mediaType } };
}

async function openStore(
  context: TestContext,
  folder: string,
  options: Partial<DiskManifestStoreOptions> = {},
): Promise<DiskManifestStore> {
  const store = new DiskManifestStore({ folder, clock: new FakeClock(new Date()), ...options });
  await store.start();
  beforeRemoval(context, () => store.close());
  return store;
}

function pathOf(folder: string, digest: Digest): string {
  const hex = digest.slice(7);
  return join(folder, 'v1', 'sha256', hex.slice(0, 2), hex);
}

async function readsBack(store: DiskManifestStore, sample: Sample): Promise<void> {
  const manifest = await store.read(sample.digest);
  assert.equal(manifest?.mediaType, sample.manifest.mediaType);
  assert.deepEqual(Buffer.from(manifest?.bytes ?? []), sample.manifest.bytes);
}

test('a manifest is read back, at once and after a restart', async (t) => {
  const folder = await temporaryFolder(t);
  const sample = sampleOf('{"a":\n1}\n');
  const store = await openStore(t, folder);
  assert.equal(await store.read(sample.digest), undefined);
  await store.write(sample.digest, sample.manifest);
  await readsBack(store, sample);
  const again = await openStore(t, folder);
  assert.equal(again.readNow(sample.digest), undefined);
  await readsBack(again, sample);
  assert.equal(again.readNow(sample.digest)?.mediaType, MEDIA_TYPE);
  assert.deepEqual(await readdir(join(folder, 'tmp')), []);
});

test('a manifest that does not have the digest is not taken', async (t) => {
  const store = await openStore(t, await temporaryFolder(t));
  const [one, other] = [sampleOf('{}'), sampleOf('[]')];
  await assert.rejects(store.write(one.digest, other.manifest), TypeError);
  assert.equal(await store.read(one.digest), undefined);
});

const DAMAGES: readonly (readonly [string, (path: string) => Promise<void>])[] = [
  ['a flipped bit in the manifest', (path) => flip(path, -1)],
  ['a flipped bit in the media type', (path) => flip(path, 30)],
  ['a flipped bit in the hash of the media type', (path) => flip(path, MEDIA_TYPE.length + 9)],
  ['a lost tail', (path) => truncate(path, 150)],
  ['no line end', (path) => truncate(path, 20)],
  ['nothing', (path) => truncate(path, 0)],
  ['far too much', (path) => writeFile(path, Buffer.alloc(6_000_000), { flag: 'a' })],
];

async function flip(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  const index = at < 0 ? bytes.length + at : at;
  bytes[index] = (bytes[index] ?? 0) ^ 1;
  await writeFile(path, bytes);
}

for (const [name, damage] of DAMAGES) {
  test(`a damaged file is a miss and is removed: ${name}`, async (t) => {
    const folder = await temporaryFolder(t);
    const sample = sampleOf('{"schemaVersion":2,"layers":[]}'.padEnd(300));
    await (await openStore(t, folder)).write(sample.digest, sample.manifest);
    await damage(pathOf(folder, sample.digest));
    const store = await openStore(t, folder);
    assert.equal(await store.read(sample.digest), undefined);
    await assert.rejects(stat(pathOf(folder, sample.digest)));
    await store.write(sample.digest, sample.manifest);
    await readsBack(await openStore(t, folder), sample);
  });
}

test('a disk that takes nothing loses only the copy', async (t) => {
  const folder = join(await temporaryFolder(t), 'file');
  await writeFile(folder, '');
  const store = await openStore(t, folder);
  const sample = sampleOf('{}');
  await store.write(sample.digest, sample.manifest);
  await readsBack(store, sample);
});

test('a media type that is none is kept in memory only', async (t) => {
  const folder = await temporaryFolder(t);
  const sample = sampleOf('{}', 'text/\nplain');
  const store = await openStore(t, folder);
  await store.write(sample.digest, sample.manifest);
  await readsBack(store, sample);
  assert.equal(await (await openStore(t, folder)).read(sample.digest), undefined);
});

test('memory and disk stay within their limits', async (t) => {
  const folder = await temporaryFolder(t);
  const options = { memoryBytes: 5000, maxBytes: 20_000, maxManifestBytes: 4000 };
  const store = await openStore(t, folder, options);
  const samples = Array.from({ length: 10 }, (_, index) => sampleOf(`${index}`.repeat(3000)));
  for (const sample of samples) await store.write(sample.digest, sample.manifest);
  const inMemory = samples.filter((sample) => store.readNow(sample.digest) !== undefined);
  assert.equal(inMemory.length, 1);
  await store.settled();
  const again = await openStore(t, folder, options);
  let kept = 0;
  for (const sample of samples) {
    if ((await again.read(sample.digest)) !== undefined) kept += 1;
  }
  assert.equal(kept, 6);
  const large = sampleOf('x'.repeat(4001));
  await store.write(large.digest, large.manifest);
  assert.equal(await store.read(large.digest), undefined);
});

test('a folder that vanishes under a running process costs the copies only', async (t) => {
  const folder = await temporaryFolder(t);
  const store = await openStore(t, folder, { memoryBytes: 600 });
  const [one, other] = [sampleOf('{"1":1}'), sampleOf('{"2":2}')];
  await store.write(one.digest, one.manifest);
  await store.write(other.digest, other.manifest);
  await rm(join(folder, 'v1'), { recursive: true });
  assert.equal(await store.read(one.digest), undefined);
  await readsBack(store, other);
});
