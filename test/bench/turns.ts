import type { Contender } from './contender.ts';
import type { Figure } from './figure.ts';
import { type Load, type LoadOptions, loadFor } from './load.ts';
import { cpuSecondsOf } from './machine.ts';
import { reasonOf } from './peers.ts';
import { type BenchContext, OWN_NAME } from './scenario.ts';

/** Which request is measured, and what its quantities are called. */
export interface Turn {
  readonly label: string;
  readonly load: Omit<LoadOptions, 'url' | 'seconds' | 'folder' | 'answerBytes'>;
  /** Bytes of one answer's body, for the rate in MiB a second; absent: requests are counted instead. */
  readonly bodyBytes?: number;
  /** Whether this path has been under load just before; default false: whoever compiles while running has a turn before. */
  readonly isWarm?: boolean;
  /** Whether compiling takes longer than a moment; default false. */
  readonly warmsUpLong?: boolean;
  /** How often each contender has its turn; default: as often as the context says. */
  readonly rounds?: number;
  /** Holds a contender to the right answer, before and after each of its turns. @throws {Error} when it gives another */
  readonly check: (contender: Contender) => Promise<void>;
}

interface Sample {
  readonly load: Load;
  readonly cpuSeconds: number;
}

const MIB = 1024 ** 2;
const WARM_UP_SECONDS = 1;
/** What compiles while it runs takes so long on the path of the fewest instructions. */
const LONG_WARM_UP_SECONDS = 3;
/** Above this, bytes are counted instead of whole answers: few answers are finished in one turn. */
const LARGE_BYTES = MIB;

/**
 * Gives every contender its turn, round by round, and makes figures of what was seen. A peer that fails is left out from
 * then on.
 *
 * @throws {Error} when Pinnace fails
 */
export async function takeTurns(
  context: BenchContext,
  contenders: readonly Contender[],
  turn: Turn,
): Promise<readonly Figure[]> {
  const folder = await context.site.folder('load');
  const samples = new Map<Contender, Sample[]>(contenders.map((each) => [each, []]));
  const loadOnce = async ({ url }: Contender, seconds: number): Promise<Load> => {
    const { bodyBytes } = turn;
    const answerBytes = bodyBytes === undefined ? {} : { answerBytes: bodyBytes };
    return await loadFor({ ...turn.load, ...answerBytes, url, seconds, folder });
  };
  const tryOnce = async (contender: Contender, once: () => Promise<void>): Promise<void> => {
    try {
      if (!samples.has(contender)) return;
      await turn.check(contender);
      await once();
      await turn.check(contender);
    } catch (error) {
      if (contender.name === OWN_NAME) throw error;
      samples.delete(contender);
      context.leaveOut(contender.name, `${turn.label}: ${reasonOf(error)}`);
    }
  };
  const warmUpSeconds = turn.warmsUpLong === true ? LONG_WARM_UP_SECONDS : WARM_UP_SECONDS;
  for (const each of turn.isWarm === true ? [] : contenders.filter(({ warmsUp }) => warmsUp)) {
    await tryOnce(each, async () => void (await loadOnce(each, warmUpSeconds)));
  }
  for (let round = 0; round < (turn.rounds ?? context.rounds); round += 1) {
    for (const each of inOrderOf(round, contenders)) {
      await tryOnce(each, async () => {
        const before = cpuSecondsOf(each.pid);
        const load = await loadOnce(each, context.seconds);
        samples.get(each)?.push({ load, cpuSeconds: cpuSecondsOf(each.pid) - before });
      });
    }
  }
  return [...samples].flatMap(([{ name }, seen]) => figuresOf(name, seen, turn));
}

/** Another order each round: whoever comes after whom should not matter. */
export function inOrderOf<T>(round: number, contenders: readonly T[]): readonly T[] {
  const shift = round % Math.max(1, contenders.length);
  return [...contenders.slice(shift), ...contenders.slice(0, shift)];
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
    const mib = ({ requests, bytes }: Load): number =>
      (bodyBytes >= LARGE_BYTES ? bytes : requests * bodyBytes) / MIB;
    return [
      figure('rate', 'MiB/s', ({ load }) => (mib(load) * load.requestsPerSecond) / load.requests),
      figure('per CPU second', 'MiB', ({ load, cpuSeconds }) => mib(load) / cpuSeconds),
    ];
  }
  return [
    figure('rate', 'req/s', ({ load }) => load.requestsPerSecond),
    figure('per CPU second', 'req', ({ load, cpuSeconds }) => load.requests / cpuSeconds),
    figure('p50', 'ms', ({ load }) => load.p50Ms),
    figure('p99', 'ms', ({ load }) => load.p99Ms),
  ];
}
