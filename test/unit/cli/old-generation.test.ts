import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';

const MODULE = new URL('../../../src/cli/heap.ts', import.meta.url).href;
const MIB = 2 ** 20;

/**
 * Keeps some 30 MiB of objects alive, each for long enough to become old, and exchanges all of them many times, in a process of
 * its own.
 *
 * @returns the most bytes of old objects, dead ones included, after the first rounds
 */
function mostOldBytes(first: string): number {
  const program = `
    import { getHeapSpaceStatistics } from 'node:v8';
    import { setImmediate as turn } from 'node:timers/promises';
    const { keepOldGenerationSmall } = await import(${JSON.stringify(MODULE)});
    ${first};
    const kept = Array.from({ length: 400_000 }, (_, index) => ({ index, more: [index] }));
    let most = 0;
    for (let round = 0; round < 2_000; round += 1) {
      for (let each = 0; each < 4_000; each += 1) {
        const index = (round * 4_000 + each) % kept.length;
        kept[index] = { index, more: [round] };
      }
      await turn();
      const spaces = getHeapSpaceStatistics();
      const old = spaces.find(({ space_name: name }) => name === 'old_space');
      if (round > 1_000) most = Math.max(most, old.space_used_size);
    }
    process.stdout.write(String(most));`;
  const words = ['--input-type=module', '--eval', program];
  return Number(execFileSync(process.execPath, words, { encoding: 'utf8' }));
}

test('old objects are collected much earlier than V8 would by itself', () => {
  const small = mostOldBytes('keepOldGenerationSmall()');
  const usual = mostOldBytes('');
  assert.ok(small < 0.7 * usual, `${small / MIB} MiB, and ${usual / MIB} MiB without it`);
});
