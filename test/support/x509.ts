import {
  createHash,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign as signBytes,
} from 'node:crypto';
import { bitString, der, integer, objectIdentifier, pemBlock, sequence, time } from './der.ts';

/** A key pair of a named kind. */
export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/** The kinds of key `makeKeyPair` makes. */
export type KeyKind = 'p224' | 'p256' | 'p384' | 'p521' | 'rsa1024' | 'rsa2048' | 'ed25519';

/** What a certificate is to say. */
export interface CertificateOptions {
  readonly commonName: string;
  /** Default `p256`; ignored when `keyPair` is given. */
  readonly keyKind?: Exclude<KeyKind, 'ed25519'>;
  /** Certify this key instead of a new one. */
  readonly keyPair?: KeyPair;
  /** Who signs; default: self-signed. */
  readonly issuer?: Certificate;
  /** `undefined` leaves the basicConstraints extension out; default false. */
  readonly isCa?: boolean | undefined;
  readonly dnsNames?: readonly string[];
  /** IPv4 addresses in dotted form. */
  readonly ipAddresses?: readonly string[];
  /** Default: no such extension. */
  readonly extendedKeyUsages?: readonly ('serverAuth' | 'clientAuth' | 'codeSigning')[];
  /** Default: the beginning of 2020. */
  readonly notBefore?: Date;
  /** Default: the end of 2049. */
  readonly notAfter?: Date;
  /** Default `sha256`. */
  readonly signatureHash?: 'sha256' | 'sha1';
}

/** A certificate with its private key. */
export interface Certificate extends KeyPair {
  readonly commonName: string;
  readonly certPem: string;
  readonly certDer: Buffer;
  readonly keyPem: string;
}

/** Fixed, so that no test depends on the day on which it runs: the fake clock's stands still. */
const VALID_FROM = new Date('2020-01-01T00:00:00Z');
const VALID_UNTIL = new Date('2049-12-31T00:00:00Z');
const CURVES = { p224: 'P-224', p256: 'P-256', p384: 'P-384', p521: 'P-521' } as const;
const EXTENDED_KEY_USAGES = {
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  codeSigning: '1.3.6.1.5.5.7.3.3',
} as const;
const SIGNATURE_OIDS = {
  ec: { sha256: '1.2.840.10045.4.3.2', sha1: '1.2.840.10045.4.1' },
  rsa: { sha256: '1.2.840.113549.1.1.11', sha1: '1.2.840.113549.1.1.5' },
} as const;

/** Makes a new key pair. */
export function makeKeyPair(kind: KeyKind): KeyPair {
  if (kind === 'ed25519') return generateKeyPairSync('ed25519');
  if (kind === 'rsa1024' || kind === 'rsa2048') {
    return generateKeyPairSync('rsa', { modulusLength: kind === 'rsa1024' ? 1024 : 2048 });
  }
  return generateKeyPairSync('ec', { namedCurve: CURVES[kind] });
}

/** Makes an X.509 v3 certificate. @source RFC 5280 §4.1 */
export function makeCertificate(options: CertificateOptions): Certificate {
  const keyPair = options.keyPair ?? makeKeyPair(options.keyKind ?? 'p256');
  const issuer = options.issuer;
  const signingKey = issuer?.privateKey ?? keyPair.privateKey;
  const hash = options.signatureHash ?? 'sha256';
  const algorithm = signatureAlgorithm(signingKey, hash);
  const spki = keyPair.publicKey.export({ type: 'spki', format: 'der' });
  const issuerSpki = (issuer ?? keyPair).publicKey.export({ type: 'spki', format: 'der' });
  const toBeSigned = sequence(
    der(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(12)])),
    algorithm,
    name(issuer?.commonName ?? options.commonName),
    sequence(time(options.notBefore ?? VALID_FROM), time(options.notAfter ?? VALID_UNTIL)),
    name(options.commonName),
    spki,
    der(0xa3, sequence(...extensions(options, spki, issuerSpki))),
  );
  const signature = signBytes(hash, toBeSigned, signingKey);
  const certDer = sequence(toBeSigned, algorithm, bitString(signature));
  return {
    ...keyPair,
    commonName: options.commonName,
    certDer,
    certPem: pemBlock('CERTIFICATE', certDer),
    keyPem: keyPair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

/** Makes a certificate authority for one test. */
export function makeTestCa(commonName = 'Pinnace test CA'): Certificate {
  return makeCertificate({ commonName, isCa: true });
}

/** Issues a server certificate for host names and IPv4 addresses, told apart by their form. */
export function issueServerCertificate(ca: Certificate, hosts: readonly string[]): Certificate {
  const isAddress = (host: string): boolean => /^\d+(?:\.\d+){3}$/.test(host);
  return makeCertificate({
    commonName: hosts[0] ?? 'localhost',
    issuer: ca,
    dnsNames: hosts.filter((host) => !isAddress(host)),
    ipAddresses: hosts.filter(isAddress),
    extendedKeyUsages: ['serverAuth'],
  });
}

function signatureAlgorithm(key: KeyObject, hash: 'sha256' | 'sha1'): Buffer {
  if (key.asymmetricKeyType === 'ec') return sequence(objectIdentifier(SIGNATURE_OIDS.ec[hash]));
  return sequence(objectIdentifier(SIGNATURE_OIDS.rsa[hash]), der(0x05));
}

function name(commonName: string): Buffer {
  const value = der(0x0c, Buffer.from(commonName));
  return sequence(der(0x31, sequence(objectIdentifier('2.5.4.3'), value)));
}

function extensions(
  options: CertificateOptions,
  spki: Uint8Array,
  issuerSpki: Uint8Array,
): readonly Buffer[] {
  const isCa = 'isCa' in options ? options.isCa : false;
  const usage = isCa ? bitString(Buffer.from([0x06]), 1) : bitString(Buffer.from([0xa0]), 5);
  const list = [extension('2.5.29.15', usage, true)];
  if (isCa !== undefined) {
    const flag = isCa ? der(0x01, Buffer.from([0xff])) : Buffer.alloc(0);
    list.push(extension('2.5.29.19', sequence(flag), true));
  }
  list.push(extension('2.5.29.14', der(0x04, keyIdentifier(spki))));
  list.push(extension('2.5.29.35', sequence(der(0x80, keyIdentifier(issuerSpki)))));
  const usages = options.extendedKeyUsages ?? [];
  if (usages.length > 0) {
    const identifiers = usages.map((each) => objectIdentifier(EXTENDED_KEY_USAGES[each]));
    list.push(extension('2.5.29.37', sequence(...identifiers)));
  }
  const alternativeNames = [
    ...(options.dnsNames ?? []).map((host) => der(0x82, Buffer.from(host))),
    ...(options.ipAddresses ?? []).map((ip) => der(0x87, Buffer.from(ip.split('.').map(Number)))),
  ];
  if (alternativeNames.length > 0) {
    list.push(extension('2.5.29.17', sequence(...alternativeNames)));
  }
  return list;
}

function extension(oid: string, value: Uint8Array, isCritical = false): Buffer {
  const critical = isCritical ? der(0x01, Buffer.from([0xff])) : Buffer.alloc(0);
  return sequence(objectIdentifier(oid), critical, der(0x04, value));
}

function keyIdentifier(spki: Uint8Array): Buffer {
  return createHash('sha1').update(spki).digest();
}
