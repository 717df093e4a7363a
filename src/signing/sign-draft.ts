import type { Authority } from '../trust/authority.ts';
import { encodeCanonicalJson } from '../trust/canonical-json.ts';
import type { RoleDocument } from './documents.ts';
import type { Draft } from './draft.ts';
import { signatureStates } from './draft-signatures.ts';
import { SigningError } from './errors.ts';
import type { Signers } from './key-ring.ts';
import type { Repository } from './repository.ts';
import { shortKeyId } from './words.ts';

/** Signatures that a document still lacks. */
export interface MissingSignatures {
  readonly role: string;
  readonly missing: number;
  /** The keys any of which may give them. */
  readonly keyIds: readonly string[];
}

/**
 * Adds signatures by the keys at hand, until each document has enough of them.
 *
 * @throws {SigningError} `key_missing` when there was nothing that the keys at hand could sign; what opening keys throws
 */
export async function signDraft(
  repository: Repository | undefined,
  draft: Draft,
  ring: Signers,
): Promise<Draft> {
  let signed = draft;
  for (const role of draft.keys()) signed = await signRole(repository, signed, { role, ring });
  const missing = missingSignatures(repository, signed);
  if (missing.length > 0 && countSignatures(signed) === countSignatures(draft)) {
    throw keyMissing(missing, ring);
  }
  return signed;
}

/** What the draft lacks, document by document and authority by authority. */
export function missingSignatures(
  repository: Repository | undefined,
  draft: Draft,
): readonly MissingSignatures[] {
  return [...draft.values()].flatMap((document) =>
    signatureStates(repository, draft, document)
      .filter(({ missing }) => missing > 0)
      .map(({ authority, signedBy, missing }) => ({
        role: document.role,
        missing,
        keyIds: [...authority.keys.keys()].filter((id) => !signedBy.has(id)),
      })),
  );
}

/**
 * Signs a document with keys of one authority, as many as its threshold asks for.
 *
 * @throws {SigningError} `key_missing`; what opening keys throws
 */
export async function signWith(
  document: RoleDocument,
  authority: Authority,
  ring: Signers,
): Promise<RoleDocument> {
  const message = encodeCanonicalJson(document.signed);
  const signatures = new Map(document.signatures);
  for (const keyId of ring.keyIds) {
    if (signatures.size >= authority.threshold) break;
    if (!authority.keys.has(keyId)) continue;
    const key = await ring.open(keyId);
    if (key !== undefined) signatures.set(keyId, key.sign(message));
  }
  if (signatures.size < authority.threshold) {
    const missing = authority.threshold - signatures.size;
    const keyIds = [...authority.keys.keys()].filter((id) => !signatures.has(id));
    throw keyMissing([{ role: document.role, missing, keyIds }], ring);
  }
  return { ...document, signatures };
}

/**
 * Requires that the keys at hand can sign what a renewal signs.
 *
 * @throws {SigningError} `key_missing`; what opening keys throws
 */
export async function requireOnlineKeys(repository: Repository, ring: Signers): Promise<void> {
  for (const role of ['snapshot', 'timestamp'] as const) {
    // Signing something that leads nowhere is the one test that asks no less than a renewal.
    const document = { role, signed: new Map(), signatures: new Map() };
    await signWith(document, repository.root.authority(role), ring);
  }
}

async function signRole(
  repository: Repository | undefined,
  draft: Draft,
  { role, ring }: { readonly role: string; readonly ring: Signers },
): Promise<Draft> {
  let signed = draft;
  for (const keyId of ring.keyIds) {
    const document = signed.get(role);
    if (document === undefined) return signed;
    const isWanted = signatureStates(repository, signed, document).some(
      ({ authority, signedBy, missing }) =>
        missing > 0 && authority.keys.has(keyId) && !signedBy.has(keyId),
    );
    const key = isWanted ? await ring.open(keyId) : undefined;
    if (key === undefined) continue;
    const signature = key.sign(encodeCanonicalJson(document.signed));
    const signatures = new Map([...document.signatures, [keyId, signature]]);
    signed = new Map([...signed, [role, { ...document, signatures }]]);
  }
  return signed;
}

function countSignatures(draft: Draft): number {
  return [...draft.values()].reduce((sum, { signatures }) => sum + signatures.size, 0);
}

function keyMissing(missing: readonly MissingSignatures[], ring: Signers): SigningError {
  const wanted = missing.map(
    ({ role, missing: count, keyIds }) =>
      `${role} needs ${count} more of the keys ${keyIds.map(shortKeyId).join(', ')}`,
  );
  const unreadable = [...ring.unreadable].map(([path, problem]) => `${path}: ${problem}`);
  return new SigningError(
    'key_missing',
    [`the keys for this are not at hand: ${wanted.join('; ')}`, ...unreadable].join('\n'),
    { detail: { roles: missing.map(({ role }) => role) } },
  );
}
