/** One series of a histogram in Prometheus' format. */
export interface DurationSeries {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** How a `DurationCounts` is laid out. */
export interface DurationCountsOptions {
  /** The histogram's name. */
  readonly name: string;
  /** Its only label. */
  readonly label: string;
  readonly labelValues: readonly string[];
  /** Upper bounds in seconds, rising. */
  readonly buckets: readonly number[];
}

/** A histogram of durations kept in plain arrays: each request adds to it, and only a scrape reads it. */
export class DurationCounts {
  readonly #options: DurationCountsOptions;
  readonly #bounds: Float64Array;
  /** Per label value one number for each bucket, each counted once, and one for what is longer than all. */
  readonly #counts: Float64Array;
  readonly #sums: Float64Array;

  constructor(options: DurationCountsOptions) {
    this.#options = options;
    this.#bounds = Float64Array.from(options.buckets);
    this.#counts = new Float64Array(options.labelValues.length * (options.buckets.length + 1));
    this.#sums = new Float64Array(options.labelValues.length);
  }

  /** Adds one observation. @param row - the index of its label value */
  add(row: number, seconds: number): void {
    const bounds = this.#bounds;
    let column = 0;
    while (column < bounds.length && seconds > (bounds[column] ?? 0)) column += 1;
    const cell = row * (bounds.length + 1) + column;
    this.#counts[cell] = (this.#counts[cell] ?? 0) + 1;
    this.#sums[row] = (this.#sums[row] ?? 0) + seconds;
  }

  /** All series, as a scrape shows them. */
  series(): readonly DurationSeries[] {
    return this.#options.labelValues.flatMap((value, row) => this.#seriesOf(row, value));
  }

  #seriesOf(row: number, labelValue: string): readonly DurationSeries[] {
    const { name, label, buckets } = this.#options;
    const labels = { [label]: labelValue };
    let total = 0;
    const cumulated = [...buckets.map(String), '+Inf'].map((le, column) => {
      total += this.#counts[row * (buckets.length + 1) + column] ?? 0;
      return { metricName: `${name}_bucket`, labels: { le, ...labels }, value: total };
    });
    return [
      ...cumulated,
      { metricName: `${name}_sum`, labels, value: this.#sums[row] ?? 0 },
      { metricName: `${name}_count`, labels, value: total },
    ];
  }
}
