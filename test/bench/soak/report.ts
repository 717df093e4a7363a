import { lineChart, type Panel, type Series } from '../chart/line-chart.ts';
import { linesOf, shown } from '../report.ts';
import type { SoakKind, SoakResult, SoakSample } from './result.ts';

/** More points than that are drawn as one with the greatest of them. */
const MOST_POINTS = 180;

/** What came of a soak, as tables; also valid Markdown. */
export function soakTables({ verdicts, kinds }: SoakResult): string {
  const judged = verdicts.map(({ what, seen, wanted, verdict }) => [
    what,
    seen,
    wanted,
    verdict === 'kept' ? verdict : `**${verdict}**`,
  ]);
  const asked = kinds.map(({ kind, count, p50Ms, p99Ms, maxMs }) => [
    kind,
    String(count),
    ...[p50Ms, p99Ms, maxMs].map(shown),
  ]);
  return [
    linesOf(['What', 'Seen in the second half', 'Wanted', 'Verdict'], judged),
    linesOf(['Kind', 'Right answers', 'p50, ms', 'p99, ms', 'longest, ms'], asked),
  ].join('\n\n');
}

/** When, how long, how hard and on what. */
export function soakOrigin({ startedAt, seconds, requestsPerSecond, machine }: SoakResult): string {
  const minutes = `${shown(seconds / 60)} minutes`;
  return `${minutes} at ${requestsPerSecond} requests a second, begun ${startedAt.slice(0, 10)}, on ${machine}.`;
}

/** Memory, delay and latency over time. */
export function soakPicture({ samples, events, seconds }: SoakResult): string {
  const [unit, name] = seconds > 600 ? [60, 'minutes'] : [1, 'seconds'];
  const moments = seconds > 600 ? [] : events.map(({ at }) => at / unit);
  const line = (title: string, of: (sample: SoakSample) => number | undefined): Series => ({
    name: title,
    points: thinned(
      samples.flatMap((sample) => {
        const y = of(sample);
        return y === undefined ? [] : [{ x: sample.at / unit, y }];
      }),
    ),
    hasMarks: false,
  });
  const latency = (kind: SoakKind, isLog: boolean): Panel => ({
    title: `latency of ${kind}`,
    x: { label: name },
    y: { label: isLog ? 'ms (log scale)' : 'ms', isLog },
    series: [
      line('p50', ({ latencies }) => latencies[kind]?.p50Ms),
      line('p99', ({ latencies }) => latencies[kind]?.p99Ms),
    ],
    moments,
  });
  const panel = (title: string, unitName: string, series: readonly Series[]): Panel => ({
    title,
    x: { label: name },
    y: { label: unitName },
    series,
    moments,
  });
  const dashed =
    moments.length > 0 ? ' (dashed: tag moved, registry or trust server down, reload)' : '';
  const layout = { title: `Soak${dashed}`, columns: 2, panelWidth: 450, panelHeight: 230 };
  return lineChart(layout, [
    panel('memory', 'MiB', [
      line('resident', ({ residentMib }) => residentMib),
      line('heap', ({ heapMib }) => heapMib),
    ]),
    panel('event-loop delay', 'ms', [
      line('p99', ({ loopP99Ms }) => loopP99Ms),
      line('longest', ({ loopMaxMs }) => loopMaxMs),
      line('p99 of the load', ({ loadLoopP99Ms }) => loadLoopP99Ms),
    ]),
    latency('tag-get', true),
    latency('tag-head', true),
    latency('blob-4-kib', true),
    latency('blob-8-mib', true),
    panel('open files, and sockets among them', 'files', [
      line('files', ({ openFiles }) => openFiles),
      line('sockets', ({ sockets }) => sockets),
    ]),
    panel('processor time', 'seconds each second', [line('processor', ({ cpu }) => cpu)]),
  ]);
}

/** Few enough points to be seen, the greatest of each group: what stands out must stay. */
function thinned(
  points: readonly { readonly x: number; readonly y: number }[],
): readonly { readonly x: number; readonly y: number }[] {
  const size = Math.ceil(points.length / MOST_POINTS);
  const groups = Array.from({ length: Math.ceil(points.length / size) || 0 }, (_, index) =>
    points.slice(index * size, (index + 1) * size),
  );
  return groups.map((group) => group.reduce((most, each) => (each.y > most.y ? each : most)));
}
