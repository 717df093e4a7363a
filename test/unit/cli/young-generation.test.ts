import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';

const MODULE = new URL('../../../src/cli/young-generation.ts', import.meta.url).href;

/** Makes objects by the million in a process of its own, of which many live for a while. @returns bytes held for young ones */
function youngBytesAfterBurst(first: string): number {
  const program = `
    const { keepYoungGenerationSmall, youngBytes } = await import(${JSON.stringify(MODULE)});
    ${first};
    let kept = [];
    for (let index = 0; index < 2_000_000; index += 1) {
      kept.push({ index });
      if (kept.length > 200_000) kept = [];
    }
    process.stdout.write(String(youngBytes()));`;
  const words = ['--input-type=module', '--eval', program];
  return Number(execFileSync(process.execPath, words, { encoding: 'utf8' }));
}

test('a burst does not make the young generation larger than it is allowed to be', async () => {
  const { YOUNG_BYTES } = await import(MODULE);
  assert.equal(youngBytesAfterBurst('keepYoungGenerationSmall()'), YOUNG_BYTES);
  assert.ok(youngBytesAfterBurst('') > 2 * YOUNG_BYTES);
});
