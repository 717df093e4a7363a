import type { Socket } from 'node:net';
import type { Clock, Timer } from '../base/clock.ts';
import type { Log } from '../observe/log.ts';
import {
  addUpMetrics,
  countersOf,
  type Metrics,
  type MetricsSnapshot,
} from '../observe/metrics.ts';
import type { WorkerStatus } from '../server/status-report.ts';
import type { FrontProcess } from './front-process.ts';
import { Member } from './member.ts';
import type { FrontSettings, ToFront } from './messages.ts';
import { WaitingConnections } from './waiting-connections.ts';

/** Options of a `Fleet`. */
export interface FleetOptions {
  /** How many fronts there are to be. */
  readonly size: number;
  readonly startProcess: () => FrontProcess;
  /** The clients that are watched, and for how many milliseconds yet. */
  readonly watched: () => ReadonlyMap<string, number>;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** A front that lived for less ends the patience with its successors; milliseconds. */
const SHORT_LIFE_MS = 10_000;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 30_000;
const LAST_ONE_PAUSE_MS = 500;
/** How long a front may take to forget before it is ended: until then nothing newer is answered by anybody. */
const FORGET_WITHIN_MS = 1_000;
const COUNT_WITHIN_MS = 1_000;
/** Beyond the drain time. */
const LAST_WORDS_MS = 2_000;

interface Slot {
  member: Member | undefined;
  restart: Timer | undefined;
  /** Lives in a row that were short. */
  shortLives: number;
}

/** The front processes: started, replaced when they die, told what holds no more, and brought to an orderly end. */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #slots: readonly Slot[];
  readonly #waiting = new WaitingConnections();
  #next = 0;
  #epoch = 1;
  #settledWaiters: { readonly epoch: number; readonly resolve: () => void }[] = [];
  #past: Promise<MetricsSnapshot> = Promise.resolve([]);
  #settings: (() => FrontSettings) | undefined;
  #isStopping = false;
  #firstLooks: (() => void)[] = [];

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#slots = Array.from({ length: options.size }, () => ({
      ...{ member: undefined, restart: undefined, shortLives: 0 },
    }));
  }

  /** Which conclusions are in force: whatever came of an earlier epoch must not be kept. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Whether some front takes connections. */
  get isAccepting(): boolean {
    return !this.#isStopping && this.#ready().length > 0;
  }

  /** The fronts there are. */
  get statuses(): readonly WorkerStatus[] {
    const nowMs = this.#options.clock.monotonicMs();
    return this.#members().map(({ pid, isReady, startedAtMs }) => ({
      ...{ pid, isReady, upSeconds: Math.floor((nowMs - startedAtMs) / 1000) },
    }));
  }

  /**
   * Starts all fronts; resolves when each takes connections.
   *
   * @param settings - what they work by, as of now
   * @throws {Error} when none can be started
   */
  async start(settings: () => FrontSettings): Promise<void> {
    this.#settings = settings;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#firstLooks.push(resolve);
    for (const slot of this.#slots) this.#launch(slot);
    await promise;
    if (this.#ready().length === 0) {
      throw new Error('the worker processes end as soon as they are started; the log says how');
    }
  }

  /** Has a connection served by one front after the other; it waits when there is none. */
  take(listener: string, socket: Socket): void {
    const ready = this.#ready();
    this.#next += 1;
    const member = ready[this.#next % ready.length];
    if (member === undefined) this.#waiting.add({ listener, socket });
    else member.hand({ listener, socket });
  }

  /** Has all fronts forget what they keep of this scope, or everything; `settled` says when they have. */
  forget(scope?: string): void {
    this.#epoch += 1;
    this.#require({
      type: 'forget',
      epoch: this.#epoch,
      ...(scope === undefined ? {} : { scope }),
    });
  }

  /** Has all fronts forget everything and work by the settings of now; `settled` says when they do. */
  configure(): void {
    this.#epoch += 1;
    const settings = this.#settings?.();
    if (settings === undefined) return;
    this.#require({ type: 'configure', epoch: this.#epoch, settings });
  }

  /** Has all requests of a client come to the core for this many milliseconds. */
  watch(client: string, forMs: number): void {
    for (const member of this.#members()) member.send({ type: 'watch', client, forMs });
  }

  /** Resolves when no front keeps anything that was to be forgotten before this call; undefined when that is so already. */
  settled(): Promise<void> | undefined {
    if (this.#isSettled(this.#epoch)) return undefined;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#settledWaiters.push({ epoch: this.#epoch, resolve });
    return promise;
  }

  /** What all fronts have counted, those that are gone included. */
  async counts(): Promise<readonly MetricsSnapshot[]> {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = this.#options.clock.after(COUNT_WITHIN_MS, resolve);
    const asking = this.#members().map(async (member) => await member.count());
    // Whoever is late is shown as it was last heard of.
    await Promise.race([Promise.all(asking), late]);
    timer.cancel();
    for (;;) {
      const latest = this.#past;
      const past = await latest;
      // One that died meanwhile is in the next sum, and not among the members any more.
      if (latest === this.#past) return [past, ...this.#members().map((member) => member.counts)];
    }
  }

  /** Lets fronts finish what they are at within `drainMs` milliseconds, and ends them. */
  async stop({ drainMs }: { readonly drainMs: number }): Promise<void> {
    this.#isStopping = true;
    this.#waiting.end();
    for (const slot of this.#slots) slot.restart?.cancel();
    const members = this.#members();
    if (members.length === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#firstLooks.push(resolve);
    for (const member of members) member.send({ type: 'drain', drainMs });
    const late = this.#options.clock.after(drainMs + LAST_WORDS_MS, () => {
      for (const member of this.#members()) member.kill();
    });
    await promise;
    late.cancel();
  }

  #launch(slot: Slot): void {
    const { startProcess, clock } = this.#options;
    slot.restart = undefined;
    slot.member = new Member(startProcess(), clock.monotonicMs(), {
      booted: (member) => this.#begin(member),
      ready: (member) => this.#welcome(member),
      settled: () => this.#tellSettled(),
      died: (member, how) => this.#bury(slot, member, how),
    });
  }

  #begin(member: Member): void {
    const settings = this.#settings?.();
    if (settings === undefined) return;
    member.begin({ type: 'begin', settings, epoch: this.#epoch });
    for (const [client, forMs] of this.#options.watched()) {
      member.send({ type: 'watch', client, forMs });
    }
    if (this.#isStopping) member.send({ type: 'drain', drainMs: 0 });
  }

  #welcome(member: Member): void {
    const { log, clock } = this.#options;
    const afterMs = Math.round(clock.monotonicMs() - member.startedAtMs);
    log.event('worker.started', { pid: member.pid, afterMs });
    this.#changed();
    for (const connection of this.#waiting.takeAll()) {
      this.take(connection.listener, connection.socket);
    }
  }

  #bury(slot: Slot, member: Member, how: string): void {
    const { log, metrics, clock } = this.#options;
    const counted = countersOf(member.counts);
    this.#past = this.#past.then(async (past) => await addUpMetrics([past, counted]));
    slot.member = undefined;
    for (const { listener, socket } of member.takeBack()) this.take(listener, socket);
    this.#tellSettled();
    if (!this.#isStopping) {
      const livedMs = clock.monotonicMs() - member.startedAtMs;
      const isShort = !member.hasServed || livedMs < SHORT_LIFE_MS;
      slot.shortLives = isShort ? slot.shortLives + 1 : 0;
      // With nobody left clients wait for this one, however often it has died.
      const longestMs = this.#members().length > 0 ? LONGEST_PAUSE_MS : LAST_ONE_PAUSE_MS;
      const pauseMs = Math.min(pauseAfter(slot.shortLives), longestMs);
      log.event('worker.died', { pid: member.pid, how, restartInMs: pauseMs });
      metrics.count('pinnace_worker_restarts_total', {});
      if (pauseMs === 0) this.#launch(slot);
      else slot.restart = clock.after(pauseMs, () => this.#launch(slot));
    }
    this.#changed();
  }

  #changed(): void {
    const ready = this.#ready().length;
    this.#options.metrics.set('pinnace_workers', {}, ready);
    const isDone = this.#isStopping
      ? this.#members().length === 0
      : this.#slots.every(({ member, shortLives }) => member?.isReady === true || shortLives > 1);
    if (!isDone) return;
    for (const look of this.#firstLooks.splice(0)) look();
  }

  #members(): readonly Member[] {
    return this.#slots.flatMap(({ member }) => (member === undefined ? [] : [member]));
  }

  #ready(): readonly Member[] {
    return this.#members().filter(({ isReady }) => isReady);
  }

  #require(message: ToFront & { readonly epoch: number }): void {
    for (const member of this.#members()) member.send(message);
    this.#limit(message.epoch);
  }

  /** A front that does not forget in time would answer what no longer holds: it is ended, and another one takes its place. */
  #limit(epoch: number): void {
    if (this.#isSettled(epoch)) return;
    this.#options.clock.after(FORGET_WITHIN_MS, () => {
      for (const member of this.#ready()) {
        if (member.hasSettled(epoch)) continue;
        this.#options.log.event('worker.silent', { pid: member.pid });
        member.kill();
      }
    });
  }

  /** Those that are not ready yet keep nothing, and hear what they are to forget before they are given a connection. */
  #isSettled(epoch: number): boolean {
    return this.#ready().every((member) => member.hasSettled(epoch));
  }

  #tellSettled(): void {
    const waiting = this.#settledWaiters;
    if (waiting.length === 0) return;
    this.#settledWaiters = waiting.filter(({ epoch }) => !this.#isSettled(epoch));
    for (const { epoch, resolve } of waiting) if (this.#isSettled(epoch)) resolve();
  }
}

/** The first one that dies is replaced at once. */
function pauseAfter(shortLives: number): number {
  if (shortLives <= 1) return 0;
  return FIRST_PAUSE_MS * 2 ** (shortLives - 2);
}
