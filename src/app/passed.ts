import { OciError } from '../oci/errors.ts';
import { parseRepositoryName } from '../oci/names.ts';
import type { Policy } from '../policy/policy.ts';
import type { Rule } from '../policy/rule.ts';
import type { PassedAnswer } from '../server/admin-listener.ts';
import type { PassedQuestion } from '../server/admin-request.ts';
import type { DurableState } from '../store/durable-state.ts';

/** Events that are looked through for the one that tells when the record began. */
const MAX_EVENTS = 10_000;

/** Says what is on record of digests, and which repositories are relayed without any record. */
export async function passedAnswer(
  { digests, repositories }: PassedQuestion,
  { state, policy }: { readonly state: DurableState; readonly policy: Policy },
): Promise<PassedAnswer> {
  const found = new Map<string, string[]>();
  for await (const { digest, repository } of state.recordedManifests(digests)) {
    found.set(digest, [...(found.get(digest) ?? []), repository]);
  }
  const since = await recordedSince(state);
  return {
    ...(since === undefined ? {} : { since: since.toISOString() }),
    passed: [...found].map(([digest, names]) => ({ digest, repositories: names })),
    unverified: repositories.filter((name) => isRelayed(name, policy)),
  };
}

/** When the record began; undefined when that is no longer known. */
export async function recordedSince(state: DurableState): Promise<Date | undefined> {
  const created = (await state.events(MAX_EVENTS)).find(({ kind }) => kind === 'created');
  return created === undefined ? undefined : new Date(created.at);
}

/** Whether something can go out under a rule that nothing has verified, and of which nothing is recorded. */
function letsThrough({ requirement, audit }: Rule): boolean {
  if (requirement.kind === 'unverified' || audit === true) return true;
  return requirement.byDigest?.kind === 'any';
}

function isRelayed(name: string, policy: Policy): boolean {
  try {
    return policy.rulesOf(parseRepositoryName(name)).all.some(letsThrough);
  } catch (error) {
    if (error instanceof OciError) return false;
    throw error;
  }
}
