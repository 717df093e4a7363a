import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readCommandLine } from '../../bench/command-line.ts';
import { SCENARIOS } from '../../bench/scenarios.ts';
import { readTop } from './references.ts';

const PAGES = ['docs/performance.md', 'docs/operating.md', 'README.md'];

describe('what the documentation says of the bench', () => {
  for (const page of PAGES) {
    it(`${page} shows commands that the bench understands`, () => {
      const wrong = commandsOf(readTop(page)).filter((words) => {
        const command = readCommandLine(words);
        return command.kind === 'say' && command.exitCode !== 0;
      });
      assert.deepEqual(wrong, []);
    });
  }

  it('names no scenario that does not exist', () => {
    const names = new Set(SCENARIOS.map(({ name }) => name));
    const named = [
      ...readTop('docs/performance/tables.md').matchAll(/^## (.+)$/gm),
      ...readTop('docs/performance.md').matchAll(/^\| `([a-z-]+)` +\|/gm),
    ].map(([, name = '']) => name);
    assert.ok(named.length > 10);
    assert.deepEqual(
      named.filter((name) => !names.has(name)),
      [],
    );
  });
});

/** The words behind `npm run bench`, as they stand in code. */
function commandsOf(page: string): readonly (readonly string[])[] {
  const commands = [...page.matchAll(/npm run bench(?: -- ([^`#\n]*))?/g)];
  return commands.map(([, words = '']) => words.trim().split(/\s+/).filter(Boolean));
}
