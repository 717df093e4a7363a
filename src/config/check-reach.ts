import { parseRegistryHost, parseRepositoryPath } from '../oci/names.ts';
import { exampleText } from '../policy/example.ts';
import type { NamePattern } from '../policy/name-pattern.ts';
import { compilePolicy } from '../policy/policy.ts';
import type { Rule } from '../policy/rule.ts';
import { parseTagPattern } from '../policy/tag-pattern.ts';
import type { Findings } from './findings.ts';
import type { ConfigPath } from './path.ts';
import { coversHost } from './patterns.ts';

/** A rule with its place in the file. */
export interface ReachableRule {
  readonly path: ConfigPath;
  readonly pattern: NamePattern;
  readonly rule: Rule;
}

/** Beyond this the search would be felt at the start; rules so many are made by a program. */
const MAX_RULES = 200;

/**
 * Warns of rules that never apply because more specific ones cover everything they are for. What a wildcard stands for is
 * tried with a text that no other pattern can have in mind, so what is found for it holds for all.
 */
export function checkReach(
  rules: readonly ReachableRule[],
  upstreams: readonly string[],
  findings: Findings,
): void {
  if (rules.length > MAX_RULES) return;
  const policy = compilePolicy(rules.map(({ rule }) => rule));
  const longest = Math.max(0, ...rules.map(({ pattern }) => pattern.components.length)) + 2;
  for (const { path, pattern, rule } of rules) {
    const hosts = upstreams.filter((host) => coversHost(pattern, host));
    const isReached = hosts.some((host) =>
      pathsOf(pattern, longest).some((each) => {
        const rules = policy.rulesOf({
          registry: parseRegistryHost(host),
          path: parseRepositoryPath(each),
        });
        return tagsOf(rule).some((tag) => rules.forTag(tag) === rule);
      }),
    );
    if (isReached || hosts.length === 0) continue;
    findings.warning(
      path,
      'applies to no tag: more specific rules cover everything it is for',
      'remove it, or make the others narrower',
    );
  }
}

/** One path for each length that the pattern can have. */
function pathsOf(pattern: NamePattern, longest: number): readonly string[] {
  const named = pattern.components.map((glob) => exampleText(glob, glob, UNLIKELY));
  if (!pattern.isOpen) return [named.join('/')];
  const rests = Array.from({ length: longest - named.length }, (_, index) =>
    Array<string>(index + 1).fill(UNLIKELY),
  );
  return rests.map((rest) => [...named, ...rest].join('/'));
}

function tagsOf({ tags }: Rule): readonly string[] {
  if (tags === undefined) return [UNLIKELY];
  return tags.map((text) => {
    const { glob } = parseTagPattern(text);
    return exampleText(glob, glob, UNLIKELY);
  });
}

const UNLIKELY = 'q7x0j9';
