import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { Parsed } from './values.ts';

const BLOCK = /-----BEGIN ([A-Z0-9 ]{1,40})-----[^-]*-----END \1-----/g;

/** Reads PEM text that holds certificates and nothing else. */
export function parseCertificates(text: string): Parsed<readonly X509Certificate[]> {
  const blocks = [...text.matchAll(BLOCK)];
  if (blocks.length === 0) {
    return {
      ok: false,
      problem: 'holds no certificate in PEM form',
      fix: 'it should begin with -----BEGIN CERTIFICATE-----; openssl x509 -inform der -outform pem converts DER',
    };
  }
  const other = blocks.find((block) => block[1] !== 'CERTIFICATE')?.[1];
  if (other !== undefined) {
    return { ok: false, problem: `holds a ${other}, not only certificates` };
  }
  const certificates: X509Certificate[] = [];
  for (const [index, block] of blocks.entries()) {
    const certificate = accept(() => new X509Certificate(block[0]));
    if (certificate === undefined) {
      return {
        ok: false,
        problem: `holds a certificate that cannot be read (number ${index + 1})`,
      };
    }
    certificates.push(certificate);
  }
  return { ok: true, value: certificates };
}

/** Checks PEM text for a private key that can be used without a pass phrase. */
export function checkPrivateKey(text: string): Parsed<string> {
  if (accept(() => createPrivateKey(text)) !== undefined) return { ok: true, value: text };
  return text.includes('ENCRYPTED')
    ? {
        ok: false,
        problem: 'holds an encrypted key',
        fix: 'store it decrypted, readable by Pinnace only',
      }
    : { ok: false, problem: 'holds no private key in PEM form' };
}

/** Says whether the first certificate and the key, both PEM, belong together; true where that cannot be told. */
export function belongTogether(certificates: string, key: string): boolean {
  const parsed = parseCertificates(certificates);
  const first = parsed.ok ? parsed.value[0] : undefined;
  const privateKey = accept(() => createPrivateKey(key));
  if (first === undefined || privateKey === undefined) return true;
  return first.checkPrivateKey(privateKey);
}

/** What is wrong with the dates of a certificate at `now` (milliseconds since the epoch), if anything. */
export function doubtfulDates(certificate: X509Certificate, now: number): string | undefined {
  const name = certificate.subject.replaceAll('\n', ', ');
  if (certificate.validToDate.getTime() < now) {
    return `the certificate of ${name} expired at ${certificate.validToDate.toISOString()}`;
  }
  if (certificate.validFromDate.getTime() > now) {
    return `the certificate of ${name} is valid only from ${certificate.validFromDate.toISOString()}`;
  }
  return undefined;
}

function accept<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    // Why OpenSSL does not like it tells an operator nothing; callers say what should have been there.
    return undefined;
  }
}
