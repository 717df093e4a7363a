import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { YOUNG_BYTES } from '../../../src/cli/heap.ts';

const MODULE = new URL('../../../src/cli/heap.ts', import.meta.url).href;

/**
 * Makes objects by the million, of which many live for a while, in a process of its own; has V8 give back what it can, as it
 * does when there is little to do; and makes them once more.
 *
 * @returns the bytes held for young objects after each of the three
 */
function youngBytesOfBursts(first: string): readonly number[] {
  const program = `
    import { setImmediate as turn } from 'node:timers/promises';
    const { keepYoungGenerationSmall, youngBytes } = await import(${JSON.stringify(MODULE)});
    ${first};
    async function burst() {
      for (let round = 0; round < 200; round += 1) {
        const kept = [];
        for (let index = 0; index < 200_000; index += 1) kept.push({ index });
        await turn();
      }
      return youngBytes();
    }
    const busy = await burst();
    await gc({ type: 'major', execution: 'async', flavor: 'last-resort' });
    const idle = youngBytes();
    process.stdout.write(JSON.stringify([busy, idle, await burst()]));`;
  const words = ['--expose-gc', '--input-type=module', '--eval', program];
  return JSON.parse(execFileSync(process.execPath, words, { encoding: 'utf8' }));
}

/** V8 may grow it once more before anybody looks. */
function assertAsLargeAsAllowed(bytes: number): void {
  assert.ok(bytes >= YOUNG_BYTES && bytes <= 2 * YOUNG_BYTES, `${bytes} bytes`);
}

test('a burst makes the young generation as large as it is allowed to be, and no larger', () => {
  const [busy = 0] = youngBytesOfBursts('keepYoungGenerationSmall()');
  assertAsLargeAsAllowed(busy);
  const [unbounded = 0] = youngBytesOfBursts('');
  assert.ok(unbounded > 2 * YOUNG_BYTES, `${unbounded} bytes without it`);
});

test('a young generation that was given back while there was little to do grows again with the next burst', () => {
  const [, idle = 0, again = 0] = youngBytesOfBursts('keepYoungGenerationSmall()');
  assert.ok(idle < YOUNG_BYTES, `${idle} bytes were kept: this test has nothing to see`);
  assertAsLargeAsAllowed(again);
});
