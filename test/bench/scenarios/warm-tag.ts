import { requireBytes, requireHead, requireRefusal } from '../check.ts';
import { type Contender, type PinnaceRun, startPinnace } from '../contender.ts';
import { MANIFEST_ACCEPT } from '../engine.ts';
import type { Figure } from '../figure.ts';
import { startBare, startPeers } from '../peers.ts';
import type { BenchContext, Outcome, Scenario } from '../scenario.ts';
import { imageOf, type Site } from '../site.ts';
import { takeTurns } from '../turns.ts';

const REPOSITORY = 'warm/tag';
const PATH = `/v2/${REPOSITORY}/manifests/1.0`;
const HEADERS = { Accept: MANIFEST_ACCEPT };

/** One way to ask, in the order in which they are measured. */
interface Asking {
  readonly method: 'GET' | 'HEAD';
  readonly connections: number;
}

const ALL_ASKINGS: readonly Asking[] = [
  { method: 'GET', connections: 32 },
  { method: 'HEAD', connections: 32 },
  { method: 'GET', connections: 1 },
  { method: 'GET', connections: 256 },
  { method: 'HEAD', connections: 1 },
  { method: 'HEAD', connections: 256 },
];

/** How many of them when there is little time. */
const QUICK_ASKINGS = 2;

/** A verified tag at hand: what every pull but the first costs. */
export const warmTag: Scenario = {
  name: 'warm-tag',
  question: 'manifest by tag, verified and at hand',
  needs: ['wrk'],
  peers: ['nginx', 'registry'],
  budgets: [
    { quantity: '32 connections, rate', peer: 'docker-registry', atLeast: 100 },
    { quantity: '32 connections, rate', peer: 'nginx', atLeast: 0.5 },
    { quantity: '32 connections, rate', peer: 'node:http', atLeast: 0.8 },
  ],
  limits: [{ quantity: '32 connections, p99', atMost: 5 }],
  run: (context) => run(context, { requestLog: false, askings: ALL_ASKINGS }),
};

/** The same with a line in the request log for each. */
export const warmTagLogged: Scenario = {
  name: 'warm-tag-logged',
  question:
    'manifest by tag, verified and at hand, each request logged to a file, by the peers too',
  needs: ['wrk'],
  peers: ['nginx', 'registry'],
  limits: [{ quantity: '32 connections, p99', atMost: 5 }],
  run: (context) => run(context, { requestLog: true, askings: ALL_ASKINGS.slice(0, 1) }),
};

async function run(
  context: BenchContext,
  options: { readonly requestLog: boolean; readonly askings: readonly Asking[] },
): Promise<Outcome> {
  const { site } = context;
  const { requestLog } = options;
  const image = imageOf('warm', 1024);
  const { digest } = image.manifest;
  site.publisher(REPOSITORY).release('1.0', image);
  const pinnace = await startPinnace(site, options);
  const peers = await startPeers(context, options);
  const bare = await startBare(site, `${pinnace.url}${PATH}`, options);
  const all: readonly Contender[] = [pinnace, ...peers, bare];
  try {
    await requireVerification(site, pinnace, digest);
    const figures: Figure[] = [];
    for (const asking of context.isQuick
      ? options.askings.slice(0, QUICK_ASKINGS)
      : options.askings) {
      const { method, connections } = asking;
      const label = labelOf(asking);
      context.say(label);
      const isFirst = figures.length === 0;
      const taken = await takeTurns(context, all, {
        label,
        load: { paths: [PATH], connections, headers: HEADERS, method },
        isWarm: !isFirst,
        warmsUpLong: true,
        ...(context.isQuick && (!isFirst || requestLog) ? { rounds: 1 } : {}),
        check: async (each) =>
          await (method === 'HEAD' ? requireHead : requireBytes)(each, PATH, digest),
      });
      figures.push(...taken);
    }
    return {
      figures,
      checked: [
        'every contender sends the signed digest, before and after each of its turns',
        'Pinnace serves the signed digest while the registry says another, and refuses an unsigned tag',
        'no request failed',
      ],
    };
  } finally {
    for (const each of all) await each.stop();
  }
}

/** The registry's word must not count any more: what Pinnace serves is what was signed. */
async function requireVerification(site: Site, pinnace: PinnaceRun, digest: string): Promise<void> {
  const other = imageOf('moved', 1024);
  site.registry.push(REPOSITORY, other, 'unsigned');
  await requireBytes(pinnace, PATH, digest);
  site.registry.moveTag(REPOSITORY, '1.0', other.manifest.digest);
  await requireBytes(pinnace, PATH, digest);
  await requireRefusal(pinnace, `/v2/${REPOSITORY}/manifests/unsigned`);
  site.registry.moveTag(REPOSITORY, '1.0', digest);
}

function labelOf({ method, connections }: Asking): string {
  const count = connections === 1 ? '1 connection' : `${connections} connections`;
  return method === 'GET' ? count : `HEAD, ${count}`;
}
