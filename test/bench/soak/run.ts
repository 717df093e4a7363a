import { readFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PinnaceRun } from '../contender.ts';
import { readMetrics, sumOf } from '../exposition.ts';
import { machineLine } from '../machine.ts';
import { reasonOf } from '../peers.ts';
import { Site } from '../site.ts';
import { Mixture } from './mixture.ts';
import { Pace } from './pace.ts';
import type { SoakKind, SoakResult, SoakSample } from './result.ts';
import { Sampler } from './sampler.ts';
import { type SoakTotals, verdictsOf } from './verdict.ts';
import { SoakWorld } from './world.ts';

/** How long and how hard. */
export interface SoakOptions {
  readonly seconds: number;
  readonly requestsPerSecond: number;
  /** Says how it stands, for whoever waits. */
  readonly progress: (text: string) => void;
}

/** What happens within each minute, at which second. */
const MINUTE = new Map<number, 'move' | 'registry' | 'notary' | 'reload'>([
  [2, 'move'],
  [40, 'registry'],
  [48, 'notary'],
  [56, 'reload'],
]);
const SAMPLE_SECONDS = 10;
const LEAST_SAMPLES = 10;
/** Requests under way at once, above which no more are begun and an error is counted instead. */
const MOST_UNDER_WAY = 2_000;
const MOST_PROBLEMS = 50;
/** Time for code to be compiled, before latencies and memory are noted. */
const WARM_UP_SECONDS = 5;

/** Keeps Pinnace under a modest, mixed and steady load and watches what becomes of it. */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  await using site = await Site.start();
  options.progress('signing the repositories');
  const world = new SoakWorld(site);
  const pinnace = await world.start();
  try {
    options.progress('pulling each of them once');
    await world.pullAll(pinnace);
    return await new Soak(world, pinnace, options).run();
  } finally {
    await pinnace.stop();
  }
}

class Soak {
  readonly #world: SoakWorld;
  readonly #pinnace: PinnaceRun;
  readonly #options: SoakOptions;
  readonly #agent = new Agent({ keepAlive: true, maxFreeSockets: 64 });
  readonly #mixture: Mixture;
  readonly #problems: string[] = [];
  #sampler: Sampler | undefined;
  #underWay = 0;
  #requests = 0;
  #errors = 0;

  constructor(world: SoakWorld, pinnace: PinnaceRun, options: SoakOptions) {
    this.#world = world;
    this.#pinnace = pinnace;
    this.#options = options;
    this.#mixture = new Mixture({ world, agent: this.#agent, url: pinnace.url });
  }

  async run(): Promise<SoakResult> {
    const { seconds, requestsPerSecond } = this.#options;
    const startedAt = new Date().toISOString();
    const pace = new Pace(requestsPerSecond, (kind, dueAt) => void this.#one(kind, dueAt));
    try {
      this.#options.progress(`warming up for ${WARM_UP_SECONDS} s`);
      await sleep(WARM_UP_SECONDS * 1000);
      const sampler = new Sampler(this.#pinnace);
      this.#sampler = sampler;
      this.#world.begin();
      const samples = await this.#watch(sampler);
      pace.stop();
      while (this.#underWay > 0) await sleep(100);
      const totals = await this.#totals();
      return {
        machine: machineLine(),
        startedAt,
        seconds,
        requestsPerSecond,
        kinds: sampler.kinds,
        events: this.#world.events,
        samples,
        problems: this.#problems,
        verdicts: verdictsOf(samples, totals),
      };
    } finally {
      pace.stop();
      this.#agent.destroy();
    }
  }

  async #watch(sampler: Sampler): Promise<readonly SoakSample[]> {
    const { seconds, progress } = this.#options;
    const every = Math.min(SAMPLE_SECONDS, Math.max(1, Math.floor(seconds / LEAST_SAMPLES)));
    const samples: SoakSample[] = [];
    const begin = performance.now();
    for (let second = 1; second <= seconds; second += 1) {
      await sleep(Math.max(0, begin + second * 1000 - performance.now()));
      this.#happen(second % 60);
      if (second % every !== 0) continue;
      const sample = await sampler.take();
      samples.push(sample);
      this.#world.forgetRequests();
      progress(`${second} of ${seconds} s: ${shortly(sample)}, ${this.#errors} errors`);
    }
    return samples;
  }

  #happen(second: number): void {
    const event = MINUTE.get(second);
    if (event === 'move') this.#world.moveOneTag();
    else if (event === 'reload') this.#world.reload(this.#pinnace);
    else if (event !== undefined) void this.#world.interrupt(event);
  }

  async #one(kind: SoakKind, dueAt: number): Promise<void> {
    if (this.#underWay >= MOST_UNDER_WAY) {
      this.#problem(`${kind}: not begun, ${MOST_UNDER_WAY} requests are under way`);
      return;
    }
    this.#underWay += 1;
    this.#requests += 1;
    try {
      const ending = await this.#mixture.ask(kind);
      if (ending === 'right') this.#sampler?.add(kind, performance.now() - dueAt);
      else if (ending === 'excused') this.#sampler?.addExcused();
    } catch (error) {
      this.#problem(`${kind}: ${reasonOf(error)}`);
    } finally {
      this.#underWay -= 1;
    }
  }

  #problem(text: string): void {
    this.#errors += 1;
    this.#sampler?.addError();
    if (this.#problems.length >= MOST_PROBLEMS) return;
    const dated = `after ${this.#world.seconds.toFixed(1)} s, ${text}`;
    this.#problems.push(dated);
    this.#options.progress(`WRONG: ${dated}`);
  }

  async #totals(): Promise<SoakTotals> {
    const metrics = await readMetrics(this.#pinnace.adminUrl);
    const log = await readFile(this.#pinnace.logFile, 'utf8');
    return {
      requests: this.#requests,
      errors: this.#errors,
      // Doubts about the configuration come as words, before the log begins.
      errorLines: log.split('\n').filter((line) => line.startsWith('{')).length,
      failed: sumOf(metrics, 'pinnace_requests_total', 'verdict="failed"'),
      corrupt: sumOf(metrics, 'pinnace_cache_corrupt_total'),
    };
  }
}

function shortly({ residentMib, loopP99Ms, latencies }: SoakSample): string {
  const tag = latencies['tag-get']?.p99Ms ?? 0;
  const loop = `loop p99 ${loopP99Ms.toFixed(1)} ms`;
  return `${residentMib.toFixed(0)} MiB, ${loop}, tag p99 ${tag.toFixed(1)} ms`;
}
