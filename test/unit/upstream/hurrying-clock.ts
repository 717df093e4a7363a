import { FakeClock } from '../../support/fake-clock.ts';

/** A fake clock on which short pauses are over at once and remembered; longer timers wait to be advanced to. */
export class HurryingClock extends FakeClock {
  readonly pausesMs: number[] = [];

  override after(delayMs: number, action: () => void): { cancel(): void } {
    if (delayMs > 5000) return super.after(delayMs, action);
    this.pausesMs.push(delayMs);
    const immediate = setImmediate(action);
    return { cancel: () => clearImmediate(immediate) };
  }
}
