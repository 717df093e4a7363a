import { get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { requireBytes } from '../check.ts';
import { type PinnaceRun, startPinnace } from '../contender.ts';
import { readMetrics } from '../exposition.ts';
import type { Figure } from '../figure.ts';
import { residentBytesOf } from '../machine.ts';
import { type BenchContext, type Outcome, OWN_NAME, type Scenario } from '../scenario.ts';
import { imageOf } from '../site.ts';

const MIB = 1024 ** 2;
const CLIENTS = 200;
const BLOB_BYTES = 64 * MIB;
/** What a streaming client takes at a time before it pauses. */
const PAUSE_MS = 20;
const MOST = 'most while streaming';
const HELD = 'event loop held, longest while streaming';

/** Memory while many clients stream, and for how long the event loop is held meanwhile. */
export const memory: Scenario = {
  name: 'memory',
  question: `resident memory with ${CLIENTS} clients that stream blobs of 64 MiB slowly`,
  needs: [],
  limits: [
    { quantity: MOST, atMost: 200 },
    { quantity: HELD, atMost: 10 },
  ],
  run,
};

async function run(context: BenchContext): Promise<Outcome> {
  const { site } = context;
  const images = [0, 1, 2, 3].map((each) => imageOf(`memory ${each}`, BLOB_BYTES));
  const publisher = site.publisher('memory/images');
  for (const [index, image] of images.entries()) publisher.release(`v${index}`, image);
  const pinnace = await startPinnace(site, { maxAge: '1h' });
  try {
    for (const [index, image] of images.entries()) {
      const digest = image.layers[0]?.digest ?? '';
      await requireBytes(pinnace, `/v2/memory/images/manifests/v${index}`, image.manifest.digest);
      await requireBytes(pinnace, `/v2/memory/images/blobs/${digest}`, digest);
    }
    const before = residentBytesOf(pinnace.pid) / MIB;
    context.say(`${CLIENTS} streaming clients`);
    const paths = images.map((image) => `/v2/memory/images/blobs/${image.layers[0]?.digest}`);
    const streaming = await whileStreaming(pinnace, paths, context.isQuick ? 2_000 : 15_000);
    return {
      figures: [
        one('before', 'MiB', before),
        one(MOST, 'MiB', streaming.mostMib),
        one(HELD, 'ms', streaming.heldMs),
      ],
      checked: [`${CLIENTS} clients were served at the same time`],
    };
  } finally {
    await pinnace.stop();
  }
}

/** The most memory and the longest hold seen while clients take 64 KiB at a time. */
async function whileStreaming(
  pinnace: PinnaceRun,
  paths: readonly string[],
  forMs: number,
): Promise<{ readonly mostMib: number; readonly heldMs: number }> {
  const stop = new AbortController();
  const started: Promise<void>[] = [];
  for (let client = 0; client < CLIENTS; client += 1) {
    started.push(streamSlowly(`${pinnace.url}${paths[client % paths.length]}`, stop.signal));
  }
  await Promise.all(started);
  // What is told is since the last time it was asked for.
  await readMetrics(pinnace.adminUrl);
  let most = 0;
  const end = performance.now() + forMs;
  while (performance.now() < end) {
    most = Math.max(most, residentBytesOf(pinnace.pid));
    await sleep(100);
  }
  const metrics = await readMetrics(pinnace.adminUrl);
  stop.abort();
  const heldSeconds = metrics.get('pinnace_event_loop_delay_seconds{quantile="1"}');
  if (heldSeconds === undefined) throw new Error('nothing was seen of the event loop');
  return { mostMib: most / MIB, heldMs: heldSeconds * 1000 };
}

/** Begins a slow download; resolves with its first byte. */
function streamSlowly(url: string, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const outgoing = get(url, { agent: false }, (incoming) => {
    if (incoming.statusCode !== 200) reject(new Error(`${url}: ${incoming.statusCode}`));
    incoming.on('data', () => {
      resolve();
      incoming.pause();
      setTimeout(() => incoming.resume(), PAUSE_MS).unref();
    });
    incoming.on('error', () => undefined);
  });
  outgoing.on('error', reject);
  signal.addEventListener('abort', () => outgoing.destroy());
  return promise;
}

function one(quantity: string, unit: string, value: number): Figure {
  return { contender: OWN_NAME, quantity, unit, isMoreBetter: false, samples: [value] };
}
