import { type KeyObject, X509Certificate } from 'node:crypto';
import { type DerElement, DerError, readDer, readDerChildren } from './der.ts';

/** What the trust rules look at in a certificate. */
export interface Certificate {
  readonly x509: X509Certificate;
  /** Read once, here, because OpenSSL throws for a key of a kind it does not know. */
  readonly publicKey: KeyObject;
  /** The last common name of the subject, or undefined. */
  readonly commonName: string | undefined;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** basicConstraints CA flag; a certificate without the extension is none. */
  readonly isCa: boolean;
  readonly pathLength: number | undefined;
  /** Extended key usages as dotted OIDs, or undefined when the extension is absent. */
  readonly extendedKeyUsages: readonly string[] | undefined;
  /** Whether keyUsage, if present, allows signing certificates. */
  readonly maySignCertificates: boolean;
  readonly isSha1Signed: boolean;
  readonly hasUnknownCritical: boolean;
}

const OID = {
  commonName: '2.5.4.3',
  keyUsage: '2.5.29.15',
  basicConstraints: '2.5.29.19',
  extendedKeyUsage: '2.5.29.37',
} as const;
/** Critical extensions that are either evaluated here or cannot widen what a certificate may sign. */
const KNOWN_CRITICAL: ReadonlySet<string> = new Set([
  OID.keyUsage,
  OID.basicConstraints,
  OID.extendedKeyUsage,
  '2.5.29.17', // subjectAltName: not used, names are bound by CN in this dialect
]);
const SHA1_SIGNATURES: ReadonlySet<string> = new Set([
  '1.2.840.113549.1.1.5',
  '1.2.840.10045.4.1',
  '1.2.840.10040.4.3',
]);
const BEGIN = '-----BEGIN ';
const DASHES = '-----';
const MAX_CERTIFICATES = 16;

/**
 * Splits PEM text into its certificate blocks.
 *
 * @returns undefined when there is any other block, no block, or more than 16
 * @source RFC 7468; notary: tuf/utils/x509.go (LoadCertBundleFromPEM)
 */
export function splitPem(pem: Uint8Array): readonly string[] | undefined {
  const text = Buffer.from(pem).toString('latin1');
  const blocks: string[] = [];
  // Found with indexOf, not with a pattern: hostile text must not cost more than one pass.
  for (let at = text.indexOf(BEGIN); at !== -1; at = text.indexOf(BEGIN, at)) {
    const end = `-----END CERTIFICATE${DASHES}`;
    const endsAt = text.indexOf(end, at);
    const isCertificate = text.startsWith(`${BEGIN}CERTIFICATE${DASHES}`, at);
    if (!isCertificate || endsAt === -1 || blocks.length === MAX_CERTIFICATES) return undefined;
    blocks.push(text.slice(at, endsAt + end.length));
    at = endsAt;
  }
  return blocks.length === 0 ? undefined : blocks;
}

/** Reads every certificate of a PEM bundle, or undefined when any of it is unreadable. */
export function readCertificates(pem: Uint8Array): readonly Certificate[] | undefined {
  try {
    return splitPem(pem)?.map((block) => readCertificate(new X509Certificate(block)));
  } catch {
    // Whatever OpenSSL or the DER reader objected to: the bundle is not usable, which is all the caller needs to know.
    return undefined;
  }
}

/** Encodes certificates as Go's PEM encoder does: 64 columns, LF, one block after the other. */
export function encodePem(certificates: readonly Certificate[]): Uint8Array {
  const blocks = certificates.map(({ x509 }) => {
    const lines = x509.raw.toString('base64').replaceAll(/.{64}(?=.)/g, '$&\n');
    return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
  });
  return Buffer.from(blocks.join(''));
}

/**
 * Reads the parts of a certificate that `X509Certificate` does not expose.
 *
 * @throws {DerError} when the encoding is not understood; OpenSSL's own errors for a public key of an unknown kind
 * @source RFC 5280 §4.1
 */
export function readCertificate(x509: X509Certificate): Certificate {
  const [tbs, algorithm] = readDerChildren(readDer(x509.raw));
  const fields = readDerChildren(tbs);
  // version [0] is absent in version 1 certificates; subject is the fourth field behind serialNumber.
  const offset = fields[0]?.tag === 0xa0 ? 1 : 0;
  const subject = fields[offset + 4];
  const extensions = readExtensions(fields.find((field) => field.tag === 0xa3));
  const constraints = readBasicConstraints(extensions.get(OID.basicConstraints)?.value);
  return {
    x509,
    publicKey: x509.publicKey,
    commonName: readCommonName(subject),
    notBefore: Date.parse(x509.validFrom),
    notAfter: Date.parse(x509.validTo),
    ...constraints,
    extendedKeyUsages: readUsages(extensions.get(OID.extendedKeyUsage)?.value),
    maySignCertificates: readMaySign(extensions.get(OID.keyUsage)?.value),
    isSha1Signed: readDerChildren(algorithm).some((part) => SHA1_SIGNATURES.has(part.oid())),
    hasUnknownCritical: [...extensions].some(
      ([oid, extension]) => extension.isCritical && !KNOWN_CRITICAL.has(oid),
    ),
  };
}

interface Extension {
  readonly isCritical: boolean;
  readonly value: DerElement;
}

function readExtensions(wrapper: DerElement | undefined): ReadonlyMap<string, Extension> {
  const found = new Map<string, Extension>();
  for (const extension of readDerChildren(readDerChildren(wrapper)[0])) {
    const [id, ...rest] = readDerChildren(extension);
    const octets = rest.at(-1);
    if (id === undefined || octets === undefined) throw new DerError('not an extension');
    const isCritical = rest.length === 2 && rest[0]?.content[0] !== 0;
    found.set(id.oid(), { isCritical, value: readDer(octets.content) });
  }
  return found;
}

function readCommonName(subject: DerElement | undefined): string | undefined {
  let commonName: string | undefined;
  for (const set of readDerChildren(subject)) {
    for (const attribute of readDerChildren(set)) {
      const [type, value] = readDerChildren(attribute);
      if (type?.oid() === OID.commonName) commonName = value?.text();
    }
  }
  return commonName;
}

function readBasicConstraints(value: DerElement | undefined): {
  isCa: boolean;
  pathLength: number | undefined;
} {
  const parts = readDerChildren(value);
  const isCa = parts[0]?.tag === 0x01 && parts[0].content[0] !== 0;
  const pathLength = parts.find((part) => part.tag === 0x02)?.content[0];
  return { isCa, pathLength };
}

function readUsages(value: DerElement | undefined): readonly string[] | undefined {
  return value === undefined ? undefined : readDerChildren(value).map((usage) => usage.oid());
}

/** keyCertSign is bit 5 of the bit string, whose first content byte counts the unused bits. */
function readMaySign(value: DerElement | undefined): boolean {
  return value === undefined || ((value.content[1] ?? 0) & 0x04) !== 0;
}
