import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { killAllNow } from '../e2e/support/process.ts';
import { readCommandLine, type Wishes } from './command-line.ts';
import { pinThisProcess } from './cores.ts';
import { machineLine } from './machine.ts';
import { lacking, measure } from './measure.ts';
import { keep, renderDocsFolder } from './page/docs-folder.ts';
import { type Pictures, picturesOf } from './plots.ts';
import type { BenchResult, Measured, Unmeasured } from './results.ts';
import { SCENARIOS } from './scenarios.ts';
import { Site } from './site.ts';

async function main(words: readonly string[]): Promise<number> {
  const command = readCommandLine(words);
  if (command.kind === 'say') {
    process.stdout.write(command.text);
    return command.exitCode;
  }
  if (command.kind === 'render') {
    renderDocsFolder();
    return 0;
  }
  const { json, plots, docs, ...chosen } = command.wishes;
  const result = await measureAll(chosen);
  if (json !== undefined) await writeFile(json, `${JSON.stringify(result, undefined, 2)}\n`);
  if (plots !== undefined) await writePictures(plots, picturesOf(result));
  if (docs) {
    keep('bench', result);
    renderDocsFolder();
  }
  return result.unmeasured.length > 0 ? 1 : 0;
}

async function writePictures(folder: string, pictures: Pictures): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [name, svg] of pictures) await writeFile(join(folder, name), svg);
}

async function measureAll({
  isQuick,
  only,
}: Pick<Wishes, 'isQuick' | 'only'>): Promise<BenchResult> {
  const chosen = SCENARIOS.filter(({ name }) => only.length === 0 || only.includes(name));
  const startedAt = new Date().toISOString();
  const begin = performance.now();
  const machine = machineLine();
  print(machine);
  for (const lack of lacking(chosen)) print(lack);
  pinThisProcess();
  const results: (Measured | Unmeasured)[] = [];
  for (const scenario of chosen) {
    results.push(await measure(scenario, isQuick, { print, progress }));
  }
  const scenarios = results.filter((each) => 'rows' in each);
  const unmeasured = results.filter((each) => 'why' in each);
  const tookSeconds = (performance.now() - begin) / 1000;
  const missed = scenarios.flatMap(({ rows }) =>
    rows.filter(({ budget }) => !(budget?.isMet ?? true)),
  );
  print(
    `\n${scenarios.length} scenarios measured in ${tookSeconds.toFixed(0)} s, ${unmeasured.length} not; ${missed.length} budgets missed`,
  );
  return { machine, startedAt, isQuick, tookSeconds, scenarios, unmeasured };
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function progress(text: string): void {
  process.stderr.write(`${text}\n`);
}

process.on('exit', () => {
  killAllNow();
  Site.removeAllNow();
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => process.exit(1));
}
process.exitCode = await main(process.argv.slice(2));
