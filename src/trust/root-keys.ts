import type { Authority } from './authority.ts';
import { type Certificate, encodePem, readCertificates } from './certificate.ts';
import { TrustError } from './errors.ts';
import { isStrongEnough, type Key, keyId } from './keys.ts';
import type { RootBody } from './model.ts';

/** A root key, in Notary v1 together with the certificate that binds it to the collection. */
export interface RootKey {
  readonly key: Key;
  readonly certificate?: {
    readonly leaf: Certificate;
    readonly intermediates: readonly Certificate[];
  };
}

/** When certificate dates are looked at: at an instant (milliseconds since the epoch), or not at all. */
export type DateCheck = number | 'ignore-dates';

const NOT_BEFORE_LEEWAY_MS = 24 * 60 * 60 * 1000;
const KEY_TYPES: ReadonlyMap<string | undefined, string> = new Map([
  ['ec', 'ecdsa-x509'],
  ['rsa', 'rsa-x509'],
]);

/**
 * The keys of the root role whose certificates are in order for this collection.
 *
 * @throws {TrustError} `root_cert_invalid` when there is none
 * @source notary: trustpinning/certs.go (validRootLeafCerts), tuf/utils/x509.go (ValidateCertificate)
 */
export function validRootKeys(
  root: RootBody,
  gun: string,
  dates: DateCheck,
): ReadonlyMap<string, RootKey> {
  const valid = new Map<string, RootKey>();
  for (const [id, key] of root.roles.get('root')?.keys ?? []) {
    const rootKey = readRootKey(key, dates);
    const commonName = rootKey?.certificate?.leaf.commonName;
    if (rootKey !== undefined && nameFits(commonName, gun)) valid.set(id, rootKey);
  }
  if (valid.size === 0) {
    throw new TrustError('root_cert_invalid', 'the root role has no valid certificate', {
      detail: { role: 'root', gun, version: root.version },
    });
  }
  return valid;
}

/** The root role's authority reduced to some of its keys; the threshold stays. */
export function authorityOf(root: RootBody, keys: ReadonlyMap<string, RootKey>): Authority {
  const threshold = root.roles.get('root')?.threshold ?? Number.POSITIVE_INFINITY;
  return {
    role: 'root',
    threshold,
    keys: new Map([...keys].map(([id, rootKey]) => [id, rootKey.key])),
  };
}

/**
 * The TUF key IDs by which the certificates of a PEM file can be pinned: each alone, and the file as one bundle.
 *
 * @returns an empty list when the text holds anything but certificates
 */
export function certificateKeyIds(pem: Uint8Array): readonly string[] {
  const certificates = readCertificates(pem) ?? [];
  const ids = [...certificates.map((one) => [one]), certificates].flatMap(
    (bundle) => bundleKeyId(bundle) ?? [],
  );
  return [...new Set(ids)];
}

function readRootKey(key: Key, dates: DateCheck): RootKey | undefined {
  const certificates = readCertificates(key.publicBytes);
  const leaf = certificates?.[0];
  if (certificates === undefined || leaf === undefined || leaf.isCa) return undefined;
  const others = certificates.slice(1);
  if (!others.every((certificate) => certificate.isCa) || !isAcceptable(leaf, dates)) {
    return undefined;
  }
  const intermediates = others.filter((certificate) => isAcceptable(certificate, dates));
  // The reference recomputes the ID from its own encoding; a key that then has another ID verifies nothing there.
  if (key.id !== bundleKeyId([leaf, ...intermediates])) return undefined;
  return { key, certificate: { leaf, intermediates } };
}

function bundleKeyId(bundle: readonly Certificate[]): string | undefined {
  const keyType = KEY_TYPES.get(bundle[0]?.publicKey.asymmetricKeyType);
  return keyType === undefined ? undefined : keyId(keyType, encodePem(bundle));
}

function isAcceptable(certificate: Certificate, dates: DateCheck): boolean {
  if (certificate.isSha1Signed || !isStrongEnough(certificate.publicKey)) return false;
  if (certificate.notBefore > certificate.notAfter) return false;
  if (dates === 'ignore-dates') return true;
  return dates <= certificate.notAfter && certificate.notBefore <= dates + NOT_BEFORE_LEEWAY_MS;
}

/** @source notary: trustpinning/certs.go (MatchCNToGun) */
function nameFits(commonName: string | undefined, gun: string): boolean {
  if (commonName === undefined) return false;
  if (!commonName.endsWith('*')) return commonName === gun;
  return gun.startsWith(commonName.replace(/\*+$/, ''));
}
