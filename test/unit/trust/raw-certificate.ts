import { sign as signBytes, X509Certificate } from 'node:crypto';
import {
  type Certificate as ReadCertificate,
  readCertificate,
} from '../../../src/trust/certificate.ts';
import { type Key, parseKey } from '../../../src/trust/keys.ts';
import type { RootBody } from '../../../src/trust/model.ts';
import {
  bitString,
  der,
  integer,
  objectIdentifier,
  pemBlock,
  sequence,
  time,
} from '../../support/der.ts';
import { type KeyKind, type KeyPair, makeKeyPair } from '../../support/x509.ts';
import { DAY_MS, NOW, objectOf } from './making.ts';

/** An extension as it is to stand in a certificate. */
export interface RawExtension {
  readonly oid: string;
  readonly isCritical?: boolean;
  readonly value: Uint8Array;
}

/** What a certificate is to say; unlike `makeCertificate` it leaves out and puts in whatever is asked. */
export interface RawOptions {
  readonly name: string;
  /** Attributes of the subject; default: one common name, `name`. */
  readonly subject?: readonly Uint8Array[];
  readonly issuer?: RawCertificate;
  /** Claim this issuer name instead of the issuer's. */
  readonly issuerName?: string;
  readonly keyPair?: KeyPair;
  readonly keyKind?: Exclude<KeyKind, 'ed25519'>;
  /** Put these bytes where the public key belongs. */
  readonly spki?: Uint8Array;
  readonly notBefore?: number;
  readonly notAfter?: number;
  readonly hash?: 'sha256' | 'sha1';
  /** Default: none, and then the certificate is of version 1. */
  readonly extensions?: readonly RawExtension[];
}

/** A certificate with its key. */
export interface RawCertificate extends KeyPair {
  readonly name: string;
  readonly certDer: Buffer;
  readonly certPem: string;
}

const SIGNATURES = {
  ec: { sha256: '1.2.840.10045.4.3.2', sha1: '1.2.840.10045.4.1' },
  rsa: { sha256: '1.2.840.113549.1.1.11', sha1: '1.2.840.113549.1.1.5' },
} as const;

/** Extensions by what they say. */
export const SAYING = {
  ca: (pathLength?: number): RawExtension => ({
    oid: '2.5.29.19',
    isCritical: true,
    value: sequence(
      der(0x01, Buffer.from([0xff])),
      pathLength === undefined ? Buffer.alloc(0) : integer(Buffer.from([pathLength])),
    ),
  }),
  notCa: (): RawExtension => ({ oid: '2.5.29.19', isCritical: true, value: sequence() }),
  /** keyUsage by its first byte: 0x80 digitalSignature, 0x04 keyCertSign. */
  keyUsage: (bits: number): RawExtension => ({
    oid: '2.5.29.15',
    isCritical: true,
    value: bitString(Buffer.from([bits]), 1),
  }),
  usages: (...oids: readonly string[]): RawExtension => ({
    oid: '2.5.29.37',
    value: sequence(...oids.map(objectIdentifier)),
  }),
};

/** A common name attribute of a subject, as some string type; default UTF8String. */
export function commonName(text: string | Uint8Array, tag = 0x0c): Buffer {
  const value = typeof text === 'string' ? Buffer.from(text) : text;
  return sequence(objectIdentifier('2.5.4.3'), der(tag, value));
}

/** Makes a certificate. @source RFC 5280 §4.1 */
export function rawCertificate(options: RawOptions): RawCertificate {
  const keyPair = options.keyPair ?? makeKeyPair(options.keyKind ?? 'p256');
  const signingKey = (options.issuer ?? keyPair).privateKey;
  const kind = signingKey.asymmetricKeyType === 'rsa' ? 'rsa' : 'ec';
  const hash = options.hash ?? 'sha256';
  const algorithm = sequence(objectIdentifier(SIGNATURES[kind][hash]));
  const issuerName = options.issuerName ?? options.issuer?.name ?? options.name;
  const { extensions } = options;
  const toBeSigned = sequence(
    extensions === undefined ? Buffer.alloc(0) : der(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.from([1, 2, 3])),
    algorithm,
    nameOf([commonName(issuerName)]),
    sequence(
      time(new Date(options.notBefore ?? NOW - DAY_MS)),
      time(new Date(options.notAfter ?? NOW + 3650 * DAY_MS)),
    ),
    nameOf(options.subject ?? [commonName(options.name)]),
    options.spki ?? keyPair.publicKey.export({ type: 'spki', format: 'der' }),
    extensions === undefined ? Buffer.alloc(0) : der(0xa3, sequence(...extensions.map(encode))),
  );
  const signature = bitString(signBytes(hash, toBeSigned, signingKey));
  const certDer = sequence(toBeSigned, algorithm, signature);
  return {
    ...keyPair,
    name: options.name,
    certDer,
    certPem: pemBlock('CERTIFICATE', certDer),
  };
}

/** The certificate as the trust core reads it. */
export function asRead(certificate: { readonly certDer: Buffer }): ReadCertificate {
  return readCertificate(new X509Certificate(certificate.certDer));
}

function nameOf(attributes: readonly Uint8Array[]): Buffer {
  return sequence(...attributes.map((attribute) => der(0x31, attribute)));
}

function encode({ oid, isCritical = false, value }: RawExtension): Buffer {
  const critical = isCritical ? der(0x01, Buffer.from([0xff])) : Buffer.alloc(0);
  return sequence(objectIdentifier(oid), critical, der(0x04, value));
}

/** The key of a root role whose public part is this PEM text. */
export function certifiedKey(pem: string, keyType = 'ecdsa-x509'): Key {
  const text = Buffer.from(pem).toString('base64');
  return parseKey(objectOf({ keytype: keyType, keyval: { private: null, public: text } }), 'key');
}

/** A root with these root keys and nothing else of interest. */
export function rootOf(keys: readonly Key[], threshold = 1): RootBody {
  const byId = new Map(keys.map((key) => [key.id, key]));
  const root = { role: 'root', threshold, keys: byId };
  return {
    version: 1,
    consistentSnapshot: true,
    expiresAt: NOW + DAY_MS,
    keys: byId,
    roles: new Map([['root', root]]),
  };
}
