import { requireBytes } from '../check.ts';
import { download } from '../client.ts';
import { type Contender, startNginx, startPinnace, startRegistry } from '../contender.ts';
import { MANIFEST_ACCEPT } from '../engine.ts';
import { lookInTurns } from '../samples.ts';
import type { BenchContext, Outcome, Scenario } from '../scenario.ts';
import { imageOf } from '../site.ts';

const BLOB_BYTES = 64 * 1024 ** 2;

/** A large blob that nobody has yet: read, hashed, stored and sent at once. */
export const coldBlob: Scenario = {
  name: 'cold-blob',
  question: '64 MiB blob that is not in the cache yet, against asking the upstream directly',
  needs: ['nginx', 'registry'],
  budgets: [{ quantity: 'whole blob', peer: 'upstream', atLeast: 0.6 }],
  run: runColdBlob,
};

/** A tag of a repository never seen before. */
export const coldTag: Scenario = {
  name: 'cold-tag',
  question:
    'manifest by tag of a repository never seen before: root, timestamp, snapshot, targets, manifest',
  needs: ['nginx', 'registry'],
  limits: [{ quantity: 'metadata requests', atMost: 6 }],
  run: runColdTag,
};

async function runColdBlob(context: BenchContext): Promise<Outcome> {
  const { site } = context;
  const publisher = site.publisher('cold/blob');
  const images = Array.from({ length: context.rounds }, (_, round) =>
    imageOf(`cold ${round}`, BLOB_BYTES),
  );
  for (const [round, image] of images.entries()) publisher.release(`r${round}`, image);
  const peers = [await startNginx(site), await startRegistry(site)];
  const pinnace = await startPinnace(site);
  const upstream = { name: 'upstream', url: site.registry.url };
  const digestOf = (round: number): string => images[round]?.layers[0]?.digest ?? '';
  const pathOf = (round: number): string => `/v2/cold/blob/blobs/${digestOf(round)}`;
  try {
    const figures = await lookInTurns(context, [pinnace, upstream, ...peers], {
      quantities: [
        { name: 'whole blob', unit: 's' },
        { name: 'first byte', unit: 's' },
      ],
      async prepare(round) {
        context.say(`blob ${round + 1} of ${context.rounds}`);
        const digest = images[round]?.manifest.digest ?? '';
        await requireBytes(pinnace, `/v2/cold/blob/manifests/r${round}`, digest);
      },
      async look({ url }, round) {
        const { totalSeconds, firstByteSeconds } = await download(`${url}${pathOf(round)}`);
        return { 'whole blob': totalSeconds, 'first byte': firstByteSeconds };
      },
    });
    for (const each of [pinnace, ...peers]) await requireBytes(each, pathOf(0), digestOf(0));
    return { figures, checked: ['what was kept has the digest'] };
  } finally {
    for (const each of [pinnace, ...peers]) await each.stop();
  }
}

async function runColdTag(context: BenchContext): Promise<Outcome> {
  const { site } = context;
  const peers = [await startNginx(site), await startRegistry(site)];
  const pinnace = await startPinnace(site);
  const all: readonly Contender[] = [pinnace, ...peers];
  const rounds = context.rounds * 10;
  let digest = '';
  try {
    const figures = await lookInTurns({ ...context, rounds }, all, {
      quantities: [
        { name: 'first answer', unit: 'ms' },
        { name: 'metadata requests', unit: 'requests' },
      ],
      async prepare(round) {
        const image = imageOf(`cold ${round}`, 1024);
        site.publisher(`cold/tag-${round}`).release('1.0', image);
        digest = image.manifest.digest;
      },
      async look(each, round) {
        site.forgetRequests();
        const url = `${each.url}/v2/cold/tag-${round}/manifests/1.0`;
        const begin = performance.now();
        const response = await fetch(url, { headers: { accept: MANIFEST_ACCEPT } });
        await response.arrayBuffer();
        const took = performance.now() - begin;
        const got = response.headers.get('docker-content-digest');
        if (got !== digest) throw new Error(`${each.name}: ${got} instead of ${digest}`);
        return { 'first answer': took, 'metadata requests': site.notary.requests.length };
      },
    });
    const answered = figures.filter(
      ({ contender, quantity }) => contender === 'pinnace' || quantity !== 'metadata requests',
    );
    return { figures: answered, checked: ['every first answer is the signed digest'] };
  } finally {
    for (const each of all) await each.stop();
  }
}
