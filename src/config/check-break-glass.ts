import { parseImageReference } from '../oci/image-reference.ts';
import { DenyList } from '../policy/deny-list.ts';
import type { Policy } from '../policy/policy.ts';
import { buildBreakGlass, buildDeny } from './build-policy.ts';
import type { Findings } from './findings.ts';
import type { ConfigPath } from './path.ts';
import type { BreakGlassItem, DenyEntry } from './schema-policy.ts';

/** What exceptions are checked against. */
export interface ExceptionContext {
  /** Undefined when the rules cannot be used, which has been said elsewhere. */
  readonly policy: Policy | undefined;
  readonly deny: DenyEntry;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** An exception that lasts longer than this is a rule that nobody wrote. */
const LONG_MS = 7 * 86_400_000;

/** Checks the exceptions one by one and against rules and deny lists. */
export function checkBreakGlass(
  items: readonly BreakGlassItem[],
  context: ExceptionContext,
  findings: Findings,
): void {
  const seen = new Set<string>();
  for (const [index, item] of items.entries()) {
    const path = ['breakGlass', index];
    const { digest } = parseImageReference(item.image);
    if (digest === undefined && item.digest === undefined) {
      findings.problem(
        [...path, 'digest'],
        'is missing: a tag alone could be moved to anything',
        'add the digest that was approved',
      );
      continue;
    }
    if (digest !== undefined && item.digest !== undefined && digest !== item.digest) {
      findings.problem([...path, 'digest'], 'is another one than in image', 'remove one of them');
      continue;
    }
    if (seen.has(item.image)) {
      findings.problem([...path, 'image'], `a second entry for ${item.image}`, 'keep one of them');
    }
    seen.add(item.image);
    checkTime(item, path, { now: context.now, findings });
    checkEffect(item, path, { ...context, findings });
  }
}

function checkTime(
  { until }: BreakGlassItem,
  path: ConfigPath,
  { now, findings }: { readonly now: number; readonly findings: Findings },
): void {
  if (until <= now) {
    findings.warning([...path, 'until'], 'has passed: the entry does nothing', 'remove it');
  } else if (until - now > LONG_MS) {
    findings.warning([...path, 'until'], 'is more than 7 days away', 'write a rule instead');
  }
}

function checkEffect(
  item: BreakGlassItem,
  path: ConfigPath,
  { policy, deny, findings }: ExceptionContext & { readonly findings: Findings },
): void {
  const { repository, tag, digest } = buildBreakGlass(item);
  const rules = policy?.rulesOf(repository);
  if (policy === undefined || rules === undefined) return;
  const rule = tag === undefined ? rules.withoutTag : rules.forTag(tag);
  if (rule === undefined) {
    findings.warning(
      [...path, 'image'],
      'is covered by no rule, which no exception replaces: it stays refused with no_rule',
      'add a rule for its repository',
    );
    return;
  }
  if (rule.requirement.kind === 'unverified') {
    findings.warning([...path, 'image'], 'is relayed unverified anyway', 'remove the entry');
  }
  const lists = [new DenyList([buildDeny(deny)]), ...rules.all.map((each) => policy.denied(each))];
  const isDenied = lists.some(
    (list) =>
      list.deniedDigest([digest]) !== undefined ||
      (tag !== undefined && list.deniedTag(tag) !== undefined),
  );
  if (isDenied) {
    findings.warning(
      path,
      'is on a deny list, which no exception lifts: it stays refused with denied_by_rule',
      'take it from the one or the other',
    );
  }
}
