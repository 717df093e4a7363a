import { setTimeout as sleep } from 'node:timers/promises';
import { type PinnaceRun, startPinnace } from '../contender.ts';
import { MANIFEST_ACCEPT } from '../engine.ts';
import type { Figure } from '../figure.ts';
import { type Load, loadFor } from '../load.ts';
import { cpuSecondsOf, residentBytesOf } from '../machine.ts';
import { type Ongoing, type Scene, TIGHT_LIMITS, type Trouble } from '../overload/trouble.ts';
import { REFUSAL_P99, TROUBLES } from '../overload/troubles.ts';
import { OverloadWorld } from '../overload/world.ts';
import type { Look } from '../samples.ts';
import { type BenchContext, type Outcome, OWN_NAME, type Scenario } from '../scenario.ts';

const MIB = 1024 ** 2;
const CALM = 'in peace';
const CONNECTIONS = 32;
/** Time for the load's own connections to be made, before there is any trouble. */
const HEAD_START_MS = 200;
const UNITS: Readonly<Record<string, { readonly unit: string; readonly isMoreBetter: boolean }>> = {
  'tag, rate': { unit: 'req/s', isMoreBetter: true },
  'tag, per CPU second': { unit: 'req', isMoreBetter: true },
  'tag, p99': { unit: 'ms', isMoreBetter: false },
  [REFUSAL_P99]: { unit: 'ms', isMoreBetter: false },
  'most memory': { unit: 'MiB', isMoreBetter: false },
};

/** What those who ask for more than their share cost all others. */
export const overload: Scenario = {
  name: 'overload',
  question: `a verified tag at hand while others ask for too much, beside the same ${CALM}; at most ${TIGHT_LIMITS.connections} connections, ${TIGHT_LIMITS.requests} requests and ${TIGHT_LIMITS.blobs} blobs at once`,
  needs: ['wrk'],
  run,
};

async function run(context: BenchContext): Promise<Outcome> {
  const { site } = context;
  const world = new OverloadWorld(site, TIGHT_LIMITS.blobs * 4);
  const pinnace = await startPinnace(site, { more: { limits: TIGHT_LIMITS } });
  const folder = await site.folder('load');
  const samples = new Samples();
  try {
    await world.prepare(pinnace);
    const scene = { world, pinnace, loadConnections: CONNECTIONS };
    const load = async (seconds: number): Promise<Load> =>
      await loadFor({
        ...{ url: pinnace.url, paths: [world.warmTag], connections: CONNECTIONS },
        ...{ headers: { Accept: MANIFEST_ACCEPT }, seconds, folder },
      });
    const measured = async (): Promise<Look> =>
      await lookAt(pinnace, async () => await load(context.seconds));
    await load(1);
    for (let round = 0; round < Math.min(3, context.rounds - 1); round += 1) {
      const calm = await measured();
      for (const trouble of TROUBLES) {
        context.say(`${trouble.label}, round ${round + 1}`);
        samples.add(OWN_NAME, trouble.label, await troubled(scene, trouble, measured));
        if (trouble.isTotal !== true) samples.add(CALM, trouble.label, calm);
        await world.check(pinnace);
      }
    }
  } finally {
    await pinnace.stop();
  }
  return {
    figures: samples.figures,
    checked: [
      'no request for the tag at hand failed',
      'whoever got no place was refused with 503, Retry-After and the reason overloaded or upstream_unreachable, or cut off; nobody was answered otherwise',
      'the signed digest after each trouble',
    ],
  };
}

/** What is measured while there is trouble, and what is seen of the trouble. */
async function troubled(
  scene: Scene,
  trouble: Trouble,
  measured: () => Promise<Look>,
): Promise<Look> {
  const load = trouble.isTotal === true ? sleep(1000) : measured();
  await sleep(HEAD_START_MS);
  let ongoing: Ongoing | undefined;
  try {
    ongoing = await trouble.begin(scene);
    const look = (await load) ?? {};
    return { ...look, ...(await ongoing.stop()) };
  } catch (error) {
    throw new Error(`${trouble.label}: ${String(error)}`, { cause: error });
  }
}

/** Rate, cost and times of a load, and the most memory meanwhile. */
async function lookAt({ pid }: PinnaceRun, work: () => Promise<Load>): Promise<Look> {
  let memory = 0;
  const watch = setInterval(() => {
    memory = Math.max(memory, residentBytesOf(pid));
  }, 50);
  const before = cpuSecondsOf(pid);
  try {
    const { requests, requestsPerSecond, p99Ms } = await work();
    return {
      'tag, rate': requestsPerSecond,
      'tag, per CPU second': requests / (cpuSecondsOf(pid) - before),
      'tag, p99': p99Ms,
      'most memory': memory / MIB,
    };
  } finally {
    clearInterval(watch);
  }
}

/** What was seen, by contender and quantity. */
class Samples {
  readonly #seen = new Map<string, Figure & { readonly samples: number[] }>();

  add(contender: string, label: string, look: Look): void {
    for (const [name, sample] of Object.entries(look)) {
      const quantity = `${label}: ${name}`;
      const known = this.#seen.get(`${contender} ${quantity}`);
      if (known !== undefined) {
        known.samples.push(sample);
        continue;
      }
      const { unit = '', isMoreBetter = false } = UNITS[name] ?? {};
      const figure = { contender, quantity, unit, isMoreBetter, samples: [sample] };
      this.#seen.set(`${contender} ${quantity}`, figure);
    }
  }

  get figures(): readonly Figure[] {
    return [...this.#seen.values()];
  }
}
