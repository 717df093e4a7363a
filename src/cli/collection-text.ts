import { join } from 'node:path';
import type { Conclusion } from '../signing/conclusion.ts';
import type { Draft } from '../signing/draft.ts';
import type { Repository } from '../signing/repository.ts';
import { missingSignatures } from '../signing/sign-draft.ts';
import { describeChange, plain, shortKeyId } from '../signing/words.ts';

/** A draft in words, role by role, with who has to sign. */
export function draftText(repository: Repository | undefined, draft: Draft): string {
  const lines: string[] = [];
  for (const { role, signed } of draft.values()) {
    const before = repository?.current.get(role)?.signed;
    const version = plain(signed.get('version'));
    lines.push(`${plain(role)} version ${version}${before === undefined ? ' (new)' : ''}:`);
    for (const line of describeChange(before, signed)) lines.push(`  ${line}`);
  }
  const needs = missingSignatures(repository, draft).map(
    ({ role, missing, keyIds }) =>
      `${plain(role)} needs ${missing} ${plural(missing, 'signature')} by ${keyIds.map(shortKeyId).join(', ')}`,
  );
  // The old root and the new one may ask for the same keys.
  return `${[...lines, ...new Set(needs)].join('\n')}\n`;
}

/** What a draft still waits for. */
export function waitingText(repository: Repository | undefined, draft: Draft): string {
  const missing = missingSignatures(repository, draft);
  const [what, becomes] =
    repository === undefined
      ? (['The collection has NOT begun yet', 'has it begin'] as const)
      : (['A change is NOT in effect yet', 'brings it into effect'] as const);
  if (missing.length === 0) {
    return `${what}. It has all its signatures and waits for the online keys: pinnace collection renew ${becomes}.\n`;
  }
  const lines = missing.map(
    ({ role, missing: count, keyIds }) =>
      `  ${plain(role)}: ${count} more ${plural(count, 'signature')} by ${keyIds.map(shortKeyId).join(', ')}`,
  );
  return `${what}. It waits for\n${[...new Set(lines)].join('\n')}\nEach holder adds theirs with pinnace collection sign.\n`;
}

/** How a draft that was just signed ended. */
export function conclusionText(
  repository: Repository | undefined,
  draft: Draft,
  { conclusion, dir }: { readonly conclusion: Conclusion; readonly dir: string },
): string {
  if (conclusion !== 'in-effect') return `Signed.\n${waitingText(repository, draft)}`;
  const begins = repository === undefined ? beginsText(dir) : '';
  return `Signed, and in effect in ${dir}. Clients see it after pinnace collection publish.\n${begins}`;
}

/** How clients come to trust a new collection. */
export function beginsText(dir: string): string {
  return `Clients begin with ${join(dir, 'metadata', '1.root.json')}: hand it to them over a way that you trust.\n`;
}

function plural(count: number, noun: string): string {
  return count === 1 ? noun : `${noun}s`;
}
