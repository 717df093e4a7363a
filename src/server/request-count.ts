/** Counts the requests under way, so that what they need can be released after the last one. */
export class RequestCount {
  #count = 0;
  #waiting: (() => void)[] = [];

  /** A request has begun. */
  begin(): void {
    this.#count += 1;
  }

  /** A request has ended. */
  end(): void {
    this.#count -= 1;
    if (this.#count > 0 || this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  /** Resolves when no request is under way. */
  idle(): Promise<void> {
    if (this.#count === 0) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    return promise;
  }
}
