import { VERSION } from '../base/version.ts';
import { printable } from '../config/errors.ts';
import { type CanaryReport, type RegistryReport, worst } from './doctor-check.ts';
import type { EngineFacts, EngineKind } from './doctor-engine.ts';
import type { Judgement } from './doctor-judge.ts';
import type { SettingsFile } from './engine-settings/settings.ts';
import { EXIT } from './exit-codes.ts';

/** What was found on one engine. */
export interface EngineReport {
  readonly engine: EngineKind;
  readonly address: string;
  readonly engineVersion: string;
  readonly store?: string;
  readonly registries: readonly RegistryReport[];
}

/** What `pinnace doctor --json` prints. Members may be added; those there are keep their meaning. */
export interface DoctorReport {
  /** Of this shape: 1. */
  readonly version: 1;
  readonly pinnace: string;
  /** RFC 3339. */
  readonly at: string;
  readonly verdict: Judgement['verdict'];
  readonly engines: readonly EngineReport[];
  /** What kept the doctor from finding out, in words. */
  readonly problems: readonly string[];
}

/** Puts a report together. */
export function doctorReport(
  engines: readonly EngineReport[],
  { at, problems }: { readonly at: Date; readonly problems: readonly string[] },
): DoctorReport {
  const verdicts = engines.flatMap(({ registries }) => registries.map(({ verdict }) => verdict));
  const verdict = worst(problems.length > 0 ? [...verdicts, 'unknown'] : verdicts);
  return { version: 1, pinnace: VERSION, at: at.toISOString(), verdict, engines, problems };
}

/** An engine's part of a report. */
export function engineReport(
  engine: { readonly kind: EngineKind; readonly address: string },
  { version, store }: EngineFacts,
  registries: readonly RegistryReport[],
): EngineReport {
  const { kind, address } = engine;
  const shared = { engine: kind, address, engineVersion: version, registries };
  return store === undefined ? shared : { ...shared, store };
}

/** 0 every refusal held, 1 one did not, 2 could not find out. */
export function exitCodeOf(verdict: Judgement['verdict']): number {
  const codes = { held: EXIT.ok, 'not-held': EXIT.refused, unknown: EXIT.inconclusive } as const;
  return codes[verdict];
}

/** The report for people. */
export function doctorText(report: DoctorReport): string {
  const lines = report.engines.flatMap((engine) => [
    `${engine.engine} ${engine.engineVersion}${engine.store === undefined ? '' : ` (${engine.store} store)`}, ${engine.address}`,
    ...engine.registries.flatMap(registryLines),
    '',
  ]);
  const problems = report.problems.map((problem) => `could not find out: ${problem}`);
  return `${[...lines, ...problems, SUMMARY[report.verdict]].map(printable).join('\n')}\n`;
}

const SUMMARY = {
  held: 'Refusals hold on this host. That an engine takes them says nothing of what the policy refuses: see "pinnace resolve IMAGE".',
  'not-held': 'A refusal does NOT hold on this host.',
  unknown: 'Could not find out whether refusals hold on this host.',
} as const;

const VERDICTS = { held: 'held', 'not-held': 'NOT HELD', unknown: 'unknown' } as const;

function registryLines(registry: RegistryReport): readonly string[] {
  return [
    `  ${registry.registry}: ${VERDICTS[registry.verdict]}`,
    ...registry.canaries.flatMap(canaryLines),
    ...registry.fixes.map((fix) => `    -> ${fix}`),
    ...registry.settings.flatMap(settingsLines),
  ];
}

function settingsLines({ path, text }: SettingsFile): readonly string[] {
  return [
    `       ${path}:`,
    ...text
      .trimEnd()
      .split('\n')
      .map((line) => `         ${line}`),
  ];
}

function canaryLines(canary: CanaryReport): readonly string[] {
  const { verdict, certainty, says, sentence, engineSaid, digest, isRemoved, image } = canary;
  const sure = verdict === 'unknown' ? '' : `, ${certainty}`;
  const lines = [`    ${canary.canary.padEnd(8)} ${VERDICTS[verdict]}${sure}: ${says}`];
  if (sentence !== undefined) lines.push(`             "${sentence}"`);
  else if (verdict !== 'held' && engineSaid !== undefined) {
    lines.push(`             the engine said: ${engineSaid.split('\n').at(-1)}`);
  }
  if (verdict !== 'held' && digest !== undefined) lines.push(`             landed: ${digest}`);
  if (isRemoved === false) lines.push(`             it could not be removed: ${image}`);
  return lines;
}
