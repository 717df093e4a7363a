import type { NamePattern } from '../policy/name-pattern.ts';
import { examineRules } from '../policy/policy.ts';
import type { Rule } from '../policy/rule.ts';
import { checkReach, type ReachableRule } from './check-reach.ts';
import { locationAt, mayBelieve } from './check-trust.ts';
import type { Findings } from './findings.ts';
import { nearestName } from './nearest-name.ts';
import type { ConfigPath } from './path.ts';
import { coversHost, patternOf } from './patterns.ts';
import { parseTags } from './policy-values.ts';
import type { TolerantReader } from './tolerant.ts';

const NOTARY_SIGNER = /^[-a-z0-9._]+(?:\/[-a-z0-9._]+)*$/;

interface PlacedRule {
  readonly path: ConfigPath;
  /** Undefined when the pattern cannot be read, which has been said elsewhere. */
  readonly pattern: NamePattern | undefined;
  readonly trust: string | undefined;
  /** Undefined for all tags; patterns that cannot be read are left out. */
  readonly tags: readonly string[] | undefined;
}

/** The keys of a rule that say something about verification. */
const VERIFIED_KEYS = [
  'signersNeeded',
  'digests',
  'earlierDigests',
  'referrers',
  'audit',
  'completeFirst',
] as const;

/** Checks the rules one by one and against trust sources and upstreams. */
export function checkPolicy(config: TolerantReader, findings: Findings): void {
  const rules = Array.from({ length: config.count('policy') }, (_, index) => {
    const path = ['policy', index];
    const pattern = patternOf(config.text(...path, 'match'));
    return { path, pattern, trust: config.text(...path, 'trust'), tags: tagsAt(config, path) };
  });
  for (const rule of rules) {
    checkRuleForm(config, rule.path, findings);
    checkVerifiedOnly(config, rule.path, findings);
    checkNumbers(config, rule.path, findings);
    checkTrustName(config, rule, findings);
    checkSigners(config, rule, findings);
    checkRuleHost(config, rule, findings);
  }
  checkPatternsTogether(config, rules, findings);
  checkNothingIdle(config, rules, findings);
}

function checkRuleForm(config: TolerantReader, path: ConfigPath, findings: Findings): void {
  if (config.names(...path).length === 0) return;
  const hasTrust = config.has(...path, 'trust');
  const isUnverified = config.has(...path, 'allowUnverified');
  if (hasTrust === isUnverified) {
    findings.problem(
      path,
      hasTrust ? 'has both trust and allowUnverified' : 'demands nothing',
      'write trust: (a trust source) or allowUnverified: true with a reason',
    );
    return;
  }
  if (isUnverified && !config.has(...path, 'reason')) {
    findings.problem(
      [...path, 'reason'],
      'is missing: allowUnverified needs a reason',
      'add reason: and why unverified content is acceptable here',
    );
  }
  if (isUnverified && config.has(...path, 'signers')) {
    findings.problem([...path, 'signers'], 'cannot be checked with allowUnverified', 'remove it');
  }
  if (hasTrust && config.has(...path, 'reason')) {
    findings.problem([...path, 'reason'], 'belongs to allowUnverified only', 'remove it');
  }
}

/** @source TUF 1.0.34 §4.5: role names are free but for the top-level ones; notary: tuf/data/roles.go */
function checkSigners(config: TolerantReader, rule: PlacedRule, findings: Findings): void {
  const path = [...rule.path, 'signers'];
  const kind = config.text('trust', rule.trust ?? '', 'kind');
  const seen = new Set<string>();
  for (let index = 0; index < config.count(...path); index += 1) {
    const signer = config.text(...path, index);
    if (signer === undefined) continue;
    if (seen.has(signer))
      findings.problem([...path, index], `${signer} is listed twice`, 'remove it');
    seen.add(signer);
    if (kind === 'notary' && (!NOTARY_SIGNER.test(signer) || signer.startsWith('targets/'))) {
      findings.problem(
        [...path, index],
        'is not the name of a signer',
        'write the name as in docker trust signer add, without targets/',
      );
    }
  }
}

function checkTrustName(config: TolerantReader, rule: PlacedRule, findings: Findings): void {
  const { path, pattern, trust } = rule;
  if (trust === undefined) return;
  const sources = config.names('trust');
  if (!sources.includes(trust)) {
    const meant = nearestName(trust, sources);
    const known = sources.length === 0 ? 'none is configured' : `known: ${sources.join(', ')}`;
    findings.problem(
      [...path, 'trust'],
      `names ${JSON.stringify(trust)}, which is not among the trust sources`,
      meant === undefined ? known : `did you mean ${meant}?`,
    );
  } else if (pattern !== undefined && !mayBelieve(config, trust, pattern)) {
    findings.warning(
      path,
      `no anchor of trust.${trust} is for any repository of ${pattern.text}: every pull will be refused with tofu_disabled`,
      `add an anchor under trust.${trust}.anchors`,
    );
  }
}

