import type { Clock } from '../base/clock.ts';
import { SingleFlight } from '../base/single-flight.ts';
import { askHelper } from './credential-helper.ts';
import type { Credentials, Secret } from './credentials.ts';
import { ExchangeError } from './errors.ts';

/** What the login of a credential helper is made from. */
export interface HelperOptions {
  /** What follows `docker-credential-` in the program's name. */
  readonly helper: string;
  /** The server address by which the helper knows the login. */
  readonly server: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly clock: Clock;
}

/** How long an answer is used without asking again, in milliseconds. */
const KEPT_MS = 10 * 60_000;
/** How soon after an answer the program is run again although the answer was refused: a refusal may be about one repository. */
const REFUSED_AGAIN_MS = 10_000;
/** How long a failure stands for the program's next runs. */
const FAILED_MS = 5_000;

/** The login that a credential helper gives, kept for ten minutes or until it is refused; many readers share one run. */
export class HelperCredentials implements Credentials {
  readonly #options: HelperOptions;
  readonly #flights = new SingleFlight<'run', Secret>();
  #kept: { readonly secret: Secret; readonly atMs: number } | undefined;
  #failed: { readonly error: ExchangeError; readonly atMs: number } | undefined;

  constructor(options: HelperOptions) {
    this.#options = options;
  }

  async read(_host: string): Promise<Secret> {
    if (this.#kept !== undefined && this.#ageMs(this.#kept) < KEPT_MS) return this.#kept.secret;
    if (this.#failed !== undefined && this.#ageMs(this.#failed) < FAILED_MS) {
      throw this.#failed.error;
    }
    return await this.#flights.run('run', () => this.#ask());
  }

  refused(secret: Secret): void {
    const kept = this.#kept;
    if (kept?.secret === secret && this.#ageMs(kept) >= REFUSED_AGAIN_MS) this.#kept = undefined;
  }

  async #ask(): Promise<Secret> {
    const { clock } = this.#options;
    try {
      const secret = await askHelper(this.#options);
      this.#kept = { secret, atMs: clock.monotonicMs() };
      this.#failed = undefined;
      return secret;
    } catch (error) {
      if (error instanceof ExchangeError) this.#failed = { error, atMs: clock.monotonicMs() };
      throw error;
    }
  }

  #ageMs({ atMs }: { readonly atMs: number }): number {
    return this.#options.clock.monotonicMs() - atMs;
  }
}
