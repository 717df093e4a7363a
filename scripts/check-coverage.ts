/**
 * Runs the tests that need nothing but Node, prints the branch coverage of each folder of `src/` and the branches of the
 * pure core that no test takes, and exits with 1 if a folder has less than its gate: `npm run coverage`.
 * `coverage/lcov.info` stays behind for editors. With `--report` the tests are not run again.
 */
import { spawnSync } from 'node:child_process';
import { globSync, mkdirSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { type FileCoverage, parseLcov } from './measure/lcov.ts';

const LCOV = 'coverage/lcov.info';
const SUITES = ['unit', 'contract', 'conformance'] as const;

/** Least share of branches taken, in per cent; end-to-end tests, which run most of `app` and `cli`, are not counted. */
const GATES: ReadonlyMap<string, number> = new Map([
  ['trust', 96],
  ['oci', 97],
  ['policy', 100],
  ['app', 75],
  ['cli', 60],
]);
const OTHER_GATE = 89;
const PURE: ReadonlySet<string> = new Set(['trust', 'oci', 'policy']);

function runTests(): void {
  mkdirSync('coverage', { recursive: true });
  const files = SUITES.flatMap((suite) => globSync(`test/${suite}/**/*.test.ts`)).sort();
  const run = spawnSync(
    process.execPath,
    [
      ...['--test', '--experimental-test-coverage', '--test-coverage-include=src/**/*.ts'],
      '--test-timeout=120000',
      ...['--test-reporter=dot', '--test-reporter-destination=stdout'],
      ...['--test-reporter=lcov', `--test-reporter-destination=${LCOV}`],
      ...files,
    ],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  );
  if (run.status !== 0) {
    process.stderr.write('coverage: a test failed, the numbers would mean nothing\n');
    process.exit(run.status ?? 1);
  }
}

function byFolder(files: readonly FileCoverage[]): ReadonlyMap<string, readonly FileCoverage[]> {
  const folders = new Map<string, FileCoverage[]>();
  for (const file of files) {
    const folder = relative('src', file.path).split(/[\\/]/)[0] ?? '';
    folders.set(folder, [...(folders.get(folder) ?? []), file]);
  }
  return new Map([...folders].sort(([one], [other]) => one.localeCompare(other)));
}

function share(files: readonly FileCoverage[]): number {
  const found = files.reduce((sum, file) => sum + file.branches, 0);
  const taken = files.reduce((sum, file) => sum + file.branchesTaken, 0);
  return found === 0 ? 100 : (taken / found) * 100;
}

/** Prints one line for the folder and gives back whether it passes its gate. */
function judge(folder: string, files: readonly FileCoverage[]): boolean {
  const gate = GATES.get(folder) ?? OTHER_GATE;
  const reached = share(files);
  const isEnough = reached >= gate;
  const verdict = isEnough ? '' : '  TOO LOW';
  const name = folder.padEnd(10);
  process.stdout.write(`${name} ${reached.toFixed(1).padStart(5)} %  (gate ${gate} %)${verdict}\n`);
  if (PURE.has(folder)) {
    for (const { path, missedLines } of files) {
      if (missedLines.length > 0) process.stdout.write(`  ${path}: ${missedLines.join(', ')}\n`);
    }
  }
  return isEnough;
}

if (!process.argv.includes('--report')) runTests();
const covered = parseLcov(readFileSync(LCOV, 'utf8')).filter(({ path }) => path.startsWith('src'));
process.stdout.write('\nbranches taken by unit, contract and conformance tests\n');
const results = [...byFolder(covered)].map(([folder, files]) => judge(folder, files));
process.stdout.write(`${'all'.padEnd(10)} ${share(covered).toFixed(1).padStart(5)} %\n`);
process.exitCode = results.every(Boolean) ? 0 : 1;
