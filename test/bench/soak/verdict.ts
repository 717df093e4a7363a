import { spreadOf } from '../figure.ts';
import { shown } from '../report.ts';
import type { SoakKind, SoakSample, SoakVerdict } from './result.ts';

/** What the whole run is judged by beside its samples. */
export interface SoakTotals {
  readonly requests: number;
  readonly errors: number;
  /** Lines of the log at level error. */
  readonly errorLines: number;
  /** Requests that ended in an internal error. */
  readonly failed: number;
  /** Stored content that was not what its digest says. */
  readonly corrupt: number;
}

/** A quantity that has to stay flat: by how much of its middle it may rise in the second half, and what rise is nothing. */
interface Flat {
  readonly what: string;
  readonly unit: string;
  readonly atMost: number;
  readonly allowance: number;
  readonly of: (sample: SoakSample) => number | undefined;
}

const FLAT: readonly Flat[] = [
  { what: 'resident memory', unit: 'MiB', atMost: 0.1, allowance: 10, of: (s) => s.residentMib },
  { what: 'heap in use', unit: 'MiB', atMost: 0.2, allowance: 10, of: (s) => s.heapMib },
  { what: 'event-loop delay, p99', unit: 'ms', atMost: 0.25, allowance: 2, of: (s) => s.loopP99Ms },
  { what: 'open files', unit: '', atMost: 0.1, allowance: 10, of: (s) => s.openFiles },
  { what: 'open sockets', unit: '', atMost: 0.1, allowance: 10, of: (s) => s.sockets },
  latency('tag-get', 'p50Ms'),
  latency('tag-get', 'p99Ms'),
  latency('tag-head', 'p99Ms'),
  latency('blob-4-kib', 'p99Ms'),
  latency('blob-8-mib', 'p99Ms'),
];
/** Fewer samples in the second half say nothing of a rise: five minutes' worth of them in all. */
const LEAST_SAMPLES = 15;

/** Judges a soak: nothing wrong was answered, and nothing that should stay flat rises. */
export function verdictsOf(
  samples: readonly SoakSample[],
  totals: SoakTotals,
): readonly SoakVerdict[] {
  return [
    none('unexpected answers', totals.errors, totals.requests),
    none('internal errors', totals.failed, totals.requests),
    none('stored content that was not what its digest says', totals.corrupt),
    none('lines in the log at level error', totals.errorLines),
    ...FLAT.map((flat) => flatness(flat, samples.slice(Math.floor(samples.length / 2)))),
  ];
}

/**
 * By how much a quantity rises over some samples: twice the step from the middle of their first half to that of their
 * second. One sample that stands out, on a machine that does other things too, does not count.
 */
export function riseOf(values: readonly number[]): number {
  const half = Math.floor(values.length / 2);
  if (half === 0) return 0;
  const before = spreadOf(values.slice(0, half)).median;
  return 2 * (spreadOf(values.slice(-half)).median - before);
}

function flatness(flat: Flat, half: readonly SoakSample[]): SoakVerdict {
  const { what, unit, atMost, allowance } = flat;
  const values = half.flatMap((sample) => flat.of(sample) ?? []);
  const wanted = `rises by at most ${atMost * 100} % or ${shown(allowance)} ${unit}`.trimEnd();
  if (values.length < LEAST_SAMPLES) {
    return { what, wanted, seen: 'too few samples', verdict: 'not judged' };
  }
  const { median } = spreadOf(values);
  const rise = riseOf(values);
  const seen = `${shown(median)} ${unit}, ${rise < 0 ? '−' : '+'}${shown(Math.abs(rise))} ${unit}`;
  const isFlat = rise <= Math.max(allowance, median * atMost);
  return { what, wanted, seen, verdict: isFlat ? 'kept' : 'not kept' };
}

function none(what: string, count: number, of?: number): SoakVerdict {
  const seen = of === undefined ? String(count) : `${count} of ${of} requests`;
  return { what, seen, wanted: 'none', verdict: count === 0 ? 'kept' : 'not kept' };
}

function latency(kind: SoakKind, quantile: 'p50Ms' | 'p99Ms'): Flat {
  return {
    what: `latency of ${kind}, ${quantile.slice(0, 3)}`,
    unit: 'ms',
    atMost: 0.5,
    allowance: 5,
    of: ({ latencies }) => latencies[kind]?.[quantile],
  };
}
