import { linesOf } from '../report.ts';
import type { ProfileResult } from './run.ts';

/** Shares below this are summed up. */
const LEAST_SHARE = 0.01;

/** Where the time goes, as tables; also valid Markdown. */
export function profileTables({ paths }: ProfileResult): string {
  const modules = [...new Set(paths.flatMap((path) => path.modules.map(({ name }) => name)))];
  const shareOf = (index: number, name: string): number =>
    paths[index]?.modules.find((each) => each.name === name)?.share ?? 0;
  const largest = (name: string): number =>
    Math.max(...paths.map((_, index) => shareOf(index, name)));
  const shownOnes = modules
    .filter((name) => largest(name) >= LEAST_SHARE)
    .sort((a, b) => largest(b) - largest(a));
  const rest = paths.map((_, index) =>
    modules
      .filter((name) => largest(name) < LEAST_SHARE)
      .reduce((sum, name) => sum + shareOf(index, name), 0),
  );
  const byModule = linesOf(
    ['Main thread', ...paths.map(({ path }) => path)],
    [
      ['busy', ...paths.map(({ busy }) => percent(busy))],
      ...shownOnes.map((name) => [name, ...paths.map((_, index) => percent(shareOf(index, name)))]),
      ['all others', ...rest.map(percent)],
      [
        'processor seconds of all threads, each second',
        ...paths.map(({ cpuSeconds, seconds }) => (cpuSeconds / seconds).toFixed(2)),
      ],
    ],
  );
  const byFunction = paths.map(({ path, functions }) => {
    const lines = functions.map(({ name, share }) => [name, percent(share)]);
    return `Functions of ours, ${path}:\n\n${linesOf(['Function', 'Share'], lines)}`;
  });
  return [byModule, ...byFunction].join('\n\n');
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
