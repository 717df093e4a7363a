import type { PinnaceRun } from './contender.ts';
import { MANIFEST_ACCEPT } from './engine.ts';
import { type Load, loadFor } from './load.ts';
import { cpuSecondsOf } from './machine.ts';
import type { Points } from './points.ts';
import type { BenchContext } from './scenario.ts';

const MOST_ROUNDS = 3;

/** Puts Pinnace alone under load and notes its rates at one point of the growth curves. */
export async function ratesOf(
  context: BenchContext,
  pinnace: PinnaceRun,
  options: {
    readonly load: {
      readonly paths: readonly string[];
      readonly connections: number;
      /** Whether the path has to be compiled first: one more run, which does not count. */
      readonly isFirst: boolean;
    };
    readonly points: Points;
    readonly x: number;
  },
): Promise<void> {
  const { load, points, x } = options;
  const folder = await context.site.folder('load');
  const once = async (): Promise<Load> =>
    await loadFor({
      paths: load.paths,
      connections: load.connections,
      url: pinnace.url,
      seconds: context.seconds,
      folder,
      headers: { Accept: MANIFEST_ACCEPT },
    });
  if (load.isFirst) await once();
  for (let round = 0; round < (context.isQuick ? 1 : MOST_ROUNDS); round += 1) {
    const before = cpuSecondsOf(pinnace.pid);
    const seen = await once();
    const perCpuSecond = seen.requests / (cpuSecondsOf(pinnace.pid) - before);
    points.add({ name: 'rate', unit: 'req/s' }, x, seen.requestsPerSecond);
    points.add({ name: 'per CPU second', unit: 'req' }, x, perCpuSecond);
    points.add({ name: 'p99', unit: 'ms' }, x, seen.p99Ms);
  }
}