function checkRuleHost(config: TolerantReader, rule: PlacedRule, findings: Findings): void {
  const { pattern } = rule;
  const upstreams = config.names('upstreams');
  if (pattern === undefined || upstreams.some((host) => coversHost(pattern, host))) return;
  const host = pattern.text.slice(0, pattern.text.indexOf('/'));
  const meant = nearestName(host, upstreams);
  findings.problem(
    [...rule.path, 'match'],
    `is about ${host}, for which there is no upstream`,
    meant === undefined ? `add ${host} under upstreams` : `did you mean ${meant}?`,
  );
}

function checkPatternsTogether(
  config: TolerantReader,
  rules: readonly PlacedRule[],
  findings: Findings,
): void {
  const seen = new Set<string>();
  const distinct: ReachableRule[] = [];
  for (const { path, pattern, tags } of rules) {
    if (pattern === undefined) continue;
    const names = tags === undefined ? [''] : tags.map((tag) => `:${tag}`);
    const repeated = names.find((name) => seen.has(`${pattern.text}${name}`));
    if (repeated !== undefined) {
      const name = `${pattern.text}${repeated}`;
      findings.problem([...path, 'match'], `a second rule for ${name}`, 'keep one of them');
      continue;
    }
    for (const name of names) seen.add(`${pattern.text}${name}`);
    // Only the patterns are examined; what a rule demands makes no difference to that.
    const rule: Rule = {
      match: pattern.text,
      requirement: { kind: 'unverified', reason: 'any' },
      ...(tags === undefined ? {} : { tags }),
    };
    distinct.push({ path, pattern, rule });
  }
  const { warnings } = examineRules(distinct.map(({ rule }) => rule));
  for (const warning of warnings) findings.warning(['policy'], warning);
  checkReach(distinct, config.names('upstreams'), findings);
}

/** Says what would be ignored where nothing is verified. */
function checkVerifiedOnly(config: TolerantReader, path: ConfigPath, findings: Findings): void {
  if (!config.has(...path, 'allowUnverified')) return;
  const denied = (['signers', 'keys'] as const).map((key) => ['deny', key] as const);
  for (const key of [...VERIFIED_KEYS.map((each) => [each] as const), ...denied]) {
    if (!config.has(...path, ...key)) continue;
    findings.problem([...path, ...key], 'cannot be checked with allowUnverified', 'remove it');
  }
}

function checkNumbers(config: TolerantReader, path: ConfigPath, findings: Findings): void {
  const needed = config.number(...path, 'signersNeeded');
  const signers = config.count(...path, 'signers');
  if (needed !== undefined && needed > signers) {
    findings.problem(
      [...path, 'signersNeeded'],
      `is ${needed}, but there are ${signers} signers`,
      'name more signers, or ask for fewer',
    );
  }
  const digests = config.text(...path, 'digests') ?? 'vouched';
  if (digests !== 'vouched' && config.has(...path, 'earlierDigests')) {
    findings.problem(
      [...path, 'earlierDigests'],
      `belongs to digests: vouched, not to ${digests}`,
      'remove one of them',
    );
  }
  if (config.isTrue(...path, 'audit')) {
    findings.warning(
      [...path, 'audit'],
      'nothing that this rule would refuse is refused, but what a deny list has',
    );
  }
}

function tagsAt(config: TolerantReader, path: ConfigPath): readonly string[] | undefined {
  if (!config.has(...path, 'tags')) return undefined;
  return Array.from({ length: config.count(...path, 'tags') }, (_, index) =>
    config.text(...path, 'tags', index),
  ).filter((text): text is string => text !== undefined && parseTags(text).ok);
}

/** Points out what is configured and will never be used, which mostly is a slip of the pen elsewhere. */
function checkNothingIdle(
  config: TolerantReader,
  rules: readonly PlacedRule[],
  findings: Findings,
): void {
  if (rules.length === 0) {
    findings.warning(['policy'], 'has no rule: every pull will be refused with no_rule');
    return;
  }
  for (const source of config.names('trust')) {
    if (!rules.some((rule) => rule.trust === source)) {
      findings.warning(['trust', source], 'is used by no rule');
    }
  }
  const holdsTrust = new Set(
    config.names('trust').map((name) => {
      const location = locationAt(config, ['trust', name, 'url']);
      return location?.kind === 'artifact' ? location.repository.registry : undefined;
    }),
  );
  const isAnyUnread = rules.some((rule) => rule.pattern === undefined);
  for (const host of isAnyUnread ? [] : config.names('upstreams')) {
    if ([...holdsTrust].some((registry) => registry === host)) continue;
    if (!rules.some(({ pattern }) => pattern !== undefined && coversHost(pattern, host))) {
      findings.warning(
        ['upstreams', host],
        'no rule is for it: every pull from it will be refused with no_rule',
      );
    }
  }
}
