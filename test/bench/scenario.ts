import type { PeerProgram } from './contender.ts';
import type { Figure } from './figure.ts';
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
  /** Points of a growth curve, if the scenario has one. */
  readonly curve?: Curve;
}

/** How one quantity grows with another. */
export interface Curve {
  readonly x: string;
  readonly y: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

/** One question with its answer in figures. */
export interface Scenario {
  readonly name: string;
  readonly question: string;
  readonly needs: readonly PeerProgram[];
  readonly budgets?: readonly Budget[];
  readonly limits?: readonly Limit[];
  run(context: BenchContext): Promise<Outcome>;
}
