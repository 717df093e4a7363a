import { requireBytes } from '../check.ts';
import { type Contender, startPinnace } from '../contender.ts';
import { MANIFEST_ACCEPT } from '../engine.ts';
import type { Figure } from '../figure.ts';
import type { BenchContext, Outcome, Scenario } from '../scenario.ts';
import { imageOf } from '../site.ts';
import { takeTurns } from '../turns.ts';

const REPOSITORY = 'workers/image';
const AT = `/v2/${REPOSITORY}`;
const BLOB_BYTES = 1024 ** 2;
const ONE = 'one worker';
const HEADERS = { Accept: MANIFEST_ACCEPT };

/** Several processes that serve, beside one. The load generator has no core of its own here, so the rate says little. */
export const workers: Scenario = {
  name: 'workers',
  question:
    'workers: 2 beside workers: 1, both free to use every core; the load generator shares one of them, so compare per CPU second',
  needs: ['wrk'],
  budgets: [
    { quantity: 'tag, per CPU second', peer: ONE, atLeast: 0.9 },
    { quantity: '1 MiB blob, per CPU second', peer: ONE, atLeast: 0.9 },
  ],
  run,
};

async function run(context: BenchContext): Promise<Outcome> {
  const { site } = context;
  const image = imageOf('workers', BLOB_BYTES);
  site.publisher(REPOSITORY).release('1.0', image);
  const blob = image.layers[0]?.digest ?? '';
  const two = await startPinnace(site, { core: 'all', more: { workers: 2 } });
  const one = await startPinnace(site, { core: 'all', more: { workers: 1 } });
  const all: readonly Contender[] = [two, { ...one, name: ONE }];
  const works = [
    { label: 'tag', path: `${AT}/manifests/1.0`, digest: image.manifest.digest, connections: 64 },
    { label: '1 MiB blob', path: `${AT}/blobs/${blob}`, digest: blob, connections: 16 },
  ];
  try {
    const figures: Figure[] = [];
    for (const { label, path, digest, connections } of context.isQuick
      ? works.slice(0, 1)
      : works) {
      context.say(label);
      const taken = await takeTurns(context, all, {
        label,
        load: { paths: [path], connections, headers: HEADERS },
        ...(path.includes('/blobs/') ? { bodyBytes: BLOB_BYTES } : {}),
        check: async (each) => await requireBytes(each, path, digest),
      });
      figures.push(...taken);
    }
    return { figures, checked: ['both send the signed digest before and after each turn'] };
  } finally {
    for (const each of all) await each.stop();
  }
}
