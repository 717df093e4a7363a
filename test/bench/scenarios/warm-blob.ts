import { requireBytes, requireRange } from '../check.ts';
import { type Contender, startPinnace } from '../contender.ts';
import type { Figure } from '../figure.ts';
import { startPeers } from '../peers.ts';
import type { BenchContext, Outcome, Scenario } from '../scenario.ts';
import { digestOf, imageOf } from '../site.ts';
import { type Turn, takeTurns } from '../turns.ts';

const KIB = 1024;
const MIB = 1024 ** 2;
const SIZES = [
  { label: '1 kB', bytes: KIB, connections: 32 },
  { label: '1 MiB', bytes: MIB, connections: 8 },
  { label: '64 MiB', bytes: 64 * MIB, connections: 4 },
] as const;
/** What a client asks that goes on with a broken download, or fetches parts side by side: one MiB in the middle. */
const RANGE = { first: 32 * MIB, last: 33 * MIB - 1 } as const;

/** Blobs that are in the cache. */
export const warmBlob: Scenario = {
  name: 'warm-blob',
  question: 'blob that is in the cache, whole and in part',
  needs: ['wrk'],
  peers: ['nginx', 'registry'],
  budgets: [{ quantity: '64 MiB, rate', peer: 'nginx', atLeast: 1 }],
  run,
};

async function run(context: BenchContext): Promise<Outcome> {
  const { site } = context;
  const publisher = site.publisher('warm/blob');
  const sizes = context.isQuick ? SIZES.filter(({ bytes }) => bytes !== MIB) : SIZES;
  const images = sizes.map((size) => ({ ...size, image: imageOf(size.label, size.bytes) }));
  for (const [index, { image }] of images.entries()) publisher.release(`v${index}`, image);
  const pinnace = await startPinnace(site);
  const all: readonly Contender[] = [pinnace, ...(await startPeers(context))];
  try {
    const figures: Figure[] = [];
    for (const [index, { label, bytes, connections, image }] of images.entries()) {
      const { bytes: layer = Buffer.alloc(0), digest = '' } = image.layers[0] ?? {};
      const path = `/v2/warm/blob/blobs/${digest}`;
      await requireBytes(pinnace, `/v2/warm/blob/manifests/v${index}`, image.manifest.digest);
      const turn: Turn = {
        label,
        load: { paths: [path], connections },
        bodyBytes: bytes,
        isWarm: index > 0,
        ...(context.isQuick ? { rounds: 1 } : {}),
        check: async (each) => await requireBytes(each, path, digest),
      };
      context.say(label);
      figures.push(...(await takeTurns(context, all, turn)));
      if (bytes <= RANGE.last) continue;
      context.say('ranges');
      figures.push(...(await takeTurns(context, all, rangesOf(turn, path, layer))));
    }
    return {
      figures,
      checked: ['every contender sends the right bytes, before and after each of its turns'],
    };
  } finally {
    for (const each of all) await each.stop();
  }
}

function rangesOf(turn: Turn, path: string, layer: Buffer): Turn {
  const { first, last } = RANGE;
  const range = { first, last, digest: digestOf(layer.subarray(first, last + 1)) };
  return {
    ...turn,
    label: '1 MiB in the middle of 64',
    load: { ...turn.load, headers: { Range: `bytes=${first}-${last}` } },
    bodyBytes: last + 1 - first,
    isWarm: true,
    check: async (each) => await requireRange(each, path, range),
  };
}
