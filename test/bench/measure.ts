import { reasonOf } from './peers.ts';
import { PEER_PROGRAMS, whyMissing } from './programs.ts';
import { type LeftOut, rowsOf, tableOf, unansweredOf } from './report.ts';
import type { Measured, Unmeasured } from './results.ts';
import type { BenchContext, Scenario } from './scenario.ts';
import { Site } from './site.ts';

/** Where a scenario's report goes: its table, and what is being done meanwhile. */
export interface Reporter {
  print(text: string): void;
  progress(text: string): void;
}

/** Measures one scenario and prints its table. */
export async function measure(
  scenario: Scenario,
  isQuick: boolean,
  { print, progress }: Reporter,
): Promise<Measured | Unmeasured> {
  const { name, question } = scenario;
  print(`\n## ${name}: ${question}\n`);
  const missing = scenario.needs.flatMap((program) => whyMissing(program) ?? []);
  if (missing.length > 0) {
    print(`NOT MEASURED: ${missing.join('; ')}`);
    return { scenario: name, why: missing.join('; ') };
  }
  const leftOut: LeftOut[] = [];
  const begin = performance.now();
  try {
    await using site = await Site.start();
    const context: BenchContext = {
      site,
      isQuick,
      rounds: isQuick ? 2 : 5,
      seconds: isQuick ? 1 : 3,
      say: (text) => progress(`   ${name}: ${text}`),
      leaveOut(peer, why) {
        leftOut.push({ peer, why });
        progress(`   ${name}: without ${peer}: ${why}`);
      },
    };
    const outcome = await scenario.run(context);
    const rows = rowsOf(scenario, outcome);
    const unanswered = unansweredOf(scenario, rows);
    const tookSeconds = (performance.now() - begin) / 1000;
    print(tableOf(rows, leftOut));
    for (const { peer, why } of leftOut) print(`\n${peer} was left out: ${why}.`);
    if (unanswered.length > 0) print(`\nBudgets without an answer: ${unanswered.join('; ')}.`);
    print(`\nMade sure meanwhile: ${outcome.checked.join('; ')}.\n(${tookSeconds.toFixed(0)} s)`);
    const { checked, curves = [] } = outcome;
    return { scenario: name, question, rows, checked, curves, leftOut, unanswered, tookSeconds };
  } catch (error) {
    print(`FAILED: ${error instanceof Error ? error.stack : String(error)}`);
    return { scenario: name, why: reasonOf(error) };
  }
}

/** What the machine lacks of all that scenarios compare with or need, each as a sentence. */
export function lacking(scenarios: readonly Scenario[]): readonly string[] {
  const wanted = new Set(scenarios.flatMap(({ needs, peers = [] }) => [...needs, ...peers]));
  return [...wanted].flatMap((program) => {
    const why = whyMissing(program);
    return why === undefined ? [] : [`${PEER_PROGRAMS[program].name} is not measured: ${why}`];
  });
}
