import type { PinnaceRun } from '../contender.ts';
import type { Look } from '../samples.ts';
import type { OverloadWorld } from './world.ts';

/** Who is troubled. */
export interface Scene {
  readonly world: OverloadWorld;
  readonly pinnace: PinnaceRun;
  /** Connections of the load beside which there is trouble. */
  readonly loadConnections: number;
}

/** Clients or an upstream that ask for more than their share. */
export interface Trouble {
  /** `half-open connections`. */
  readonly label: string;
  /** Whether it takes every place for requests, so that nothing but refusals can be measured beside it. */
  readonly isTotal?: boolean;
  /** Begins, and resolves once it is under way. */
  begin(scene: Scene): Promise<Ongoing>;
}

/** Trouble under way. */
export interface Ongoing {
  /**
   * Ends it.
   *
   * @returns what was seen of it
   * @throws {Error} when anybody was answered as nobody should be, or the trouble was none
   */
  stop(): Promise<Look>;
}

/** The limits under which trouble is made: small, so that a bench can reach them. */
export const TIGHT_LIMITS = {
  connections: 800,
  requests: 256,
  blobs: 16,
  blobQueueTimeout: '500ms',
} as const;
