import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { killAllNow } from '../e2e/support/process.ts';
import { whyMissing } from './contender.ts';
import { machineLine } from './machine.ts';
import { type Row, rowsOf, tableOf } from './report.ts';
import type { BenchContext, Scenario } from './scenario.ts';
import { SCENARIOS } from './scenarios.ts';
import { Site } from './site.ts';

const HELP = `Measures Pinnace beside its peers, in one run, in turns.

Usage: npm run bench -- [options]

  --quick            every scenario, smaller and shorter: under two minutes
  --only NAME        one scenario; may be repeated
  --json FILE        writes what was measured as JSON
  --list             names the scenarios
  --help             shows this

Ratios above 1 mean that Pinnace is the better one. The peers are Debian packages (nginx-light, docker-registry);
one that is missing is named, and what needs it is not measured. Exit code: 0 measured, 1 something failed, 64 usage.
`;

/** What the command line asks for. */
interface Wishes {
  readonly isQuick: boolean;
  readonly only: readonly string[];
  readonly json: string | undefined;
}

/** A scenario's result, as written to the JSON file. */
interface Measured {
  readonly scenario: string;
  readonly question: string;
  readonly rows: readonly Row[];
  readonly checked: readonly string[];
  readonly curve?: unknown;
}

async function main(words: readonly string[]): Promise<number> {
  const wishes = wishesOf(words);
  if (typeof wishes === 'number') return wishes;
  const chosen = SCENARIOS.filter(
    ({ name }) => wishes.only.length === 0 || wishes.only.includes(name),
  );
  const measured: Measured[] = [];
  let failed = 0;
  print(machineLine());
  for (const scenario of chosen) {
    const result = await measure(scenario, wishes.isQuick);
    if (result === undefined) failed += 1;
    else measured.push(result);
  }
  if (wishes.json !== undefined) {
    const document = { machine: machineLine(), quick: wishes.isQuick, scenarios: measured };
    await writeFile(wishes.json, `${JSON.stringify(document, undefined, 2)}\n`);
  }
  print(`\n${measured.length} scenarios measured, ${failed} not`);
  return failed > 0 ? 1 : 0;
}

function wishesOf(words: readonly string[]): Wishes | number {
  try {
    const { values } = parseArgs({
      args: [...words],
      options: {
        quick: { type: 'boolean', default: false },
        only: { type: 'string', multiple: true, default: [] },
        json: { type: 'string' },
        list: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) return print(HELP);
    if (values.list)
      return print(SCENARIOS.map(({ name, question }) => `${name}: ${question}`).join('\n'));
    const unknown = values.only.find((name) => SCENARIOS.every((each) => each.name !== name));
    if (unknown === undefined)
      return { isQuick: values.quick, only: values.only, json: values.json };
    print(`There is no scenario "${unknown}"; --list names them.`);
  } catch (error) {
    print(`${error instanceof Error ? error.message : String(error)}\n\n${HELP}`);
  }
  return 64;
}

async function measure(scenario: Scenario, isQuick: boolean): Promise<Measured | undefined> {
  print(`\n## ${scenario.name}: ${scenario.question}\n`);
  const missing = scenario.needs.flatMap((program) => whyMissing(program) ?? []);
  if (missing.length > 0) {
    print(`NOT MEASURED: ${missing.join('; ')}`);
    return undefined;
  }
  try {
    await using site = await Site.start();
    const begin = performance.now();
    const context: BenchContext = {
      site,
      isQuick,
      rounds: isQuick ? 2 : 7,
      seconds: isQuick ? 1 : 3,
      say: (text) => process.stderr.write(`   ${scenario.name}: ${text}\n`),
    };
    const outcome = await scenario.run(context);
    const rows = rowsOf(scenario, outcome);
    print(tableOf(rows));
    print(`\nMade sure meanwhile: ${outcome.checked.join('; ')}.`);
    print(`(${((performance.now() - begin) / 1000).toFixed(0)} s)`);
    const { name, question } = scenario;
    return { scenario: name, question, rows, checked: outcome.checked, curve: outcome.curve };
  } catch (error) {
    print(`FAILED: ${error instanceof Error ? error.stack : String(error)}`);
    return undefined;
  }
}

function print(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}

process.on('exit', killAllNow);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));
process.exitCode = await main(process.argv.slice(2));
