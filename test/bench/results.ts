import type { LeftOut, Row } from './report.ts';
import type { Curve } from './scenario.ts';

/** A scenario's result, as written to the JSON file. */
export interface Measured {
  readonly scenario: string;
  readonly question: string;
  readonly rows: readonly Row[];
  readonly checked: readonly string[];
  readonly curves: readonly Curve[];
  /** Peers that took no part, or not in everything. */
  readonly leftOut: readonly LeftOut[];
  /** Budgets for which nothing could be measured. */
  readonly unanswered: readonly string[];
  readonly tookSeconds: number;
}

/** A scenario without a result. */
export interface Unmeasured {
  readonly scenario: string;
  readonly why: string;
}

/** One run of the bench, as written to the JSON file. */
export interface BenchResult {
  readonly machine: string;
  /** When it began, ISO 8601. */
  readonly startedAt: string;
  readonly isQuick: boolean;
  readonly tookSeconds: number;
  readonly scenarios: readonly Measured[];
  readonly unmeasured: readonly Unmeasured[];
}
