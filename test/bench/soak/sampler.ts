import { type ELDHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import type { PinnaceRun } from '../contender.ts';
import { readMetrics, sumOf } from '../exposition.ts';
import { cpuSecondsOf, openFilesOf, residentBytesOf } from '../machine.ts';
import { Latencies, type LatencySummary } from './latencies.ts';
import type { SoakKind, SoakSample } from './result.ts';

const MIB = 1024 ** 2;
const LOOP_DELAY = 'pinnace_event_loop_delay_seconds';

/** Notes how every request ended, and looks at the process now and then. */
export class Sampler {
  readonly #pinnace: PinnaceRun;
  readonly #begin = performance.now();
  readonly #loadLoop: ELDHistogram = monitorEventLoopDelay({ resolution: 10 });
  readonly #all = new Map<SoakKind, Latencies>();
  #recent = new Map<SoakKind, Latencies>();
  #errors = 0;
  #excused = 0;
  #last: { at: number; cpuSeconds: number };

  constructor(pinnace: PinnaceRun) {
    this.#pinnace = pinnace;
    this.#last = { at: performance.now(), cpuSeconds: cpuSecondsOf(pinnace.pid) };
    this.#loadLoop.enable();
  }

  /** Notes the latency of a right answer. */
  add(kind: SoakKind, ms: number): void {
    latenciesOf(this.#all, kind).add(ms);
    latenciesOf(this.#recent, kind).add(ms);
  }

  addError(): void {
    this.#errors += 1;
  }

  addExcused(): void {
    this.#excused += 1;
  }

  /** Every latency so far, by kind. */
  get kinds(): readonly (LatencySummary & { readonly kind: SoakKind })[] {
    return [...this.#all].map(([kind, latencies]) => ({ kind, ...latencies.summary }));
  }

  /** What was seen since the sample before. */
  async take(): Promise<SoakSample> {
    const { pid, adminUrl } = this.#pinnace;
    const metrics = await readMetrics(adminUrl);
    const now = performance.now();
    const cpuSeconds = cpuSecondsOf(pid);
    const cpu = (cpuSeconds - this.#last.cpuSeconds) / ((now - this.#last.at) / 1000);
    const recent = [...this.#recent].map(([kind, latencies]) => [kind, latencies.summary]);
    const sample: SoakSample = {
      at: (now - this.#begin) / 1000,
      residentMib: residentBytesOf(pid) / MIB,
      heapMib: sumOf(metrics, 'nodejs_heap_size_used_bytes') / MIB,
      loopP99Ms: sumOf(metrics, LOOP_DELAY, 'quantile="0.99"') * 1000,
      loopMaxMs: sumOf(metrics, LOOP_DELAY, 'quantile="1"') * 1000,
      loadLoopP99Ms: this.#loadLoop.percentile(99) / 1e6,
      openFiles: openFilesOf(pid).length,
      sockets: openFilesOf(pid).filter((file) => file.startsWith('socket:')).length,
      cpu,
      latencies: Object.fromEntries(recent),
      errors: this.#errors,
      excused: this.#excused,
    };
    this.#last = { at: now, cpuSeconds };
    this.#recent = new Map();
    this.#loadLoop.reset();
    this.#errors = 0;
    this.#excused = 0;
    return sample;
  }
}

function latenciesOf(all: Map<SoakKind, Latencies>, kind: SoakKind): Latencies {
  const known = all.get(kind);
  if (known !== undefined) return known;
  const made = new Latencies();
  all.set(kind, made);
  return made;
}
