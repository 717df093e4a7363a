/** What one contender did in one scenario, a sample for each round; rounds of all contenders belong together by index. */
export interface Figure {
  /** Who was measured: `pinnace`, `nginx`. */
  readonly contender: string;
  /** What was measured: `requests per second`. */
  readonly quantity: string;
  readonly unit: string;
  /** Whether more of it is better; a ratio above 1 always means that Pinnace is the better one. */
  readonly isMoreBetter: boolean;
  readonly samples: readonly number[];
}

/** The middle of some samples with the two ends. */
export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** The median and both ends. @throws {RangeError} without samples */
export function spreadOf(samples: readonly number[]): Spread {
  const sorted = samples.toSorted((a, b) => a - b);
  const low = sorted[0];
  const high = sorted.at(-1);
  if (low === undefined || high === undefined) throw new RangeError('no samples');
  const middle = (sorted.length - 1) / 2;
  const below = sorted[Math.floor(middle)] ?? low;
  const above = sorted[Math.ceil(middle)] ?? high;
  return { median: (below + above) / 2, low, high };
}

/**
 * Pinnace against a peer, round by round, so that a machine that slows down slows both; undefined where no round has a
 * figure of both.
 */
export function ratioOf(own: Figure, peer: Figure): Spread | undefined {
  const ratios = own.samples.flatMap((sample, index) => {
    const other = peer.samples[index];
    if (other === undefined || other === 0 || sample === 0) return [];
    return [own.isMoreBetter ? sample / other : other / sample];
  });
  return ratios.length === 0 ? undefined : spreadOf(ratios);
}
