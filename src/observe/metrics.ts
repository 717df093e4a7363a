import {
  AggregatorRegistry,
  Counter,
  collectDefaultMetrics,
  Gauge,
  Histogram,
  type HistogramConfiguration,
  type MetricObjectWithValues,
  type MetricValue,
  Registry,
} from 'prom-client';
import { REASON_CODES, type ReasonCode } from '../base/reason-code.ts';
import { DurationCounts } from './duration-counts.ts';
import { LoopDelay } from './loop-delay.ts';
import {
  METRIC_TABLE,
  type MetricRow,
  REQUEST_KINDS,
  REQUEST_VERDICTS,
  type RequestKind,
  type RequestVerdict,
} from './metric-table.ts';

type Table = typeof METRIC_TABLE;
type NamesOf<Type extends string> = {
  [Name in keyof Table]: Table[Name]['type'] extends Type ? Name : never;
}[keyof Table];

/** The label values that a metric needs, by label name. */
export type LabelsOf<Name extends keyof Table> = {
  readonly [Label in keyof Table[Name]['labels']]: Table[Name]['labels'][Label] extends readonly (infer Value)[]
    ? Value
    : never;
};

/** The names of the metrics of each type. */
export type CounterName = NamesOf<'counter'>;
export type GaugeName = NamesOf<'gauge'>;
/** The requests' own has its own method. */
export type HistogramName = Exclude<NamesOf<'histogram'>, typeof REQUEST_DURATION>;

/** The names of the configuration that appear in labels. */
export interface ConfiguredNames {
  /** Each policy rule (its `match`) with its trust source's name; its refusals start at zero. */
  readonly rules?: readonly {
    readonly rule: string;
    readonly trust: string;
    /** Whether it is in audit; default false. */
    readonly audit?: boolean;
  }[];
  /** The upstreams' and trust sources' names, whose series start at zero. */
  readonly upstreams?: readonly string[];
  /** The names of the site's own collections, whose series start at zero. */
  readonly collections?: readonly string[];
}

/** A running total that is read when metrics are: adding to it costs no more than that. */
export interface Tally {
  total: number;
}

/** All that one process has counted, as it can be told to another one. */
export type MetricsSnapshot = readonly MetricObjectWithValues<MetricValue<string>>[];

/** What the metrics need to know at the start. */
export interface MetricsOptions extends ConfiguredNames {
  readonly version: string;
  /** Whether they only add to those of another process, which has all series at zero already; default false. */
  readonly isFront?: boolean;
  /** Whether the metrics of the process and of Node.js are exported too; default true. */
  readonly processMetrics?: boolean;
}

/** More rules than this get their refusal series at the first refusal, so that the first scrape stays small. */
const MAX_RULES_AT_ZERO = 50;
const NONE = 'none';

const REQUEST_DURATION = 'pinnace_request_duration_seconds';

