import { Agent } from 'node:http';
import { fetchOver } from '../client.ts';
import { type Contender, startPinnace } from '../contender.ts';
import { startPeers } from '../peers.ts';
import { lookInTurns } from '../samples.ts';
import { type BenchContext, type Outcome, OWN_NAME, type Scenario } from '../scenario.ts';
import { imageOf, type Site } from '../site.ts';

const ENGINES = 500;
const LAYER_BYTES = 256 * 1024;

/** Every node of a cluster at once, for an image that nobody has yet. */
export const crowd: Scenario = {
  name: 'crowd',
  question: `${ENGINES} engines at once on one cold image: manifest, config and a layer of 256 KiB each`,
  needs: [],
  peers: ['nginx', 'registry'],
  limits: [
    { quantity: 'upstream reads of the busiest object', atMost: 1 },
    { quantity: 'metadata requests', atMost: 6 },
  ],
  run,
};

async function run(context: BenchContext): Promise<Outcome> {
  const { site } = context;
  const pinnace = await startPinnace(site);
  const peers = await startPeers(context);
  const all: readonly Contender[] = [pinnace, ...peers];
  const rounds = context.isQuick ? 1 : 3;
  try {
    const figures = await lookInTurns({ ...context, rounds }, all, {
      quantities: [
        { name: 'all served', unit: 's' },
        { name: 'upstream reads of the busiest object', unit: 'reads' },
        { name: 'metadata requests', unit: 'requests' },
      ],
      async look(contender, round) {
        context.say(`${contender.name}, round ${round + 1}`);
        return await oneCrowd(site, contender, round);
      },
    });
    return { figures, checked: ['every engine got the bytes of every digest'] };
  } finally {
    for (const each of all) await each.stop();
  }
}

async function oneCrowd(
  site: Site,
  { name, url }: Pick<Contender, 'name' | 'url'>,
  round: number,
): Promise<Record<string, number>> {
  const repository = `crowd/${name.replace(/\W/g, '')}-${round}`;
  const image = imageOf(`${name} ${round}`, LAYER_BYTES);
  site.publisher(repository).release('1.0', image);
  site.forgetRequests();
  const agent = new Agent({ keepAlive: true, maxSockets: ENGINES });
  const begin = performance.now();
  const engine = async (): Promise<void> => {
    const parts = [
      { path: 'manifests/1.0', digest: image.manifest.digest },
      { path: `blobs/${image.config.digest}`, digest: image.config.digest },
      ...image.layers.map(({ digest }) => ({ path: `blobs/${digest}`, digest })),
    ];
    for (const { path, digest } of parts) {
      const got = await fetchOver(agent, `${url}/v2/${repository}/${path}`);
      if (got.digest !== digest) throw new Error(`${name}: ${path} came as ${got.digest}`);
    }
  };
  await Promise.all(Array.from({ length: ENGINES }, engine));
  const took = (performance.now() - begin) / 1000;
  agent.destroy();
  return {
    'all served': took,
    'upstream reads of the busiest object': busiest(site),
    ...(name === OWN_NAME ? { 'metadata requests': site.notary.requests.length } : {}),
  };
}

/** How often the upstream had to send the object that it had to send most often. */
function busiest(site: Site): number {
  const reads = new Map<string, number>();
  for (const { method, path } of site.registry.requests) {
    if (method === 'GET' && path !== '/v2/') reads.set(path, (reads.get(path) ?? 0) + 1);
  }
  return Math.max(0, ...reads.values());
}
