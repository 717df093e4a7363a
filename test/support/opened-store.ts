import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Digest } from '../../src/oci/digest.ts';
import { ContentCheck } from '../../src/resolve/blob-check.ts';
import type { ContentStore, StoredContent } from '../../src/resolve/blob-ports.ts';
import { DiskContentStore, type DiskContentStoreOptions } from '../../src/store/content-store.ts';
import { beforeRemoval, type Sample } from './blob-doubles.ts';
import { FakeClock } from './fake-clock.ts';

/** Counts what a content store tells. */
class Counts {
  hits = 0;
  misses = 0;
  evictedBytes = 0;
  failedWrites = 0;
  corruptEntries = 0;
  total = 0;
  hit(): void {
    this.hits += 1;
  }
  miss(): void {
    this.misses += 1;
  }
  evicted(bytes: number): void {
    this.evictedBytes += bytes;
  }
  writeFailed(): void {
    this.failedWrites += 1;
  }
  corrupt(): void {
    this.corruptEntries += 1;
  }
  bytes(total: number): void {
    this.total = total;
  }
}

/** A store with what it counted. */
export interface Opened {
  readonly store: DiskContentStore;
  readonly counts: Counts;
  readonly clock: FakeClock;
}

/** Opens a store and waits until it knows what is there; it is closed before the folder goes. */
export async function openStore(
  context: TestContext,
  folder: string,
  options: Partial<DiskContentStoreOptions> = {},
): Promise<Opened> {
  const counts = new Counts();
  const clock = new FakeClock(new Date());
  const store = new DiskContentStore({ folder, maxBytes: 1e9, clock, events: counts, ...options });
  await store.start();
  await store.indexed;
  beforeRemoval(context, () => store.close());
  return { store, counts, clock };
}

/** Stores content; false when the store does not keep it. */
export async function put(
  store: ContentStore,
  sample: Sample,
  bytes = sample.bytes,
): Promise<boolean> {
  const writer = await store.create(sample.digest, sample.size);
  const check = new ContentCheck(sample.digest, sample.size);
  check.accept(bytes);
  await writer.append([bytes.subarray(0, 10), bytes.subarray(10)]);
  const isKept = await writer.commit(check);
  await writer.close();
  return isKept;
}

/** Reads content to its end and closes it. */
export async function bytesOf(content: StoredContent | undefined): Promise<Buffer | undefined> {
  if (content === undefined) return undefined;
  const buffer = Buffer.alloc(content.size);
  let position = 0;
  for (;;) {
    const count = await content.read(buffer.subarray(position), position);
    if (count === 0) break;
    position += count;
  }
  content.close();
  return buffer.subarray(0, position);
}

/** Where a store has the content with this digest. */
export function pathOf(folder: string, digest: Digest): string {
  const hex = digest.slice('sha256:'.length);
  return join(folder, 'v1', 'sha256', hex.slice(0, 2), hex);
}
