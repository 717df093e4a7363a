import { SILENT_CORE_EVENTS } from '../app/core-events.ts';
import { PolicyExamination, type PolicyView } from '../app/policy-examination.ts';
import { createPullCore, type PullCore } from '../app/pull-core.ts';
import { systemClock } from '../base/clock.ts';
import { VERSION } from '../base/version.ts';
import type { Config } from '../config/config.ts';
import { ConfigError, printable } from '../config/errors.ts';
import { loadConfig } from '../config/load.ts';
import { loadPolicyCases, ONLINE_VERDICTS, type PolicyCase } from '../config/policy-cases.ts';
import { ruleName } from '../policy/rule.ts';
import { EXIT } from './exit-codes.ts';
import type { CommandIo } from './serve.ts';

/** What `policy test` works with. */
export interface PolicyTestOptions extends CommandIo {
  /** The configuration, instead of the one that the file names. */
  readonly config?: string;
  /** Whether trust servers and registries are asked; default false. */
  readonly online?: boolean;
  readonly json?: boolean;
}

/** What a case came to. */
interface Found {
  readonly verdict: PolicyCase['expect'];
  readonly reason?: string;
  readonly rule?: string;
  readonly digest?: string;
}

interface Result {
  readonly image: string;
  readonly isAsExpected: boolean;
  readonly expected: Found;
  readonly found: Found;
}

/**
 * Compares what a configuration makes of images with what a file expects.
 *
 * @returns 0 all as expected, 1 some not, 2 some could not be found out, 64 the file cannot be read
 * @throws {ConfigError} `config_invalid` for the configuration
 */
export async function testPolicy(file: string, options: PolicyTestOptions): Promise<number> {
  const loaded = await readCases(file, options);
  if (loaded === undefined) return EXIT.usage;
  const { cases, path } = loaded;
  const { config } = await loadConfig(path, { env: options.env });
  const isOnline = options.online === true;
  const results = isOnline ? await askAll(config, cases) : viewAll(config, cases);
  options.stdout.write(
    options.json === true ? `${JSON.stringify(summary(results), null, 2)}\n` : toText(results),
  );
  const failed = results.filter(({ isAsExpected }) => !isAsExpected);
  if (failed.length === 0) return EXIT.ok;
  return failed.every(({ found }) => found.verdict === 'inconclusive')
    ? EXIT.inconclusive
    : EXIT.refused;
}

async function readCases(
  file: string,
  { config, online, stderr }: PolicyTestOptions,
): Promise<{ readonly cases: readonly PolicyCase[]; readonly path: string } | undefined> {
  try {
    const { cases, config: named } = await loadPolicyCases(file);
    const path = config ?? named;
    const needsOnline = cases.find(
      ({ expect, digest }) =>
        digest !== undefined || ONLINE_VERDICTS.some((each) => each === expect),
    );
    if (path !== undefined && (online === true || needsOnline === undefined))
      return { cases, path };
    stderr.write(
      path === undefined
        ? `${printable(file)} names no configuration: add config:, or use --config\n`
        : `${printable(needsOnline?.image ?? '')} expects what only a pull can show: use --online\n`,
    );
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    stderr.write(`${error.message}\n`);
  }
  return undefined;
}

function viewAll(config: Config, cases: readonly PolicyCase[]): readonly Result[] {
  const examination = new PolicyExamination(config);
  const now = systemClock.now();
  return cases.map((each) => {
    const view = examination.view(each.reference, each.caller, now);
    return compare(each, foundIn(view));
  });
}

function foundIn({ verdict, reason, rule }: PolicyView): Found {
  return {
    verdict,
    ...(reason === undefined ? {} : { reason }),
    ...(rule === undefined ? {} : { rule: ruleName(rule) }),
  };
}

async function askAll(config: Config, cases: readonly PolicyCase[]): Promise<readonly Result[]> {
  const events = SILENT_CORE_EVENTS;
  const core = createPullCore(config, { version: VERSION, clock: systemClock, events });
  try {
    await core.start();
    const results: Result[] = [];
    for (const each of cases) results.push(compare(each, await ask(core, each)));
    return results;
  } finally {
    await core.stop();
  }
}

async function ask(core: PullCore, { reference, caller }: PolicyCase): Promise<Found> {
  const { repository, tag, digest } = reference;
  const byTag = digest === undefined ? tag : undefined;
  const forbidden = core.pulls.forbids(repository, caller, byTag);
  if (forbidden !== undefined) return { ...named(forbidden.rule), ...forbiddenFound(forbidden) };
  if (core.pulls.treatment(repository, byTag) === 'unverified') {
    const rules = core.policy.rulesOf(repository);
    const rule = byTag === undefined ? rules.withoutTag : rules.forTag(byTag);
    return { verdict: 'unverified', ...named(rule && ruleName(rule)) };
  }
  const answer =
    digest === undefined
      ? await core.pulls.manifestByTag(repository, tag ?? failNoReference(), {})
      : await core.pulls.manifestByDigest(repository, digest, {});
  const rule = named(answer.rule);
  switch (answer.verdict) {
    case 'pinned':
      return { ...rule, verdict: 'pinned', digest: answer.digest };
    case 'let-through': {
      const { passage } = answer;
      if (passage.by === 'rule') return { ...rule, verdict: 'unverified', digest: answer.digest };
      const { reason } = passage.lifted;
      return { ...rule, verdict: passage.by, reason, digest: answer.digest };
    }
    default:
      return { ...rule, verdict: answer.verdict, reason: answer.reason };
  }
}

function forbiddenFound({ reason }: { readonly reason: string }): Found {
  return { verdict: 'refused', reason };
}

function named(rule: string | undefined): { readonly rule?: string } {
  return rule === undefined ? {} : { rule };
}

/** Whatever the case does not say may be as it is. */
function compare({ image, expect, reason, rule, digest }: PolicyCase, found: Found): Result {
  const expected: Found = {
    verdict: expect,
    ...(reason === undefined ? {} : { reason }),
    ...named(rule),
    ...(digest === undefined ? {} : { digest }),
  };
  // What the configuration has verified is pinned when it is asked for.
  const isSameVerdict =
    found.verdict === expect || (found.verdict === 'pinned' && expect === 'verified');
  const isAsExpected =
    isSameVerdict &&
    [
      [reason, found.reason],
      [rule, found.rule],
      [digest, found.digest],
    ].every(([wanted, got]) => wanted === undefined || wanted === got);
  return { image, isAsExpected, expected, found };
}

function summary(results: readonly Result[]): object {
  const failed = results.filter(({ isAsExpected }) => !isAsExpected).length;
  return { cases: results, asExpected: results.length - failed, failed };
}

function toText(results: readonly Result[]): string {
  const lines = results.flatMap(({ image, isAsExpected, expected, found }) =>
    isAsExpected
      ? [`ok    ${image}: ${described(found)}`]
      : [
          `FAIL  ${image}`,
          `        expected  ${described(expected)}`,
          `        found     ${described(found)}`,
        ],
  );
  const good = results.filter(({ isAsExpected }) => isAsExpected).length;
  return `${[...lines, '', `${good} of ${results.length} as expected`].map(printable).join('\n')}\n`;
}

function described({ verdict, reason, rule, digest }: Found): string {
  return [
    verdict,
    ...(reason === undefined ? [] : [`reason ${reason}`]),
    ...(digest === undefined ? [] : [digest]),
    ...(rule === undefined ? [] : [`rule "${rule}"`]),
  ].join(', ');
}

function failNoReference(): never {
  throw new Error('an image reference without tag and digest');
}
