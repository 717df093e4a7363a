/**
 * Prints the size and shape of the code as JSON: `npm run --silent measure`. With `--check` it prints the limits that are
 * broken instead, one a line, and exits with 1 if there are any.
 */
import { globSync, readFileSync } from 'node:fs';
import { importCycles } from './measure/import-cycles.ts';
import { brokenLimits } from './measure/limits.ts';
import { factsOf, type SourceFacts } from './measure/source-facts.ts';

const AREAS = ['src', 'test', 'demo', 'scripts'] as const;
const LONGEST = 10;

type Files = ReadonlyMap<string, SourceFacts>;

function readAll(): Files {
  const paths = AREAS.flatMap((area) => globSync(`${area}/**/*.ts`));
  const posix = paths.map((path) => path.replaceAll('\\', '/')).sort();
  return new Map(posix.map((path) => [path, factsOf(path, readFileSync(path, 'utf8'))]));
}

function within(files: Files, prefix: string): Files {
  return new Map([...files].filter(([path]) => path.startsWith(prefix)));
}

function sum(files: Files, pick: (facts: SourceFacts) => number): number {
  let total = 0;
  for (const facts of files.values()) total += pick(facts);
  return total;
}

/** Parts of `src/` and `test/` by folder, everything else as one. */
function folders(files: Files): Readonly<Record<string, object>> {
  const names = new Set([...files.keys()].map((path) => folderOf(path)));
  const rows = [...names].map((name): [string, object] => {
    const inside = new Map([...files].filter(([path]) => folderOf(path) === name));
    return [name, { files: inside.size, lines: sum(inside, ({ lines }) => lines) }];
  });
  return Object.fromEntries(rows);
}

function folderOf(path: string): string {
  const parts = path.split('/').slice(0, -1);
  return parts.slice(0, parts[0] === 'test' && parts[1] === 'unit' ? 3 : 2).join('/');
}

function largestFiles(files: Files): readonly object[] {
  return [...files]
    .map(([path, { lines }]) => ({ path, lines }))
    .sort((one, other) => other.lines - one.lines)
    .slice(0, LONGEST);
}

function longestFunctions(files: Files): readonly object[] {
  return [...files]
    .flatMap(([path, { functions }]) => functions.map((one) => ({ path, ...one })))
    .sort((one, other) => other.lines - one.lines)
    .slice(0, LONGEST);
}

function totals(files: Files): object {
  const lines = sum(files, (facts) => facts.lines);
  const blank = sum(files, (facts) => facts.blankLines);
  const comments = sum(files, (facts) => facts.commentLines);
  return {
    files: files.size,
    lines,
    functions: sum(files, ({ functions }) => functions.length),
    commentShare: ratio(comments, lines - blank),
    any: sum(files, ({ anys }) => anys),
    nonNullAssertions: sum(files, ({ nonNullAssertions }) => nonNullAssertions),
    casts: sum(files, ({ casts }) => casts),
    suppressions: sum(files, ({ suppressions }) => suppressions),
  };
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.round((part / whole) * 1000) / 1000;
}

function report(files: Files, cycles: readonly (readonly string[])[]): object {
  const source = within(files, 'src/');
  const test = within(files, 'test/');
  return {
    source: totals(source),
    test: totals(test),
    tools: totals(new Map([...within(files, 'demo/'), ...within(files, 'scripts/')])),
    testToSource: ratio(
      sum(test, ({ lines }) => lines),
      sum(source, ({ lines }) => lines),
    ),
    folders: folders(files),
    largestFiles: largestFiles(source),
    longestFunctions: longestFunctions(source),
    importCycles: cycles,
    brokenLimits: brokenLimits(files, cycles),
  };
}

const files = readAll();
const cycles = importCycles(files);
if (process.argv.includes('--check')) {
  const broken = brokenLimits(files, cycles);
  for (const line of broken) process.stderr.write(`${line}\n`);
  process.stdout.write(`${files.size} files, ${broken.length} limits broken\n`);
  process.exitCode = broken.length === 0 ? 0 : 1;
} else {
  process.stdout.write(`${JSON.stringify(report(files, cycles), null, 2)}\n`);
}
