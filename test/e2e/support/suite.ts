import { after, test } from 'node:test';
import { type Component, has } from './components.ts';
import { Scratch } from './scratch.ts';

/** The part of node's test context that scenarios use. */
export interface Told {
  /** Says in one line what has just been seen; shown with the test's result. */
  diagnostic(message: string): void;
}

const TEST_TIMEOUT_MS = 180_000;

/**
 * The tests of one file and the lab they share. The lab is started by the first test that needs it and closed after the
 * last one, whatever happened in between; a missing program makes every test that needs it a named skip.
 */
export class LabSuite<Lab> {
  readonly #name: string;
  readonly #needed: readonly Component[];
  readonly #start: (scratch: Scratch) => Promise<Lab>;
  #scratch: Scratch | undefined;
  #lab: Promise<Lab> | undefined;

  constructor(
    name: string,
    needed: readonly Component[],
    start: (scratch: Scratch) => Promise<Lab>,
  ) {
    this.#name = name;
    this.#needed = needed;
    this.#start = start;
    after(async () => await this.#scratch?.close(), { timeout: TEST_TIMEOUT_MS });
  }

  /** Adds a test; `needed` are programs only this one needs. */
  test(
    title: string,
    needed: readonly Component[],
    body: (lab: Lab, told: Told) => Promise<void>,
    options: { readonly timeoutMs?: number } = {},
  ): void {
    test(title, { timeout: options.timeoutMs ?? TEST_TIMEOUT_MS }, async (t) => {
      if (!has(t, [...this.#needed, ...needed])) return;
      await body(await this.#running(), t);
    });
  }

  #running(): Promise<Lab> {
    this.#lab ??= this.#begin();
    return this.#lab;
  }

  async #begin(): Promise<Lab> {
    const startedAt = performance.now();
    process.stdout.write(`# ${this.#name}: starting the lab\n`);
    this.#scratch = new Scratch();
    const lab = await this.#start(this.#scratch);
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    process.stdout.write(`# ${this.#name}: the lab is up after ${seconds} s\n`);
    return lab;
  }
}
