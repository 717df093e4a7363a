import type { LatencySummary } from './latencies.ts';

/** The kinds of request in the mixture. */
export const SOAK_KINDS = [
  'tag-get',
  'tag-head',
  'manifest',
  'not-modified',
  'blob-4-kib',
  'blob-8-mib',
  'range',
  'refused',
  'moved-tag',
  'cold-image',
  'slow-client',
  'hang-up',
] as const;

/** A kind of request. */
export type SoakKind = (typeof SOAK_KINDS)[number];

/** What was seen within some seconds. */
export interface SoakSample {
  /** Seconds since the beginning, at the end of the sample. */
  readonly at: number;
  readonly residentMib: number;
  readonly heapMib: number;
  /** The event loop's delay since the sample before. */
  readonly loopP99Ms: number;
  readonly loopMaxMs: number;
  /** The same of the load generator: what of the latencies is its own. */
  readonly loadLoopP99Ms: number;
  readonly openFiles: number;
  readonly sockets: number;
  /** Seconds of processor time for each second. */
  readonly cpu: number;
  readonly latencies: Partial<Readonly<Record<SoakKind, LatencySummary>>>;
  /** Unexpected answers. */
  readonly errors: number;
  /** Pulls of something new that were refused as inconclusive while an upstream was down. */
  readonly excused: number;
}

/** What was done to Pinnace, when. */
export interface SoakEvent {
  readonly at: number;
  readonly what: 'tag moved' | 'registry down' | 'trust server down' | 'reload';
}

/** One claim about the run, and whether it holds. */
export interface SoakVerdict {
  readonly what: string;
  readonly seen: string;
  readonly wanted: string;
  readonly verdict: 'kept' | 'not kept' | 'not judged';
}

/** One soak, as written to the JSON file. */
export interface SoakResult {
  readonly machine: string;
  /** When it began, ISO 8601. */
  readonly startedAt: string;
  readonly seconds: number;
  readonly requestsPerSecond: number;
  readonly kinds: readonly (LatencySummary & { readonly kind: SoakKind })[];
  readonly events: readonly SoakEvent[];
  readonly samples: readonly SoakSample[];
  /** The first of the unexpected answers. */
  readonly problems: readonly string[];
  readonly verdicts: readonly SoakVerdict[];
}
