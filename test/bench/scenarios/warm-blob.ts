import { requireBytes } from '../check.ts';
import { type Contender, startNginx, startPinnace, startRegistry } from '../contender.ts';
import type { Figure } from '../figure.ts';
import type { BenchContext, Outcome, Scenario } from '../scenario.ts';
import { imageOf } from '../site.ts';
import { takeTurns } from '../turns.ts';

const KIB = 1024;
const MIB = 1024 ** 2;
const SIZES = [
  { name: '1 kB', bytes: KIB, connections: 32 },
  { name: '1 MiB', bytes: MIB, connections: 8 },
  { name: '64 MiB', bytes: 64 * MIB, connections: 4 },
] as const;
/** What a client asks that goes on with a broken download: the last MiB of the largest. */
const RANGE = `bytes=${63 * MIB}-${64 * MIB - 1}`;

/** Blobs that are in the cache. */
export const warmBlob: Scenario = {
  name: 'warm-blob',
  question: 'blob that is in the cache',
  needs: ['wrk', 'nginx', 'registry'],
  budgets: [{ quantity: '64 MiB, rate', peer: 'nginx', atLeast: 1 }],
  run,
};

async function run(context: BenchContext): Promise<Outcome> {
  const { site } = context;
  const publisher = site.publisher('warm/blob');
  const images = SIZES.map((size) => ({ ...size, image: imageOf(size.name, size.bytes) }));
  for (const [index, { image }] of images.entries()) publisher.release(`v${index}`, image);
  const peers: Contender[] = [await startNginx(site), await startRegistry(site)];
  const pinnace = await startPinnace(site);
  const all = [pinnace, ...peers];
  try {
    const figures: Figure[] = [];
    for (const [index, { name, bytes, connections, image }] of images.entries()) {
      const digest = image.layers[0]?.digest ?? '';
      const path = `/v2/warm/blob/blobs/${digest}`;
      await requireBytes(pinnace, `/v2/warm/blob/manifests/v${index}`, image.manifest.digest);
      for (const each of all) await requireBytes(each, path, digest);
      context.say(name);
      const load = { paths: [path], connections };
      figures.push(
        ...(await takeTurns(context, all, {
          label: name,
          load,
          bodyBytes: bytes,
          isWarm: index > 0,
        })),
      );
      for (const each of all) await requireBytes(each, path, digest);
      if (bytes === 64 * MIB) {
        context.say('ranges');
        const ranged = { ...load, headers: { Range: RANGE } };
        const label = 'last MiB of 64';
        figures.push(
          ...(await takeTurns(context, all, { label, load: ranged, bodyBytes: MIB, isWarm: true })),
        );
      }
    }
    return {
      figures,
      checked: ['every contender sends the bytes of the digest, before and after'],
    };
  } finally {
    for (const each of all) await each.stop();
  }
}