/** Every number Pinnace shows. All names and labels come from `METRIC_TABLE`. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #counters = new Map<string, Counter>();
  readonly #gauges = new Map<string, Gauge>();
  readonly #histograms = new Map<string, Histogram>();
  #trustOfRule: ReadonlyMap<string, string> = new Map();
  readonly #collectors: (() => void)[] = [];
  readonly #totals = new Map<string, number>();
  readonly #tallies = new Map<string, { readonly tally: Tally; readonly collect: () => void }>();
  /** Requests by kind and verdict: a plain array, since this is the one metric on the hot path. */
  readonly #requests = new Float64Array(REQUEST_KINDS.length * REQUEST_VERDICTS.length);
  readonly #requestDurations = new DurationCounts({
    ...{ name: REQUEST_DURATION, label: 'kind', labelValues: REQUEST_KINDS },
    buckets: METRIC_TABLE[REQUEST_DURATION].buckets,
  });
  readonly #loopDelay = new LoopDelay();
  #others: (() => Promise<readonly MetricsSnapshot[]>) | undefined;

  constructor(options: MetricsOptions) {
    for (const [name, row] of Object.entries(METRIC_TABLE)) this.#register(name, row);
    if (options.isFront !== true) {
      this.#startAtZero();
      this.configure(options);
    }
    this.set('pinnace_build_info', { version: options.version, node: process.version }, 1);
    if (options.processMetrics ?? true) collectDefaultMetrics({ register: this.#registry });
  }

  /** The `Content-Type` of `render`. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Takes over the names of a configuration; their series start at zero, what was counted before stays. */
  configure({ rules = [], upstreams = [], collections = [] }: ConfiguredNames): void {
    this.#trustOfRule = new Map(rules.map(({ rule, trust }) => [rule, trust]));
    const shown = rules.length > MAX_RULES_AT_ZERO ? [] : rules;
    for (const { rule, trust } of [...shown, { rule: NONE, trust: NONE }]) {
      for (const reason of REASON_CODES) {
        this.count('pinnace_refusals_total', { reason, rule, trust }, 0);
      }
    }
    for (const { rule } of shown.filter(({ audit }) => audit === true)) {
      for (const reason of REASON_CODES) {
        this.count('pinnace_audited_refusals_total', { reason, rule }, 0);
      }
    }
    for (const trust of new Set(rules.map((each) => each.trust))) {
      this.count('pinnace_first_use_admissions_total', { trust }, 0);
    }
    for (const collection of collections) this.#startCollection(collection);
    for (const upstream of upstreams) {
      this.count('pinnace_upstream_bytes_total', { upstream }, 0);
      this.count('pinnace_upstream_fallbacks_total', { upstream }, 0);
      this.count('pinnace_upstream_mismatches_total', { upstream }, 0);
      for (const outcome of METRIC_TABLE.pinnace_upstream_requests_total.labels.outcome) {
        this.count('pinnace_upstream_requests_total', { upstream, outcome }, 0);
      }
      for (const outcome of METRIC_TABLE.pinnace_upstream_logins_total.labels.outcome) {
        this.count('pinnace_upstream_logins_total', { upstream, outcome }, 0);
      }
    }
  }

  /** Counts one request. */
  countRequest(kind: RequestKind, verdict: RequestVerdict): void {
    const index =
      REQUEST_KINDS.indexOf(kind) * REQUEST_VERDICTS.length + REQUEST_VERDICTS.indexOf(verdict);
    this.#requests[index] = (this.#requests[index] ?? 0) + 1;
  }

  /** Notes how long one request took, in seconds. */
  observeRequest(kind: RequestKind, seconds: number): void {
    this.#requestDurations.add(REQUEST_KINDS.indexOf(kind), seconds);
  }

  /** Counts one refusal; the trust source follows from the rule. */
  countRefusal(reason: ReasonCode, rule: string | undefined): void {
    const trust = rule === undefined ? NONE : (this.#trustOfRule.get(rule) ?? NONE);
    this.count('pinnace_refusals_total', { reason, rule: rule ?? NONE, trust });
  }

  /** Adds to a counter; default 1. */
  count<Name extends CounterName>(name: Name, labels: LabelsOf<Name>, by = 1): void {
    this.#counters.get(name)?.inc(texts(labels), by);
  }

  /** A total to add to, for what is counted so often that finding its series would cost more. The same one each time. */
  tally<Name extends CounterName>(name: Name, labels: LabelsOf<Name>): Tally {
    const key = JSON.stringify([name, labels]);
    const known = this.#tallies.get(key);
    if (known !== undefined) return known.tally;
    const tally: Tally = { total: 0 };
    const collect = (): void => this.raiseTo(name, labels, tally.total);
    this.#tallies.set(key, { tally, collect });
    return tally;
  }

  /** Raises a counter to a running total that somebody else keeps; a smaller total changes nothing. */
  raiseTo<Name extends CounterName>(name: Name, labels: LabelsOf<Name>, total: number): void {
    const key = JSON.stringify([name, labels]);
    const before = this.#totals.get(key) ?? 0;
    if (total <= before) return;
    this.#totals.set(key, total);
    this.count(name, labels, total - before);
  }

  /** Sets a gauge. */
  set<Name extends GaugeName>(name: Name, labels: LabelsOf<Name>, value: number): void {
    this.#gauges.get(name)?.set(texts(labels), value);
  }

  /** Adds to a gauge; a negative number takes away. */
  add<Name extends GaugeName>(name: Name, labels: LabelsOf<Name>, by: number): void {
    this.#gauges.get(name)?.inc(texts(labels), by);
  }

  /** Drops all series of a gauge, before those that still exist are set anew. */
  clear(name: GaugeName): void {
    this.#gauges.get(name)?.reset();
  }

  /** Adds one observation, in seconds. */
  observe<Name extends HistogramName>(name: Name, labels: LabelsOf<Name>, seconds: number): void {
    this.#histograms.get(name)?.observe(texts(labels), seconds);
  }

  /** Has `collector` run before each `render`, to set gauges and totals that others keep. */
  onCollect(collector: () => void): void {
    this.#collectors.push(collector);
  }

  /** Has `counts` asked at each `render` for what other processes have counted, to be added up. */
  addFrom(counts: () => Promise<readonly MetricsSnapshot[]>): void {
    this.#others = counts;
  }

  /** All metrics in Prometheus' text format. */
  async render(): Promise<string> {
    if (this.#others !== undefined) {
      const others = await this.#others();
      return await registryOf([await this.snapshot(), ...others]).metrics();
    }
    this.#collect();
    this.#collectLoopDelay();
    return await this.#registry.metrics();
  }

  /** What this process has counted. @param options.isInterim - the event loop's delay is measured on; default false */
  async snapshot(options: { readonly isInterim?: boolean } = {}): Promise<MetricsSnapshot> {
    this.#collect();
    if (options.isInterim !== true) this.#collectLoopDelay();
    return await this.#registry.getMetricsAsJSON();
  }

  #collect(): void {
    for (const collector of this.#collectors) collector();
    for (const { collect } of this.#tallies.values()) collect();
    this.#collectRequests();
  }

  /** Stops watching the event loop. */
  stop(): void {
    this.#loopDelay.stop();
    this.#registry.clear();
  }

  #register(name: string, row: MetricRow): void {
    const common = {
      name,
      help: row.help,
      labelNames: Object.keys(row.labels),
      registers: [this.#registry],
      ...(row.together === undefined ? {} : { aggregator: row.together }),
    };
    if (name === REQUEST_DURATION) {
      new KeptHistogram({ ...common, buckets: [] }, this.#requestDurations);
      return;
    }
    switch (row.type) {
      case 'counter':
        this.#counters.set(name, new Counter(common));
        break;
      case 'gauge':
        this.#gauges.set(name, new Gauge(common));
        break;
      case 'histogram':
        this.#histograms.set(name, new Histogram({ ...common, buckets: [...(row.buckets ?? [])] }));
        break;
    }
  }

  #startAtZero(): void {
    for (const [name, row] of Object.entries(METRIC_TABLE)) {
      for (const labels of closedCombinations(row.labels)) {
        this.#counters.get(name)?.inc(labels, 0);
        this.#histograms.get(name)?.zero(labels);
      }
    }
  }

  #startCollection(collection: string): void {
    for (const outcome of METRIC_TABLE.pinnace_collection_renewals_total.labels.outcome) {
      this.count('pinnace_collection_renewals_total', { collection, outcome }, 0);
    }
    for (const outcome of METRIC_TABLE.pinnace_collection_publications_total.labels.outcome) {
      this.count('pinnace_collection_publications_total', { collection, outcome }, 0);
    }
  }

  #collectRequests(): void {
    REQUEST_KINDS.forEach((kind, row) => {
      REQUEST_VERDICTS.forEach((verdict, column) => {
        const total = this.#requests[row * REQUEST_VERDICTS.length + column] ?? 0;
        this.raiseTo('pinnace_requests_total', { kind, verdict }, total);
      });
    });
  }

  #collectLoopDelay(): void {
    const delays = this.#loopDelay.take();
    if (delays === undefined) return;
    const name = 'pinnace_event_loop_delay_seconds';
    this.set(name, { quantile: '0.5' }, delays.p50);
    this.set(name, { quantile: '0.99' }, delays.p99);
    this.set(name, { quantile: '1' }, delays.max);
  }
}

