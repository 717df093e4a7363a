import type { Figure, Spread } from './figure.ts';
import type { PeerProgram } from './programs.ts';
import type { Site } from './site.ts';

/** What a scenario gets. */
export interface BenchContext {
  readonly site: Site;
  /** A tenth of the time, and sizes to match. */
  readonly isQuick: boolean;
  /** How often each contender has its turn. */
  readonly rounds: number;
  /** Seconds of one turn. */
  readonly seconds: number;
  /** Says what is being done, for whoever waits. */
  readonly say: (text: string) => void;
  /** Notes that a peer takes no part from now on, and why; the report says it. */
  readonly leaveOut: (peer: string, why: string) => void;
}

/** A budget from the product's decisions: the ratio to a peer, at least. */
export interface Budget {
  readonly quantity: string;
  readonly peer: string;
  readonly atLeast: number;
}

/** A figure with a limit of its own, without any peer. */
export interface Limit {
  readonly quantity: string;
  readonly atMost: number;
}

/** What came of a scenario. */
export interface Outcome {
  readonly figures: readonly Figure[];
  /** What was made sure of meanwhile: `the bytes have the signed digest`. */
  readonly checked: readonly string[];
  /** Growth curves; absent where nothing grows. */
  readonly curves?: readonly Curve[];
}

/** How one quantity grows with another. */
export interface Curve {
  readonly x: string;
  readonly y: string;
  readonly unit: string;
  readonly points: readonly CurvePoint[];
}

/** One point of a growth curve, with the spread of what was seen there. */
export interface CurvePoint {
  readonly x: number;
  readonly y: Spread;
}

/** One question with its answer in figures. */
export interface Scenario {
  readonly name: string;
  readonly question: string;
  /** Programs without which nothing can be measured. */
  readonly needs: readonly PeerProgram[];
  /** Programs that are measured beside Pinnace where they are installed. */
  readonly peers?: readonly PeerProgram[];
  readonly budgets?: readonly Budget[];
  readonly limits?: readonly Limit[];
  run(context: BenchContext): Promise<Outcome>;
}

/** The name under which Pinnace takes part. */
export const OWN_NAME = 'pinnace';
