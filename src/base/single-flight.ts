/** Joins concurrent calls for the same key into one piece of work whose result all callers share. */
export class SingleFlight<Key, Value> {
  readonly #flights = new Map<Key, Promise<Value>>();
  #joined = 0;

  /** How many calls have joined work that was already under way. */
  get joined(): number {
    return this.#joined;
  }

  /** Runs `work` unless work for `key` is under way, in which case its result (or error) is shared. */
  run(key: Key, work: () => Promise<Value>): Promise<Value> {
    const running = this.#flights.get(key);
    if (running !== undefined) {
      this.#joined += 1;
      return running;
    }
    const flight = work().finally(() => this.#flights.delete(key));
    this.#flights.set(key, flight);
    return flight;
  }
}
