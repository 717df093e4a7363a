import { tuf10 } from '../trust/dialect/tuf-1.0.ts';
import { signersOf } from '../trust/threshold.ts';
import { envelopeOf } from './document-encoding.ts';
import type { RoleDocument } from './documents.ts';
import { authoritiesFor, type Draft, type SignatureState } from './draft.ts';
import { NO_WEAK_ALGORITHMS, type Repository } from './repository.ts';

/** Whether every document of the draft has all its signatures; no empty draft is. */
export function isComplete(repository: Repository | undefined, draft: Draft): boolean {
  const documents = [...draft.values()];
  return (
    documents.length > 0 &&
    documents.every((document) => {
      const states = signatureStates(repository, draft, document);
      return states.length > 0 && states.every(({ missing }) => missing === 0);
    })
  );
}

/** Who has signed a document of the draft, and how many signatures are missing, authority by authority. */
export function signatureStates(
  repository: Repository | undefined,
  draft: Draft,
  document: RoleDocument,
): readonly SignatureState[] {
  const envelope = envelopeOf(document);
  return authoritiesFor(repository, draft, document.role).map((authority) => {
    const rules = { dialect: tuf10, weak: NO_WEAK_ALGORITHMS };
    const { keyIds } = signersOf(envelope, authority, rules);
    return {
      authority,
      signedBy: keyIds,
      missing: Math.max(0, authority.threshold - keyIds.size),
    };
  });
}
