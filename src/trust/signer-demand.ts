import type { Facts } from '../base/coded-error.ts';
import { TrustError } from './errors.ts';
import type { Search } from './search.ts';

/** Whose word a tag needs, beside that of the source's publishers, and whose it must not have. */
export interface SignerDemand {
  readonly signers: readonly string[];
  /** How many of `signers` must have signed the very digest that is served; each counts once. */
  readonly needed: number;
  /** Signers whose word spoils a tag: what one of them has signed with the digest served, or published, is marked. */
  readonly deniedSigners: readonly string[];
  /** IDs of keys whose signatures do not count: an answer that needs one of them is marked. */
  readonly deniedKeys: ReadonlySet<string>;
  /** Equal for equal demands. */
  readonly key: string;
}

/** A demand, or signers each of whom must have signed. */
export type Signers = readonly string[] | SignerDemand;

/** What a signer says of a digest for a tag: nothing, the same, or another one. */
export type SignerWord = 'absent' | 'agrees' | 'differs';

/** What signers are asked about. */
export interface SignedSubject {
  /** The tag or target, for the error. */
  readonly named: Facts;
  /** The role that a signer signs in. */
  readonly roleOf: (signer: string) => string;
  /** What one signer says of the digest that is served. */
  readonly wordOf: (signer: string) => Search<SignerWord>;
}

const NO_KEYS: ReadonlySet<string> = new Set();

/** A demand made of its parts; by default each of the signers is needed and nobody is denied. */
export function signerDemand(parts: {
  readonly signers: readonly string[];
  readonly needed?: number | undefined;
  readonly deniedSigners?: readonly string[];
  readonly deniedKeys?: ReadonlySet<string>;
}): SignerDemand {
  const { signers, needed = signers.length } = parts;
  const { deniedSigners = [], deniedKeys = NO_KEYS } = parts;
  const key = JSON.stringify([signers, needed, deniedSigners, [...deniedKeys]]);
  return { signers, needed, deniedSigners, deniedKeys, key };
}

/** The demand that `signers` stands for. */
export function demandOf(signers: Signers): SignerDemand {
  return isList(signers) ? signerDemand({ signers }) : signers;
}

/** Tells demands apart: equal texts demand the same. Cheap, for the hot path. */
export function demandKey(signers: Signers): string {
  return isList(signers) ? signers.join('\n') : signers.key;
}

/**
 * Asks signers until enough of them agree.
 *
 * @throws {TrustError} `required_signer_missing`, or `signer_conflict` when those who agree and those who signed another
 * digest would be enough together
 */
export function* requireSigners(
  { signers, needed }: SignerDemand,
  subject: SignedSubject,
): Search<void> {
  const words = new Map<string, SignerWord>();
  let agreeing = 0;
  for (const signer of signers) {
    if (agreeing >= needed) return;
    const word = yield* subject.wordOf(signer);
    words.set(signer, word);
    if (word === 'agrees') agreeing += 1;
    // Where everybody is needed, the first who does not agree says all.
    else if (needed === signers.length) throw disagreement(word, [signer], subject);
  }
  if (agreeing >= needed) return;
  const those = (word: SignerWord): readonly string[] =>
    signers.filter((signer) => words.get(signer) === word);
  throw agreeing + those('differs').length >= needed
    ? disagreement('differs', those('differs'), subject)
    : disagreement('absent', those('absent'), subject);
}

/** The first of the denied signers who has signed the digest that is served; undefined when none has. */
export function* findDenied(
  { deniedSigners }: SignerDemand,
  { wordOf }: SignedSubject,
): Search<string | undefined> {
  for (const signer of deniedSigners) {
    if ((yield* wordOf(signer)) === 'agrees') return signer;
  }
  return undefined;
}

function disagreement(
  word: Exclude<SignerWord, 'agrees'>,
  signers: readonly string[],
  { named, roleOf }: SignedSubject,
): TrustError {
  const signer = signers.join(', ');
  const detail = { ...named, role: signers.map(roleOf).join(', '), signer };
  return word === 'absent'
    ? new TrustError('required_signer_missing', `${signer} has not signed this`, { detail })
    : new TrustError('signer_conflict', `${signer} has signed another digest`, { detail });
}

function isList(signers: Signers): signers is readonly string[] {
  return Array.isArray(signers);
}
