import type { ReasonCode } from '../base/reason-code.ts';

/** One refusal as the status page shows it. */
export interface PastRefusal {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** The tag or digest that was asked for. */
  readonly reference: string;
  readonly reason: ReasonCode;
  /** The sentence that the engine was given. */
  readonly message: string;
  /** The id under which the log has it. */
  readonly decision: string;
}

const MAX_REPOSITORIES = 512;
const MAX_EACH = 5;

/** The last refusals of each repository, in bounded memory: the repositories refused longest ago are forgotten first. */
export class RefusalHistory {
  readonly #byRepository = new Map<string, readonly PastRefusal[]>();

  /** Adds a refusal of a repository, by its full name. */
  add(repository: string, refusal: PastRefusal): void {
    const kept = [refusal, ...this.of(repository)].slice(0, MAX_EACH);
    this.#byRepository.delete(repository);
    this.#byRepository.set(repository, kept);
    const [oldest] = this.#byRepository.keys();
    if (this.#byRepository.size > MAX_REPOSITORIES && oldest !== undefined) {
      this.#byRepository.delete(oldest);
    }
  }

  /** The last refusals of a repository, newest first, at most 5. */
  of(repository: string): readonly PastRefusal[] {
    return this.#byRepository.get(repository) ?? [];
  }

  /** The repositories that have refusals, the newest last. */
  repositories(): readonly string[] {
    return [...this.#byRepository.keys()];
  }
}
