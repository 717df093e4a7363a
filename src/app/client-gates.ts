import { AttemptLimiter } from '../auth/attempt-limiter.ts';
import { BasicGate } from '../auth/basic-gate.ts';
import { BcryptThread } from '../auth/bcrypt-thread.ts';
import { CertificateGate } from '../auth/certificate-gate.ts';
import type { Gate } from '../auth/gate.ts';
import { HtpasswdLogin, LoginMemory } from '../auth/htpasswd-login.ts';
import type { Clock } from '../base/clock.ts';
import type { BasicClientsConfig, ClientsConfig } from '../config/clients-config.ts';
import type { Log } from '../observe/log.ts';

/** What is remembered of callers from one configuration to the next: a reload must not make guesses free. */
export class ClientMemory {
  readonly comparer: BcryptThread = new BcryptThread();
  readonly logins: LoginMemory = new LoginMemory();
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #limiters = new Map<string, AttemptLimiter>();

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /** The limiter of an entry of `clients`. */
  limiterOf(clients: string): AttemptLimiter {
    const known = this.#limiters.get(clients);
    if (known !== undefined) return known;
    const limiter = new AttemptLimiter({
      clock: this.#clock,
      onLimit: ({ address, username }) =>
        this.#log.event('client.limited', { clients, client: address, user: username }),
    });
    this.#limiters.set(clients, limiter);
    return limiter;
  }

  /** Lets go of what is held open. */
  async close(): Promise<void> {
    await this.comparer.close();
  }
}

/** Makes a gate for each entry of `clients`; listeners with the same entry share it. */
export function createGates(
  clients: ReadonlyMap<string, ClientsConfig>,
  context: { readonly clock: Clock; readonly memory: ClientMemory },
): ReadonlyMap<string, Gate> {
  const { clock, memory } = context;
  const create = (config: ClientsConfig): Gate => {
    switch (config.kind) {
      case 'basic':
        return new BasicGate(config.name, htpasswdLogin(config, memory));
      case 'mtls':
        return new CertificateGate({ name: config.name, nameFrom: config.nameFrom, clock });
    }
  };
  return new Map([...clients].map(([name, config]) => [name, create(config)]));
}

function htpasswdLogin({ name, users }: BasicClientsConfig, memory: ClientMemory): HtpasswdLogin {
  const { comparer, logins } = memory;
  return new HtpasswdLogin({
    ...{ source: name, users, comparer, memory: logins },
    limiter: memory.limiterOf(name),
  });
}
