import { SILENT_CORE_EVENTS } from '../app/core-events.ts';
import { plainJson } from '../app/plain-json.ts';
import { type CoreEvents, createPullCore, type PullCore } from '../app/pull-core.ts';
import { roleStatuses } from '../app/status.ts';
import { systemClock } from '../base/clock.ts';
import { VERSION } from '../base/version.ts';
import { printable } from '../config/errors.ts';
import { loadConfig } from '../config/load.ts';
import type { ImageReference } from '../oci/image-reference.ts';
import { repositoryName } from '../oci/names.ts';
import { type Rule, ruleName } from '../policy/rule.ts';
import { REASON_TABLE } from '../refusal/reason-table.ts';
import type { LetThroughManifest, Refusal, ServedManifest } from '../resolve/pull-service.ts';
import { EXIT } from './exit-codes.ts';
import { imageArgument } from './image-argument.ts';
import { Progress } from './progress.ts';
import type { CommandIo } from './serve.ts';

/** How much of what a publisher says is shown as text, in characters. */
const MAX_SHOWN = 400;

/** What `resolve` works with. */
export interface ResolveOptions extends CommandIo {
  readonly config: string;
  readonly json?: boolean;
}

/** The verdict as `--json` prints it. */
interface Report {
  readonly image: string;
  readonly verdict:
    | 'pinned'
    | 'passed-through'
    | 'audit'
    | 'break-glass'
    | 'refused'
    | 'inconclusive';
  readonly steps: readonly string[];
  readonly repository: string;
  readonly reference: string;
  readonly rule?: string;
  readonly trust?: string;
  readonly signers?: readonly string[];
  readonly roles?: readonly {
    readonly role: string;
    readonly version: number;
    readonly expiresAt: string;
  }[];
  readonly digest?: string;
  readonly mediaType?: string;
  readonly size?: number;
  readonly publishedBy?: string;
  readonly freshUntil?: string;
  /** What the publisher says of the image beyond digest and length. */
  readonly custom?: unknown;
  readonly staleSeconds?: number;
  readonly reason?: string;
  readonly sentence?: string;
  readonly remedy?: string;
}

/**
 * Says what an image means and why, asking trust server and registry as a pull would.
 *
 * @returns 0 pinned (or passed through by an explicit rule), 1 refused, 2 could not find out, 64 not an image reference
 */
export async function resolveImage(text: string, options: ResolveOptions): Promise<number> {
  const image = imageArgument(text, options);
  if (image === undefined) return EXIT.usage;
  const { config } = await loadConfig(options.config, { env: options.env });
  const progress = new Progress(options.stderr);
  const events = eventsFor(progress, image);
  const core = createPullCore(config, { version: VERSION, clock: systemClock, events });
  try {
    await core.start();
    progress.step(`looking up ${text}`);
    const report = await examine(core, text, image);
    progress.end();
    options.stdout.write(
      options.json === true ? `${JSON.stringify(report, null, 2)}\n` : toText(report),
    );
    return exitCodeOf(report);
  } finally {
    progress.end();
    await core.stop();
  }
}

/** Once the trust server has said its part, it is the registry that is waited for. */
function eventsFor(progress: Progress, { repository }: ImageReference): CoreEvents {
  const refreshed = (): void =>
    progress.step(`fetching the manifest from registry ${repository.registry}`);
  const { collections } = SILENT_CORE_EVENTS;
  return { ...SILENT_CORE_EVENTS, collections: { ...collections, refreshed } };
}

async function examine(core: PullCore, text: string, image: ImageReference): Promise<Report> {
  const { repository, tag, digest } = image;
  const reference = digest ?? tag ?? '';
  const name = repositoryName(repository);
  const rules = core.policy.rulesOf(repository);
  const rule = digest === undefined && tag !== undefined ? rules.forTag(tag) : rules.withoutTag;
  // The verdict stands here so that a reader of the JSON finds it at the top; what follows sets it.
  const base = { image: text, verdict: 'inconclusive' as const, repository: name, reference };
  const steps = [`repository ${name}, ${digest === undefined ? 'tag' : 'digest'} ${reference}`];
  const treatment = core.pulls.treatment(repository, digest === undefined ? tag : undefined);
  if (rule?.requirement.kind === 'unverified' && treatment === 'unverified') {
    steps.push(
      `policy rule "${ruleName(rule)}" lets it through unverified: ${rule.requirement.reason}`,
    );
    return { ...base, verdict: 'passed-through', steps, rule: ruleName(rule) };
  }
  steps.push(ruleText(rule));
  const answer =
    digest === undefined && tag !== undefined
      ? await core.pulls.manifestByTag(repository, tag, {})
      : await core.pulls.manifestByDigest(repository, digest ?? failNoReference(), {});
  const trust =
    rule?.requirement.kind !== 'verified' ? {} : trustFacts(core, name, { rule, tag, steps });
  const common = { ...base, ...(rule === undefined ? {} : { rule: ruleName(rule) }), ...trust };
  const subject = { repository, reference };
  switch (answer.verdict) {
    case 'pinned':
      return pinnedReport(common, answer, steps);
    case 'let-through':
      return letThroughReport(common, answer, { steps, subject });
    default:
      return refusedReport(common, answer, { steps, subject });
  }
}

