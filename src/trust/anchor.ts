import { type Certificate, readCertificates } from './certificate.ts';
import { TrustError } from './errors.ts';
import { isStrongEnough } from './keys.ts';
import type { RootKey } from './root-keys.ts';

/** What an operator configured as the reason to believe a collection's first root. */
export type RootAnchor =
  | {
      readonly kind: 'keys';
      /** TUF key IDs of root certificates. */
      readonly certificateKeyIds: ReadonlySet<string>;
      /** Key IDs of bare public keys, which survive a reissued certificate. */
      readonly publicKeyIds: ReadonlySet<string>;
    }
  | {
      readonly kind: 'ca';
      readonly certificates: readonly Certificate[];
      /** Also accept leaves that are only good for code signing, which the reference client refuses. */
      readonly acceptCodeSigning: boolean;
    }
  | {
      /** A root file that the operator has: in TUF 1.0 the way by which trust begins. */
      readonly kind: 'root-file';
      readonly bytes: Uint8Array;
    }
  | { readonly kind: 'first-use' }
  | { readonly kind: 'none' };

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const CODE_SIGNING = '1.3.6.1.5.5.7.3.3';
const ANY_USAGE = '2.5.29.37.0';

/**
 * Reads a CA anchor from PEM text.
 *
 * @throws {TrustError} `pin_mismatch` when it holds no certificate or anything else
 */
export function caAnchor(pem: Uint8Array, acceptCodeSigning = false): RootAnchor {
  const certificates = readCertificates(pem);
  if (certificates === undefined) {
    throw new TrustError('pin_mismatch', 'the CA file does not hold certificates only');
  }
  return { kind: 'ca', certificates, acceptCodeSigning };
}

/**
 * Reduces valid root keys to those that the anchor admits. It runs before the threshold is counted, so that a root which
 * needs two keys of which one is pinned is not admitted.
 *
 * @param now - milliseconds since the epoch, for the dates of a CA chain
 * @throws {TrustError} `pin_mismatch` when none is admitted, `tofu_disabled` without an anchor
 * @source notary: trustpinning/trustpin.go
 */
export function admittedKeys(
  keys: ReadonlyMap<string, RootKey>,
  anchor: RootAnchor,
  now: number,
): ReadonlyMap<string, RootKey> {
  // A root file was compared as a whole before its keys are looked at.
  if (anchor.kind === 'first-use' || anchor.kind === 'root-file') return keys;
  if (anchor.kind === 'none') {
    throw new TrustError('tofu_disabled', 'no trust anchor is configured for this collection', {
      detail: { role: 'root' },
    });
  }
  const admitted = new Map([...keys].filter(([, key]) => isAdmitted(key, anchor, now)));
  if (admitted.size === 0) {
    throw new TrustError('pin_mismatch', 'no root key matches the configured trust anchor', {
      detail: { role: 'root', rootKeys: [...keys.keys()] },
    });
  }
  return admitted;
}

function isAdmitted(
  rootKey: RootKey,
  anchor: Extract<RootAnchor, { kind: 'keys' | 'ca' }>,
  now: number,
): boolean {
  if (anchor.kind === 'keys') {
    const { id, canonicalId } = rootKey.key;
    return anchor.certificateKeyIds.has(id) || anchor.publicKeyIds.has(canonicalId);
  }
  const usages = new Set([SERVER_AUTH, ANY_USAGE]);
  if (anchor.acceptCodeSigning) usages.add(CODE_SIGNING);
  return chainReaches(anchor.certificates, rootKey, { usages, now });
}

interface ChainRules {
  readonly usages: ReadonlySet<string>;
  readonly now: number;
}

/**
 * Whether a chain leads from the leaf through its intermediates to a pinned certificate. Breadth first, each certificate
 * visited once: cross-signed hostile bundles cost no more than the square of their size.
 *
 * @source RFC 5280 §6.1, reduced to what Go's verifier checks for a chain without names: crypto/x509/verify.go
 */
function chainReaches(
  pinned: readonly Certificate[],
  { certificate: bundle }: RootKey,
  rules: ChainRules,
): boolean {
  const isUsable = (certificate: Certificate): boolean =>
    isInForce(certificate, rules.now) &&
    permits(certificate, rules.usages) &&
    !certificate.hasUnknownCritical;
  if (bundle === undefined) return false;
  const { leaf, intermediates } = bundle;
  const anchors = pinned.filter(isUsable);
  const unvisited = new Set(intermediates.filter((one) => isUsable(one) && isIssuer(one)));
  let level = [leaf].filter(isUsable);
  for (let depth = 0; level.length > 0; depth += 1) {
    const next: Certificate[] = [];
    for (const certificate of level) {
      const isPinned = anchors.some(({ x509 }) => x509.raw.equals(certificate.x509.raw));
      const issuedByPinned = anchors.some(
        (anchor) => isIssuer(anchor) && issued(anchor, certificate, depth),
      );
      if (isPinned || issuedByPinned) return true;
      const issuers = [...unvisited].filter((issuer) => issued(issuer, certificate, depth));
      for (const issuer of issuers) unvisited.delete(issuer);
      next.push(...issuers);
    }
    level = next;
  }
  return false;
}

/** @param depth - how many issuers stand between the leaf and `subject`, `subject` included unless it is the leaf */
function issued(issuer: Certificate, subject: Certificate, depth: number): boolean {
  if (issuer.pathLength !== undefined && issuer.pathLength < depth) return false;
  return subject.x509.checkIssued(issuer.x509) && subject.x509.verify(issuer.publicKey);
}

function isIssuer(certificate: Certificate): boolean {
  const { isCa, maySignCertificates, isSha1Signed, publicKey } = certificate;
  return isCa && maySignCertificates && !isSha1Signed && isStrongEnough(publicKey);
}

function isInForce(certificate: Certificate, now: number): boolean {
  return certificate.notBefore <= now && now <= certificate.notAfter;
}

function permits(certificate: Certificate, usages: ReadonlySet<string>): boolean {
  const stated = certificate.extendedKeyUsages;
  return stated === undefined || stated.some((usage) => usages.has(usage));
}
