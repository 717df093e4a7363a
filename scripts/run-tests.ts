/**
 * Runs the test suites named on the command line with node's test runner: `node scripts/run-tests.ts unit contract`.
 * Each suite is a folder below `test/`. Of end-to-end tests two files run at a time: each has engines, ports and networks of its own, and
 * mostly waits for them.
 */
import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';

const suites = process.argv.slice(2).filter((word) => !word.startsWith('-'));
const flags = process.argv.slice(2).filter((word) => word.startsWith('-'));
const files = suites.flatMap((suite) =>
  suite.endsWith('.ts') ? [suite] : globSync(`test/${suite}/**/*.test.ts`).sort(),
);
if (files.length === 0) {
  process.stderr.write(`no test files in: ${suites.join(' ')}\n`);
  process.exit(1);
}
const concurrency = suites.includes('e2e') ? 2 : Math.max(2, availableParallelism());
const child = spawn(
  process.execPath,
  [
    '--test',
    `--test-timeout=${suites.includes('e2e') ? 400_000 : 180_000}`,
    `--test-concurrency=${concurrency}`,
    ...flags,
    ...files,
  ],
  { stdio: 'inherit' },
);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => child.kill(signal));
}
child.on('exit', (code, signal) => {
  process.exit(signal === null ? (code ?? 1) : 1);
});