/** What several processes have counted, as if one had. */
export async function addUpMetrics(
  snapshots: readonly MetricsSnapshot[],
): Promise<MetricsSnapshot> {
  return await registryOf(snapshots).getMetricsAsJSON();
}

/** What stays counted when a process is gone: sums that must never go down, and nothing that was true of it alone. */
export function countersOf(snapshot: MetricsSnapshot): MetricsSnapshot {
  return snapshot.filter(({ type }) => type.toString() !== 'gauge');
}

function registryOf(snapshots: readonly MetricsSnapshot[]): Registry {
  return AggregatorRegistry.aggregate<typeof Registry.PROMETHEUS_CONTENT_TYPE>([...snapshots]);
}

/** A histogram whose numbers are kept elsewhere. */
class KeptHistogram extends Histogram {
  readonly #options: { readonly name: string; readonly help: string };
  readonly #counts: DurationCounts;

  constructor(options: HistogramConfiguration<string>, counts: DurationCounts) {
    super(options);
    this.#options = options;
    this.#counts = counts;
  }

  /** What prom-client's registry asks of a metric, and what `get` is made of there. */
  getForPromString(): Promise<object> {
    const { name, help } = this.#options;
    // What tells other processes of it takes each series apart from the labels that it shares; these share none.
    const values = this.#counts.series().map((series) => ({ ...series, sharedLabels: {} }));
    return Promise.resolve({ name, help, type: 'histogram', aggregator: 'sum', values });
  }
}

function texts(labels: object): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).map(([name, value]) => [name, String(value)]));
}

/** Every combination of label values, or none if a label's values are not known beforehand. */
function closedCombinations(labels: MetricRow['labels']): readonly Record<string, string>[] {
  let combinations: readonly Record<string, string>[] = [{}];
  for (const [label, values] of Object.entries(labels)) {
    combinations = combinations.flatMap((one) =>
      values.map((value) => ({ ...one, [label]: value })),
    );
  }
  return combinations;
}