function ruleText(rule: Rule | undefined): string {
  if (rule === undefined) return 'no policy rule covers it';
  const { requirement } = rule;
  return requirement.kind === 'unverified'
    ? `policy rule "${ruleName(rule)}" asks no trust source: ${requirement.reason}`
    : `policy rule "${ruleName(rule)}" asks trust source "${requirement.source}"${signersText(requirement)}`;
}

function trustFacts(
  core: PullCore,
  gun: string,
  {
    rule,
    tag,
    steps,
  }: {
    readonly rule: {
      readonly requirement: { kind: string; source?: string; signers?: readonly string[] };
    };
    readonly tag: string | undefined;
    readonly steps: string[];
  },
): Partial<Report> {
  const { source = '', signers = [] } = rule.requirement;
  const collection = core.collections.open({ source, gun });
  const set = collection.state?.set;
  if (set === undefined) return { trust: source, signers };
  const roles = roleStatuses(set);
  steps.push(
    `root admitted by ${collection.state?.admission === 'first-use' ? 'first use' : 'the configured anchor'}`,
  );
  for (const { role, version, expiresAt } of roles) {
    steps.push(`${role} version ${version}, expires ${expiresAt}`);
  }
  const pin =
    tag === undefined
      ? undefined
      : (collection.pinNow(tag, signers) ?? collection.lastPin(tag, signers));
  if (pin === undefined) return { trust: source, signers, roles };
  steps.push(`tag ${tag} is signed in ${pin.role} as sha256:${pin.sha256}, ${pin.length} bytes`);
  const freshUntil = new Date(pin.freshUntil).toISOString();
  const facts = { trust: source, signers, roles, publishedBy: pin.role, freshUntil };
  if (pin.custom === undefined) return facts;
  const custom = plainJson(pin.custom);
  steps.push(`its publisher says: ${shortened(JSON.stringify(custom))}`);
  return { ...facts, custom };
}

type Common = Omit<Report, 'steps'>;

function pinnedReport(common: Common, answer: ServedManifest, steps: string[]): Report {
  const { digest, mediaType, bytes, staleSeconds } = answer;
  steps.push(`manifest ${digest} has the right bytes: ${mediaType}, ${bytes.length} bytes`);
  if (staleSeconds !== undefined) {
    steps.push(`the trust server cannot be asked; it was last seen ${staleSeconds} s ago`);
  }
  const stale = staleSeconds === undefined ? {} : { staleSeconds };
  return { ...common, verdict: 'pinned', steps, digest, mediaType, size: bytes.length, ...stale };
}

function refusedReport(
  common: Common,
  refusal: Refusal,
  {
    steps,
    subject,
  }: {
    readonly steps: readonly string[];
    readonly subject: Parameters<(typeof REASON_TABLE)['internal']['sentence']>[0];
  },
): Report {
  const row = REASON_TABLE[refusal.reason];
  const sentence = row.sentence(subject, refusal.facts);
  const { verdict, reason } = refusal;
  return { ...common, verdict, steps, reason, sentence, remedy: row.remedy };
}

/** What nothing has verified, and who has it served all the same. */
function letThroughReport(
  common: Common,
  { passage, digest, mediaType, bytes }: LetThroughManifest,
  told: Parameters<typeof refusedReport>[2],
): Report {
  const size = bytes.length;
  const served = { digest, mediaType, size };
  if (passage.by === 'rule') {
    const steps = [...told.steps, `the registry has ${digest}; the rule asks for no more`];
    return { ...common, ...served, verdict: 'passed-through', steps };
  }
  const steps = [...told.steps, passageText(passage)];
  const refusal = refusedReport(common, passage.lifted, { ...told, steps });
  return { ...refusal, ...served, verdict: passage.by };
}

function passageText(passage: Exclude<LetThroughManifest['passage'], { by: 'rule' }>): string {
  if (passage.by === 'audit') return 'the rule is in audit: it is served unverified all the same';
  const { approvedBy, reason, until } = passage.entry;
  const end = new Date(until).toISOString();
  return `break-glass until ${end}, approved by ${approvedBy}: ${reason}`;
}

function toText(report: Report): string {
  const lines = report.steps.map((step) => `  ${step}`);
  if (report.sentence !== undefined) {
    lines.push('', `${report.sentence} (${report.reason})`, `what to do: ${report.remedy}`);
  }
  const result = report.digest ?? report.reason ?? '';
  const verdict = `${report.verdict}${result === '' ? '' : ` ${result}`}`;
  // Names of roles come from whoever signed them.
  return `${[...lines, '', verdict].map(printable).join('\n')}\n`;
}

function exitCodeOf({ verdict }: Report): number {
  if (verdict === 'refused') return EXIT.refused;
  return verdict === 'inconclusive' ? EXIT.inconclusive : EXIT.ok;
}

/** At most so much that it fits on a few lines of a terminal; `--json` has all of it. */
function shortened(text: string): string {
  return text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN)}…`;
}

function signersText(requirement: {
  readonly signers: readonly string[];
  readonly signersNeeded?: number;
}): string {
  const { signers, signersNeeded = signers.length } = requirement;
  if (signers.length === 0) return '';
  return signersNeeded === signers.length
    ? ` and needs the signatures of ${signers.join(' and ')}`
    : ` and needs the signatures of ${signersNeeded} of ${signers.join(', ')}`;
}

function failNoReference(): never {
  throw new Error('an image reference without tag and digest');
}
