import type { Contender } from './contender.ts';
import type { Figure } from './figure.ts';
import { type Load, type LoadOptions, loadFor } from './load.ts';
import { cpuSecondsOf } from './machine.ts';
import type { BenchContext } from './scenario.ts';

/** Which request is measured, and what its quantities are called. */
export interface Turn {
  readonly label: string;
  readonly load: Omit<LoadOptions, 'url' | 'seconds' | 'folder'>;
  /** Bytes of one answer's body, for the rate in MiB a second; absent: requests are counted instead. */
  readonly bodyBytes?: number;
  /** Whether this path has been under load just before; default false: one turn is not counted. */
  readonly isWarm?: boolean;
}

interface Sample {
  readonly load: Load;
  readonly cpuSeconds: number;
}

const MIB = 1024 ** 2;
const WARM_UP_SECONDS = 1;

/** Gives every contender its turn, round by round, and makes figures of what was seen. */
export async function takeTurns(
  context: BenchContext,
  contenders: readonly Contender[],
  turn: Turn,
): Promise<readonly Figure[]> {
  const folder = await context.site.folder('load');
  // A just-in-time compiler has to have seen the path before it is measured; nobody's caches should be cold either.
  for (const { url } of turn.isWarm === true ? [] : contenders) {
    await loadFor({ ...turn.load, url, seconds: WARM_UP_SECONDS, folder });
  }
  const samples = new Map<string, Sample[]>(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round < context.rounds; round += 1) {
    // Another order each round: whoever comes after whom should not matter.
    const shift = round % contenders.length;
    for (const contender of [...contenders.slice(shift), ...contenders.slice(0, shift)]) {
      const before = cpuSecondsOf(contender.pid);
      const load = await loadFor({
        ...turn.load,
        url: contender.url,
        seconds: context.seconds,
        folder,
      });
      samples.get(contender.name)?.push({ load, cpuSeconds: cpuSecondsOf(contender.pid) - before });
    }
  }
  return contenders.flatMap(({ name }) => figuresOf(name, samples.get(name) ?? [], turn));
}

function figuresOf(contender: string, samples: readonly Sample[], turn: Turn): readonly Figure[] {
  const figure = (what: string, unit: string, of: (sample: Sample) => number): Figure => ({
    contender,
    quantity: `${turn.label}, ${what}`,
    unit,
    isMoreBetter: unit !== 'ms',
    samples: samples.map(of),
  });
  const { bodyBytes } = turn;
  if (bodyBytes !== undefined) {
    return [
      figure('rate', 'MiB/s', ({ load }) => (load.requestsPerSecond * bodyBytes) / MIB),
      figure(
        'per CPU second',
        'MiB',
        ({ load, cpuSeconds }) => (load.requests * bodyBytes) / MIB / cpuSeconds,
      ),
    ];
  }
  return [
    figure('rate', 'req/s', ({ load }) => load.requestsPerSecond),
    figure('per CPU second', 'req', ({ load, cpuSeconds }) => load.requests / cpuSeconds),
    figure('p50', 'ms', ({ load }) => load.p50Ms),
    figure('p99', 'ms', ({ load }) => load.p99Ms),
  ];
}
