import type { Clock } from '../base/clock.ts';

/** Whether requests are let through: `half-open` lets one try, on which it depends for the others. */
export type BreakerState = 'closed' | 'half-open' | 'open';

/** When a server is given a rest. */
export interface BreakerPolicy {
  /** Failures in a row that open it; 0: it never opens. */
  readonly failures: number;
  /** How long it stays open before one request may try, in milliseconds. */
  readonly openMs: number;
}

/** One request that was let through; what came of it is told once, and not at all if nobody knows. */
export interface BreakerPass {
  /** The server answered, whatever it said. */
  succeeded(): void;
  /** It did not answer, or only that it is out of order. */
  failed(): void;
  /** Nothing was learned. */
  abandoned(): void;
  /** Whether the others wait for what comes of this one. */
  readonly isTrial: boolean;
}

/** How long to wait, in milliseconds, when the end of somebody else's trial is waited for. */
const TRIAL_WAIT_MS = 1_000;

/** Stops asking a server that failed several times in a row, and lets one request try after a while. */
export class CircuitBreaker {
  readonly #policy: BreakerPolicy;
  readonly #clock: Clock;
  readonly #onChange: (state: BreakerState) => void;
  #failures = 0;
  /** Monotonic milliseconds from which a trial may be made; undefined while closed. */
  #trialAtMs: number | undefined;
  #isTrialUnderWay = false;
  /** Grows with each opening and closing: what began before says nothing about the time after. */
  #era = 0;

  constructor(policy: BreakerPolicy, clock: Clock, onChange: (state: BreakerState) => void) {
    this.#policy = policy;
    this.#clock = clock;
    this.#onChange = onChange;
  }

  get state(): BreakerState {
    if (this.#trialAtMs === undefined) return 'closed';
    return this.#isTrialUnderWay || this.#clock.monotonicMs() >= this.#trialAtMs
      ? 'half-open'
      : 'open';
  }

  /** How many failures in a row there were. */
  get failures(): number {
    return this.#failures;
  }

  /** How long no request is let through, in milliseconds; 0 when one is now. Looking changes nothing. */
  waitMs(): number {
    if (this.#trialAtMs === undefined) return 0;
    if (this.#isTrialUnderWay) return TRIAL_WAIT_MS;
    return Math.max(0, this.#trialAtMs - this.#clock.monotonicMs());
  }

  /** Lets a request through; only to be called while `waitMs` is 0. */
  begin(): BreakerPass {
    const isTrial = this.#trialAtMs !== undefined;
    if (isTrial) this.#isTrialUnderWay = true;
    const era = this.#era;
    const conclude = (act: () => void): void => {
      if (era === this.#era) act();
    };
    return {
      isTrial,
      succeeded: () => conclude(() => this.#succeeded()),
      failed: () => conclude(() => this.#failed()),
      abandoned: () =>
        conclude(() => {
          if (isTrial) this.#isTrialUnderWay = false;
        }),
    };
  }

  #succeeded(): void {
    this.#failures = 0;
    if (this.#trialAtMs === undefined) return;
    this.#trialAtMs = undefined;
    this.#isTrialUnderWay = false;
    this.#era += 1;
    this.#onChange('closed');
  }

  #failed(): void {
    this.#failures += 1;
    const { failures, openMs } = this.#policy;
    if (failures === 0 || this.#failures < failures) return;
    this.#trialAtMs = this.#clock.monotonicMs() + openMs;
    this.#isTrialUnderWay = false;
    this.#era += 1;
    this.#onChange('open');
  }
}
