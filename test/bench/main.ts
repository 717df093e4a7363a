import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { killAllNow } from '../e2e/support/process.ts';
import { type Outputs, readCommandLine, type SoakWishes, type Wishes } from './command-line.ts';
import { pinThisProcess } from './cores.ts';
import { machineLine } from './machine.ts';
import { lacking, measure } from './measure.ts';
import { keep, renderDocsFolder } from './page/docs-folder.ts';
import type { Kept } from './page/render.ts';
import { type Pictures, picturesOf } from './plots.ts';
import { profileTables } from './profile/report.ts';
import { profilePaths } from './profile/run.ts';
import type { BenchResult, Measured, Unmeasured } from './results.ts';
import { SCENARIOS } from './scenarios.ts';
import { Site } from './site.ts';
import { soakOrigin, soakPicture, soakTables } from './soak/report.ts';
import { soak } from './soak/run.ts';

async function main(words: readonly string[]): Promise<number> {
  const command = readCommandLine(words);
  switch (command.kind) {
    case 'say':
      process.stdout.write(command.text);
      return command.exitCode;
    case 'render':
      renderDocsFolder();
      return 0;
    case 'soak':
      return await soakMain(command.soak);
    case 'profile':
      return await profileMain(command.outputs);
    case 'measure':
      return await benchMain(command.wishes);
  }
}

async function benchMain(wishes: Wishes): Promise<number> {
  const result = await measureAll(wishes);
  await writeOut(wishes, 'bench', result, picturesOf(result));
  return result.unmeasured.length > 0 ? 1 : 0;
}

async function soakMain(wishes: SoakWishes): Promise<number> {
  print(machineLine());
  pinThisProcess();
  const result = await soak({ ...wishes, progress });
  print(`\n${soakOrigin(result)}\n\n${soakTables(result)}`);
  for (const problem of result.problems) print(`\nWRONG: ${problem}`);
  await writeOut(wishes, 'soak', result, new Map([['soak.svg', soakPicture(result)]]));
  return result.problems.length > 0 ? 1 : 0;
}

async function profileMain(outputs: Outputs): Promise<number> {
  print(machineLine());
  pinThisProcess();
  const result = await profilePaths(progress);
  print(`\n${profileTables(result)}`);
  await writeOut(outputs, 'profile', result, new Map());
  return 0;
}

async function writeOut<Name extends keyof Kept>(
  { json, plots, docs }: Outputs,
  name: Name,
  result: Kept[Name],
  pictures: Pictures,
): Promise<void> {
  if (json !== undefined) await writeFile(json, `${JSON.stringify(result, undefined, 2)}\n`);
  if (plots !== undefined) await writePictures(plots, pictures);
  if (!docs) return;
  keep(name, result);
  renderDocsFolder();
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
