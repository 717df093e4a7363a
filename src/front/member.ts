import type { Socket } from 'node:net';
import type { MetricsSnapshot } from '../observe/metrics.ts';
import type { FrontProcess } from './front-process.ts';
import type { FromFront, ToFront } from './messages.ts';

/** A connection on its way to a front. */
export interface HandedConnection {
  readonly listener: string;
  readonly socket: Socket;
}

/** Who hears what becomes of a member. */
export interface MemberEvents {
  /** It is loaded, and waits to be told what to do. */
  booted(member: Member): void;
  /** It takes connections. */
  ready(member: Member): void;
  /** It has forgotten what it was told to. */
  settled(): void;
  died(member: Member, how: string): void;
}

/** One front of the fleet, with what is under way between it and the core. */
export class Member {
  readonly startedAtMs: number;
  readonly #process: FrontProcess;
  readonly #events: MemberEvents;
  /** Connections it has not said to have. */
  readonly #handed = new Map<number, HandedConnection>();
  readonly #questions = new Map<number, () => void>();
  #lastId = 0;
  #isReady = false;
  #hasServed = false;
  #isGone = false;
  #settledEpoch = 0;
  #counts: MetricsSnapshot = [];

  /** @param startedAtMs - monotonic milliseconds */
  constructor(process: FrontProcess, startedAtMs: number, events: MemberEvents) {
    this.#process = process;
    this.startedAtMs = startedAtMs;
    this.#events = events;
    process.onMessage((message) => this.#hear(message));
    process.onExit((how) => {
      this.#isGone = true;
      this.#isReady = false;
      for (const answer of this.#questions.values()) answer();
      events.died(this, how);
    });
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Whether it takes connections. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** Whether it ever took connections. */
  get hasServed(): boolean {
    return this.#hasServed;
  }

  /** What it said last of what it has counted. */
  get counts(): MetricsSnapshot {
    return this.#counts;
  }

  send(message: ToFront): void {
    this.#process.send(message);
  }

  /** Ends it at once; `died` follows. */
  kill(): void {
    this.#process.kill();
  }

  /** Whether nothing it keeps is older than this epoch. */
  hasSettled(epoch: number): boolean {
    return this.#isGone || this.#settledEpoch >= epoch;
  }

  /** Has it begin by what it is told; all that it is told later comes after that. */
  begin(message: Extract<ToFront, { readonly type: 'begin' }>): void {
    this.#settledEpoch = message.epoch;
    this.send(message);
  }

  /** Gives it a connection to serve. */
  hand(connection: HandedConnection): void {
    this.#lastId += 1;
    const id = this.#lastId;
    this.#handed.set(id, connection);
    const message = { type: 'connection', listener: connection.listener, id } as const;
    this.#process.send(message, connection.socket);
  }

  /** The connections that a dead front never took: not a byte of them has been read. */
  takeBack(): readonly HandedConnection[] {
    const back = [...this.#handed.values()];
    this.#handed.clear();
    return back;
  }

  /** Asks what it has counted; resolves when it has answered, or cannot any more. */
  async count(): Promise<void> {
    if (this.#isGone || !this.#isReady) return;
    this.#lastId += 1;
    const id = this.#lastId;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#questions.set(id, resolve);
    this.send({ type: 'count', id });
    await promise;
    this.#questions.delete(id);
  }

  #hear(message: FromFront): void {
    switch (message.type) {
      case 'booted':
        this.#events.booted(this);
        break;
      case 'ready':
        this.#isReady = true;
        this.#hasServed = true;
        this.#events.ready(this);
        break;
      case 'settled':
        this.#settledEpoch = Math.max(this.#settledEpoch, message.epoch);
        this.#events.settled();
        break;
      case 'taken':
        // Only this side's hold on it; the connection is the front's now.
        this.#handed.get(message.id)?.socket.destroy();
        this.#handed.delete(message.id);
        break;
      case 'counts':
        this.#counts = message.metrics;
        if (message.id !== undefined) this.#questions.get(message.id)?.();
        break;
    }
  }
}
