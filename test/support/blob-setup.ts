import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Clock } from '../../src/base/clock.ts';
import type { Repository } from '../../src/oci/names.ts';
import { JoinedBlobs, type JoinedBlobsOptions } from '../../src/resolve/blob-joined.ts';
import { ByteBudget } from '../../src/resolve/byte-budget.ts';
import { DownloadPlaces } from '../../src/resolve/download-places.ts';
import { UpstreamError } from '../../src/resolve/errors.ts';
import { DiskContentStore } from '../../src/store/content-store.ts';
import {
  beforeRemoval,
  chunksOf,
  repositoryOf,
  type Sample,
  ScriptedUpstream,
  TestSink,
  temporaryFolder,
} from './blob-doubles.ts';
import { FakeClock } from './fake-clock.ts';

/** The repository that `fetchWhole` asks for unless told otherwise. */
export const TEAM: Repository = repositoryOf('team/app');

/** Joined blobs over a real store in a folder of their own. */
export interface BlobSetup {
  readonly blobs: JoinedBlobs;
  readonly store: DiskContentStore;
  readonly clock: FakeClock;
  readonly folder: string;
  readonly counts: { joined: number; reads: number; inFlight: number };
}

/** Limits that no test reaches without meaning to. */
export function roomy(clock: Clock): Pick<JoinedBlobsOptions, 'places' | 'budget'> {
  const waiting = { most: 1_000, waitMs: 10_000 };
  return {
    places: new DownloadPlaces(clock, { blobs: 1_000, waiting, hasOneUpstream: true }),
    budget: new ByteBudget(clock, { bufferedBytes: 2 ** 28, waiting }),
  };
}

/** Sets up blobs and counters; all is stopped when the test ends. */
export async function setUp(
  context: TestContext,
  upstream: ScriptedUpstream,
  options: Partial<JoinedBlobsOptions> = {},
): Promise<BlobSetup> {
  const folder = await temporaryFolder(context);
  const clock = new FakeClock(new Date());
  const store = new DiskContentStore({ folder, maxBytes: 1e9, clock });
  await store.start();
  const counts = { joined: 0, reads: 0, inFlight: 0 };
  const blobs = new JoinedBlobs({
    ...{ store, upstream, clock, ...roomy(clock) },
    events: {
      joined: () => {
        counts.joined += 1;
      },
      upstreamRead: () => {
        counts.reads += 1;
      },
      inFlight: (count) => {
        counts.inFlight = count;
      },
    },
    ...options,
  });
  beforeRemoval(context, async () => {
    await blobs.stop();
    await store.close();
  });
  return { blobs, store, clock, folder, counts };
}

/** An upstream that answers every request with the whole of `sample` at once. */
export function servesAtOnce(sample: Sample, chunkBytes = 16_384): ScriptedUpstream {
  return new ScriptedUpstream((reply) => reply.push(...chunksOf(sample.bytes, chunkBytes), 'end'));
}

/** Opens a blob, sends all of it to a sink, and closes it. */
export async function fetchWhole(
  setup: BlobSetup,
  sample: Sample,
  repository = TEAM,
): Promise<TestSink> {
  const content = await setup.blobs.open(repository, sample, {});
  const sink = new TestSink();
  try {
    await content.send(sink, { start: 0, end: content.size });
    await sink.received(content.size);
    return sink;
  } finally {
    content.close();
  }
}

/** Resolves when the store has the blob. */
export async function stored(setup: BlobSetup, sample: Sample): Promise<void> {
  // The commit follows the last byte by a moment; only the events of the disk are waited for.
  while (!setup.store.has(sample.digest)) await new Promise((resolve) => setImmediate(resolve));
}

/** Expects an `UpstreamError` with this code. */
export function rejectsWith(promise: Promise<unknown>, code: UpstreamError['code']): Promise<void> {
  return assert.rejects(promise, (error) => error instanceof UpstreamError && error.code === code);
}
