import type { AddressInfo } from 'node:net';
import type { ListenerConfig } from '../config/config.ts';
import type { HttpLimits } from '../server/http-limits.ts';
import { type NextConfiguration, RegistryListener } from '../server/registry-listener.ts';

/** What a listener of the configuration answers by. */
export type ForListener = (listener: ListenerConfig) => NextConfiguration;

/** Told of each address as soon as it is bound. */
export type OnBound = (listener: string, address: AddressInfo) => void;

/** The addresses at which engines pull, whoever serves the connections. */
export interface Listeners {
  /** Whether engines can be sent here. */
  readonly isAccepting: boolean;
  /** Binds all addresses; resolves when engines can be sent there. @throws {Error} of `node:net` */
  start(onBound: OnBound): Promise<void>;
  /**
   * Makes ready to answer by another configuration.
   *
   * @returns what puts it in force at one stroke and does not fail
   * @throws {Error} of `node:tls` for an unusable certificate
   */
  prepare(listeners: readonly ListenerConfig[], next: ForListener): () => void;
  /** Stops accepting, lets pulls in flight finish for at most `drainMs` milliseconds, then cuts what is left. */
  stop(options: { readonly drainMs: number }): Promise<void>;
}

/** Listeners that this process serves itself. */
export class OwnListeners implements Listeners {
  readonly #listeners: ReadonlyMap<string, RegistryListener>;
  #isAccepting = false;

  constructor(listeners: readonly ListenerConfig[], now: ForListener, limits: Partial<HttpLimits>) {
    this.#listeners = new Map(
      listeners.map((listener) => [
        listener.name,
        new RegistryListener({ ...listener.address, ...now(listener), limits }),
      ]),
    );
  }

  get isAccepting(): boolean {
    return this.#isAccepting;
  }

  async start(onBound: OnBound): Promise<void> {
    for (const [name, listener] of this.#listeners) onBound(name, await listener.start());
    this.#isAccepting = true;
  }

  prepare(listeners: readonly ListenerConfig[], next: ForListener): () => void {
    const commits = listeners.map((listener) =>
      this.#listeners.get(listener.name)?.prepare(next(listener)),
    );
    return () => {
      for (const commit of commits) commit?.();
    };
  }

  async stop(options: { readonly drainMs: number }): Promise<void> {
    this.#isAccepting = false;
    const listeners = [...this.#listeners.values()];
    await Promise.all(listeners.map(async (listener) => await listener.stop(options)));
  }
}
