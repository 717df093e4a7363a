import { setTimeout as sleep } from 'node:timers/promises';
import { requireBytes } from '../check.ts';
import { startPinnace } from '../contender.ts';
import { MANIFEST_ACCEPT } from '../engine.ts';
import { loadFor } from '../load.ts';
import { residentBytesOf } from '../machine.ts';
import { Points } from '../points.ts';
import { type BenchContext, type Outcome, OWN_NAME, type Scenario } from '../scenario.ts';
import { imageOf } from '../site.ts';

const MIB = 1024 ** 2;
const GROWTH = 'memory at the end against half-way';
/** How long memory is looked at after a step. */
const LOOK_MS = 500;

/** A process that has answered very many requests. */
export const manyRequests: Scenario = {
  name: 'many-requests',
  question: 'resident memory after more and more requests for a tag, a manifest and a blob',
  needs: ['wrk'],
  limits: [{ quantity: GROWTH, atMost: 1.1 }],
  run,
};

async function run(context: BenchContext): Promise<Outcome> {
  const { site } = context;
  const image = imageOf('many requests', 1024);
  site.publisher('many/requests').release('1.0', image);
  const digest = image.layers[0]?.digest ?? '';
  const at = '/v2/many/requests';
  const parts = [
    { path: `${at}/manifests/1.0`, digest: image.manifest.digest },
    { path: `${at}/manifests/${image.manifest.digest}`, digest: image.manifest.digest },
    { path: `${at}/blobs/${digest}`, digest },
  ];
  const [steps, stepRequests] = context.isQuick ? [3, 10_000] : [10, 200_000];
  const points = new Points('requests');
  const quantity = { name: 'resident memory', unit: 'MiB' };
  const pinnace = await startPinnace(site);
  try {
    for (const part of parts) await requireBytes(pinnace, part.path, part.digest);
    points.add(quantity, 0, await settledMib(pinnace.pid));
    const folder = await site.folder('load');
    let total = 0;
    for (let step = 1; step <= steps; step += 1) {
      context.say(`${step * stepRequests} requests`);
      while (total < step * stepRequests) {
        const load = await loadFor({
          url: pinnace.url,
          paths: parts.map(({ path }) => path),
          connections: 32,
          seconds: context.seconds,
          headers: { Accept: MANIFEST_ACCEPT },
          folder,
        });
        total += load.requests;
      }
      points.add(quantity, step * stepRequests, await settledMib(pinnace.pid));
    }
    for (const part of parts) await requireBytes(pinnace, part.path, part.digest);
    return outcomeOf(points);
  } finally {
    await pinnace.stop();
  }
}

function outcomeOf({ figures, curves }: Points): Outcome {
  const seen = curves[0]?.points ?? [];
  const half = seen[Math.floor(seen.length / 2)]?.y.median ?? 0;
  const end = seen.at(-1)?.y.median ?? 0;
  const ratio = { quantity: GROWTH, unit: 'times', isMoreBetter: false, samples: [end / half] };
  return {
    figures: [...figures, { contender: OWN_NAME, ...ratio }],
    curves,
    checked: ['no request failed; tag, manifest and blob have their digests before and after'],
  };
}

/** The least memory seen in a moment of rest. */
async function settledMib(pid: number): Promise<number> {
  let least = residentBytesOf(pid);
  const end = performance.now() + LOOK_MS;
  while (performance.now() < end) {
    await sleep(50);
    least = Math.min(least, residentBytesOf(pid));
  }
  return least / MIB;
}
