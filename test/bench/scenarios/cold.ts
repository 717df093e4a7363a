import { requireBytes } from '../check.ts';
import { download } from '../client.ts';
import { type Contender, startPinnace } from '../contender.ts';
import { MANIFEST_ACCEPT } from '../engine.ts';
import type { Figure } from '../figure.ts';
import { cpuSecondsOf } from '../machine.ts';
import { startPeers } from '../peers.ts';
import { lookInTurns } from '../samples.ts';
import { type BenchContext, type Outcome, OWN_NAME, type Scenario } from '../scenario.ts';
import { imageOf } from '../site.ts';

const BLOB_BYTES = 64 * 1024 ** 2;
/** Blobs fetched before those that count: this path is compiled while it runs. */
const WARM_UPS = { quick: 2, whole: 6 };
const FIRST_BYTE = 'first byte';
const LATER = "first byte after the upstream's";

/** A large blob that nobody has yet: read, hashed, stored and sent at once. */
export const coldBlob: Scenario = {
  name: 'cold-blob',
  question: '64 MiB blob that is not in the cache yet, against asking the upstream directly',
  needs: ['curl'],
  peers: ['nginx', 'registry'],
  budgets: [{ quantity: 'whole blob', peer: 'upstream', atLeast: 0.6 }],
  limits: [{ quantity: LATER, atMost: 20 }],
  run: runColdBlob,
};

/** A tag of a repository never seen before. */
export const coldTag: Scenario = {
  name: 'cold-tag',
  question:
    'manifest by tag of a repository never seen before: root, timestamp, snapshot, targets, manifest',
  needs: [],
  peers: ['nginx', 'registry'],
  limits: [{ quantity: 'metadata requests', atMost: 6 }],
  run: runColdTag,
};

async function runColdBlob(context: BenchContext): Promise<Outcome> {
  const { site } = context;
  const publisher = site.publisher('cold/blob');
  const images = Array.from({ length: context.rounds }, (_, round) =>
    imageOf(`cold ${round}`, BLOB_BYTES),
  );
  const warmUps = context.isQuick ? WARM_UPS.quick : WARM_UPS.whole;
  const others = Array.from({ length: warmUps }, (_, n) => imageOf(`other ${n}`, BLOB_BYTES));
  for (const [round, image] of images.entries()) publisher.release(`r${round}`, image);
  for (const [n, image] of others.entries()) publisher.release(`o${n}`, image);
  const pinnace = await startPinnace(site);
  const peers = await startPeers(context);
  const running: readonly Contender[] = [pinnace, ...peers];
  const upstream = { name: 'upstream', url: site.registry.url };
  const digestOf = (round: number): string => images[round]?.layers[0]?.digest ?? '';
  const pathOf = (round: number): string => `/v2/cold/blob/blobs/${digestOf(round)}`;
  try {
    for (const [n, { manifest, layers }] of others.entries()) {
      await requireBytes(pinnace, `/v2/cold/blob/manifests/o${n}`, manifest.digest);
      const layer = layers[0]?.digest ?? '';
      await requireBytes(pinnace, `/v2/cold/blob/blobs/${layer}`, layer);
    }
    const figures = await lookInTurns(context, [pinnace, upstream, ...peers], {
      quantities: [
        { name: 'whole blob', unit: 's' },
        { name: FIRST_BYTE, unit: 's' },
        { name: 'processor time', unit: 's' },
      ],
      async prepare(round) {
        context.say(`blob ${round + 1} of ${context.rounds}`);
        const digest = images[round]?.manifest.digest ?? '';
        await requireBytes(pinnace, `/v2/cold/blob/manifests/r${round}`, digest);
      },
      async look(each, round) {
        const pid = running.find(({ name }) => name === each.name)?.pid;
        const before = pid === undefined ? 0 : cpuSecondsOf(pid);
        const { totalSeconds, firstByteSeconds } = await download(
          `${each.url}${pathOf(round)}`,
          BLOB_BYTES,
        );
        const cpu = pid === undefined ? {} : { 'processor time': cpuSecondsOf(pid) - before };
        await requireBytes(each, pathOf(round), digestOf(round));
        return { 'whole blob': totalSeconds, [FIRST_BYTE]: firstByteSeconds, ...cpu };
      },
    });
    const checked = ['every download is whole, and what was kept of it has the digest'];
    return { figures: [...figures, ...laterFirstByte(figures)], checked };
  } finally {
    for (const each of running) await each.stop();
  }
}

/** How much later than the upstream Pinnace sends its first byte, round by round. */
function laterFirstByte(figures: readonly Figure[]): readonly Figure[] {
  const samplesOf = (name: string): readonly number[] =>
    figures.find(({ contender, quantity }) => contender === name && quantity === FIRST_BYTE)
      ?.samples ?? [];
  const upstream = samplesOf('upstream');
  const samples = samplesOf(OWN_NAME).flatMap((own, round) => {
    const direct = upstream[round];
    return direct === undefined ? [] : [Math.max(0, own - direct) * 1000];
  });
  if (samples.length === 0) return [];
  return [{ contender: OWN_NAME, quantity: LATER, unit: 'ms', isMoreBetter: false, samples }];
}

async function runColdTag(context: BenchContext): Promise<Outcome> {
  const { site } = context;
  const pinnace = await startPinnace(site);
  const peers = await startPeers(context);
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
        const asked = site.notary.requests.length;
        return {
          'first answer': took,
          ...(each.name === OWN_NAME ? { 'metadata requests': asked } : {}),
        };
      },
    });
    return { figures, checked: ['every first answer is the signed digest'] };
  } finally {
    for (const each of all) await each.stop();
  }
}
