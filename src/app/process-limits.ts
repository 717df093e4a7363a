import type { Clock } from '../base/clock.ts';
import { LoopTurns } from '../base/loop-turns.ts';
import type { WaitingLimits } from '../base/waiting-line.ts';
import type { Config, LimitsConfig } from '../config/config.ts';
import type { ConfigProblem } from '../config/errors.ts';
import type { FrontLimits } from '../front/messages.ts';
import { collectLimit, type LimitName, type LimitUse } from '../observe/limit-use.ts';
import type { Metrics } from '../observe/metrics.ts';
import { ByteBudget, type ByteLimits } from '../resolve/byte-budget.ts';
import { type DownloadLimits, DownloadPlaces } from '../resolve/download-places.ts';
import { ConnectionPlaces } from '../server/connection-places.ts';
import { RequestPlaces } from '../server/request-places.ts';
import type { LimitStatus } from '../server/status-report.ts';

/** What the limits of a process depend on beside the configuration. */
export interface ProcessFacts {
  /** How many files the system lets a process open; absent: enough. */
  readonly openFiles?: number | undefined;
  /** How many processes serve connections; 1: this one. */
  readonly workers: number;
}

/** What of a configuration limits follow from. */
type Limiting = Pick<Config, 'limits' | 'upstreams'>;

/** Files that are open beside connections: the database, downloads, upstreams, and connections that are turned away. */
const OTHER_FILES = 300;

/** What this process takes on at once, whatever configuration is in force. */
export class ProcessLimits {
  readonly requests: RequestPlaces;
  readonly connections: ConnectionPlaces;
  readonly blobs: DownloadPlaces;
  readonly bytes: ByteBudget;
  /** For verifying metadata. */
  readonly turns = new LoopTurns();
  readonly #facts: ProcessFacts;

  constructor(clock: Clock, { limits, upstreams }: Limiting, facts: ProcessFacts) {
    this.#facts = facts;
    this.requests = new RequestPlaces(clock, limits);
    this.connections = new ConnectionPlaces(clock, this.#within(limits));
    this.blobs = new DownloadPlaces(clock, downloadLimits(limits, upstreams));
    this.bytes = new ByteBudget(clock, this.#memory(limits));
  }

  /** Takes over the limits of another configuration. */
  configure({ limits, upstreams }: Limiting): void {
    this.requests.configure(limits);
    this.connections.configure(this.#within(limits));
    this.blobs.configure(downloadLimits(limits, upstreams));
    this.bytes.configure(this.#memory(limits));
  }

  /** What each of the processes that serve connections takes on. */
  shareOf(limits: LimitsConfig): FrontLimits {
    const { queue, queueTimeoutMs, idleTimeoutMs, minRate } = limits;
    const { connections } = this.#within(limits);
    const memory = this.#memory(limits);
    return { connections, queue, queueTimeoutMs, idleTimeoutMs, minRate, memory };
  }

  /** The processes that serve connections send what is stored; this one has content that is on its way into the store. */
  #memory(limits: LimitsConfig): ByteLimits {
    const { workers } = this.#facts;
    const processes = workers === 1 ? 1 : workers + 1;
    const bufferedBytes = Math.ceil(limits.bufferedBytes / processes);
    return { bufferedBytes, waiting: blobLine(limits) };
  }

  /** How near each limit is. */
  statuses(): readonly LimitStatus[] {
    return this.#uses().map(([limit, { most, taken, waiting, turnedAway }]) => ({
      ...{ limit, most, taken, waiting, turnedAway },
    }));
  }

  /** Sets the gauges, and raises the counters, of all limits. */
  collect(metrics: Metrics): void {
    for (const [limit, use] of this.#uses()) collectLimit(metrics, limit, use);
  }

  /** What is doubtful about the limits, for the log. */
  warnings(limits: LimitsConfig): readonly ConfigProblem[] {
    const { openFiles, workers } = this.#facts;
    const connections = this.#within(limits).connections * workers;
    if (connections >= limits.connections) return [];
    const problem = `the system lets Pinnace open ${openFiles} files, so it takes ${connections} connections at once instead of ${limits.connections}`;
    const fix = 'raise the limit of open files (LimitNOFILE, ulimit -n)';
    return [{ path: 'limits.connections', problem, fix }];
  }

  #uses(): readonly (readonly [LimitName, LimitUse])[] {
    const own: readonly (readonly [LimitName, LimitUse])[] = [
      ['requests', this.requests],
      ['blobs', this.blobs],
      ['buffered_bytes', this.bytes],
    ];
    // With workers, those hold the connections, and count them.
    return this.#facts.workers === 1 ? [['connections', this.connections], ...own] : own;
  }

  /** Each connection may have a blob's file open; the rest is for the database, upstreams and downloads. */
  #within(limits: LimitsConfig): LimitsConfig {
    const { openFiles, workers } = this.#facts;
    const share = Math.ceil(limits.connections / workers);
    if (openFiles === undefined) return { ...limits, connections: share };
    const bearable = Math.max(1, Math.floor((openFiles - OTHER_FILES) / 2));
    return { ...limits, connections: Math.min(share, bearable) };
  }
}

function blobLine({ queue, blobQueueTimeoutMs }: LimitsConfig): WaitingLimits {
  return { most: queue, waitMs: blobQueueTimeoutMs };
}

function downloadLimits(limits: LimitsConfig, upstreams: Config['upstreams']): DownloadLimits {
  const { blobs } = limits;
  return { blobs, waiting: blobLine(limits), hasOneUpstream: upstreams.size < 2 };
}
