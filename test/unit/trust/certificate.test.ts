import assert from 'node:assert/strict';
import type { X509Certificate } from 'node:crypto';
import { describe, it } from 'node:test';
import {
  encodePem,
  readCertificate,
  readCertificates,
  splitPem,
} from '../../../src/trust/certificate.ts';
import { DerError } from '../../../src/trust/der.ts';
import { der, integer, objectIdentifier, pemBlock, sequence } from '../../support/der.ts';
import { makeCertificate, makeKeyPair } from '../../support/x509.ts';
import { DAY_MS, NOW, utf8 } from './making.ts';
import { asRead, commonName, rawCertificate, SAYING } from './raw-certificate.ts';

const leaf = makeCertificate({ commonName: 'registry.example.test/app' });
const ca = makeCertificate({ commonName: 'authority', isCa: true });

describe('PEM bundles', () => {
  it('are split into blocks, whatever stands around them', () => {
    const text = `comment\n${leaf.certPem}\nmore\n${ca.certPem}end`;
    assert.deepEqual(splitPem(utf8(text)), [leaf.certPem.trim(), ca.certPem.trim()]);
  });

  for (const [row, text] of [
    ['nothing', ''],
    ['no block', 'no certificate here'],
    ['a private key', leaf.keyPem],
    ['a certificate and a private key', leaf.certPem + leaf.keyPem],
    ['a private key before the certificate', leaf.keyPem + leaf.certPem],
    ['a certificate request', pemBlock('CERTIFICATE REQUEST', leaf.certDer)],
    ['the old name of the block', pemBlock('X509 CERTIFICATE', leaf.certDer)],
    ['a block without an end', leaf.certPem.slice(0, -30)],
    ['a second block without an end', leaf.certPem + ca.certPem.slice(0, -30)],
    ['seventeen certificates', leaf.certPem.repeat(17)],
  ] as const) {
    it(`are refused: ${row}`, () => {
      assert.equal(splitPem(utf8(text)), undefined);
      assert.equal(readCertificates(utf8(text)), undefined);
    });
  }

  it('may hold sixteen certificates', () => {
    assert.equal(readCertificates(utf8(leaf.certPem.repeat(16)))?.length, 16);
  });

  for (const [row, text] of [
    ['DER that is none', pemBlock('CERTIFICATE', Buffer.from('no certificate'))],
    ['base64 that is none', '-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n'],
    ['a bad one behind a good one', leaf.certPem + pemBlock('CERTIFICATE', Buffer.from([0x30]))],
  ] as const) {
    it(`are unreadable as a whole: ${row}`, () => {
      assert.equal(readCertificates(utf8(text)), undefined);
    });
  }

  it('cost one pass, however hostile', () => {
    const started = process.cpuUsage();
    assert.equal(splitPem(utf8('-----BEGIN '.repeat(100_000))), undefined);
    assert.equal(splitPem(utf8('-----BEGIN CERTIFICATE-----'.repeat(40_000))), undefined);
    assert.equal(splitPem(utf8('-'.repeat(1_000_000))), undefined);
    assert.ok(process.cpuUsage(started).user < 2_000_000);
  });

  it('are encoded as Go does it: 64 columns, LF, one after the other', () => {
    const read = readCertificates(utf8(leaf.certPem + ca.certPem)) ?? [];
    assert.equal(Buffer.from(encodePem(read)).toString(), leaf.certPem + ca.certPem);
  });

  it('read a string that cannot be decoded as unreadable', () => {
    const odd = rawCertificate({ name: 'x', subject: [commonName(Buffer.from([0, 97, 0]), 0x1e)] });
    assert.equal(readCertificates(utf8(odd.certPem)), undefined);
  });
});

describe('certificates, taken apart', () => {
  it('give common name, dates and key', () => {
    const read = asRead(
      rawCertificate({ name: 'a/b', notBefore: NOW - DAY_MS, notAfter: NOW + DAY_MS }),
    );
    assert.equal(read.commonName, 'a/b');
    assert.equal(read.notBefore, NOW - DAY_MS);
    assert.equal(read.notAfter, NOW + DAY_MS);
    assert.equal(read.x509.publicKey.asymmetricKeyType, 'ec');
  });

  it('of version 1 have no extensions', () => {
    const read = asRead(rawCertificate({ name: 'old' }));
    assert.equal(read.commonName, 'old');
    assert.equal(read.isCa, false);
    assert.equal(read.pathLength, undefined);
    assert.equal(read.extendedKeyUsages, undefined);
    assert.equal(read.maySignCertificates, true);
    assert.equal(read.hasUnknownCritical, false);
  });

  for (const [row, subject, expected] of [
    ['PrintableString', [commonName('plain', 0x13)], 'plain'],
    ['BMPString', [commonName(Buffer.from([0, 97, 0, 98]), 0x1e)], 'ab'],
    ['the last of several', [commonName('first'), commonName('second')], 'second'],
    [
      'beside other attributes',
      [sequence(objectIdentifier('2.5.4.10'), der(0x0c, Buffer.from('org'))), commonName('cn')],
      'cn',
    ],
    [
      'not the organisation',
      [sequence(objectIdentifier('2.5.4.10'), der(0x0c, Buffer.from('org')))],
      undefined,
    ],
    ['no attribute at all', [], undefined],
  ] as const) {
    it(`common name: ${row}`, () => {
      assert.equal(asRead(rawCertificate({ name: 'x', subject })).commonName, expected);
    });
  }

  const falseFlag = { oid: '2.5.29.19', value: sequence(der(0x01, Buffer.from([0]))) };
  const pathOnly = { oid: '2.5.29.19', value: sequence(integer(Buffer.from([3]))) };
  for (const [row, extension, isCa, pathLength] of [
    ['CA', SAYING.ca(), true, undefined],
    ['CA with path length 0', SAYING.ca(0), true, 0],
    ['CA with path length 2', SAYING.ca(2), true, 2],
    ['empty', SAYING.notCa(), false, undefined],
    ['a flag that says no', falseFlag, false, undefined],
    ['a path length without the flag', pathOnly, false, 3],
  ] as const) {
    it(`basic constraints: ${row}`, () => {
      const read = asRead(rawCertificate({ name: 'x', extensions: [extension] }));
      assert.equal(read.isCa, isCa);
      assert.equal(read.pathLength, pathLength);
    });
  }

  for (const [row, bits, expected] of [
    ['keyCertSign and cRLSign', 0x06, true],
    ['keyCertSign alone', 0x04, true],
    ['digitalSignature', 0x80, false],
    ['cRLSign alone', 0x02, false],
  ] as const) {
    it(`key usage: ${row}`, () => {
      const read = asRead(rawCertificate({ name: 'x', extensions: [SAYING.keyUsage(bits)] }));
      assert.equal(read.maySignCertificates, expected);
    });
  }

  it('key usage without any bit allows nothing', () => {
    const empty = { oid: '2.5.29.15', value: der(0x03, Buffer.from([0])) };
    assert.equal(
      asRead(rawCertificate({ name: 'x', extensions: [empty] })).maySignCertificates,
      false,
    );
  });

  it('give extended key usages in order', () => {
    const usages = ['1.3.6.1.5.5.7.3.3', '1.3.6.1.5.5.7.3.1'];
    const extensions = [SAYING.usages(...usages)];
    assert.deepEqual(asRead(rawCertificate({ name: 'x', extensions })).extendedKeyUsages, usages);
  });

  for (const [row, extension, expected] of [
    ['key usage', SAYING.keyUsage(0x80), false],
    ['basic constraints', SAYING.ca(), false],
    ['extended key usage', { ...SAYING.usages('2.5.29.37.0'), isCritical: true }, false],
    [
      'alternative names',
      { oid: '2.5.29.17', isCritical: true, value: sequence(der(0x82, Buffer.from('h'))) },
      false,
    ],
    ['name constraints', { oid: '2.5.29.30', isCritical: true, value: sequence() }, true],
    ['certificate policies', { oid: '2.5.29.32', isCritical: true, value: sequence() }, true],
    ['something private', { oid: '1.3.6.1.4.1.99999.1', isCritical: true, value: der(5) }, true],
    ['something private, not critical', { oid: '1.3.6.1.4.1.99999.1', value: der(5) }, false],
  ] as const) {
    it(`critical extensions: ${row} is ${expected ? 'unknown' : 'no obstacle'}`, () => {
      const read = asRead(rawCertificate({ name: 'x', extensions: [extension] }));
      assert.equal(read.hasUnknownCritical, expected);
    });
  }

  for (const [row, extension] of [
    ['nothing', sequence()],
    ['an identifier alone', sequence(objectIdentifier('2.5.29.19'))],
  ] as const) {
    it(`an extension that is ${row} makes them unreadable`, () => {
      const made = rawCertificate({ name: 'x', extensions: [] });
      const certDer = replaceTail(
        made.certDer,
        der(0xa3, sequence()),
        der(0xa3, sequence(extension)),
      );
      // OpenSSL refuses it by itself; the reader must not rely on that.
      const x509: X509Certificate = Object.assign(JSON.parse('{}'), { raw: certDer });
      assert.throws(() => readCertificate(x509), DerError);
      assert.equal(readCertificates(utf8(pemBlock('CERTIFICATE', certDer))), undefined);
    });
  }

  it('a critical flag that says no is none', () => {
    const notCritical = Buffer.concat([
      objectIdentifier('1.3.6.1.4.1.99999.1'),
      der(0x01, Buffer.from([0])),
      der(0x04, der(5)),
    ]);
    const made = rawCertificate({ name: 'x', extensions: [] });
    const empty = der(0xa3, sequence());
    const filled = der(0xa3, sequence(der(0x30, notCritical)));
    const tbs = replaceTail(made.certDer, empty, filled);
    assert.equal(asRead({ certDer: tbs }).hasUnknownCritical, false);
  });

  for (const [row, options, expected] of [
    ['ECDSA with SHA-1', { hash: 'sha1' }, true],
    ['RSA with SHA-1', { hash: 'sha1', keyKind: 'rsa2048' }, true],
    ['ECDSA with SHA-256', {}, false],
    ['RSA with SHA-256', { keyKind: 'rsa2048' }, false],
  ] as const) {
    it(`signature: ${row}`, () => {
      assert.equal(asRead(rawCertificate({ name: 'x', ...options })).isSha1Signed, expected);
    });
  }

  it('knows DSA with SHA-1 by its identifier', () => {
    const sha256 = objectIdentifier('1.2.840.10045.4.3.2');
    const dsa = objectIdentifier('1.2.840.10040.4.3');
    const { certDer } = rawCertificate({ name: 'x', keyPair: makeKeyPair('p256') });
    assert.equal(asRead({ certDer: replaceAlgorithms(certDer, sha256, dsa) }).isSha1Signed, true);
  });
});

/** Exchanges the extensions of a certificate; its signature is then wrong, which reading does not mind. */
function replaceTail(certDer: Buffer, from: Buffer, to: Buffer): Buffer {
  const [tbs, ...rest] = partsOf(certDer);
  if (tbs === undefined) throw new Error('no certificate');
  const body = contentOf(tbs);
  const at = body.lastIndexOf(from);
  return sequence(sequence(Buffer.concat([body.subarray(0, at), to])), ...rest);
}

function replaceAlgorithms(certDer: Buffer, from: Buffer, to: Buffer): Buffer {
  const [tbs, , signature] = partsOf(certDer);
  if (tbs === undefined || signature === undefined) throw new Error('no certificate');
  const body = contentOf(tbs);
  const at = body.indexOf(sequence(from));
  const inner = Buffer.concat([
    body.subarray(0, at),
    sequence(to),
    body.subarray(at + sequence(from).length),
  ]);
  return sequence(sequence(inner), sequence(to), signature);
}

function partsOf(certDer: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  for (let rest = contentOf(certDer); rest.length > 0; ) {
    const whole = rest.subarray(0, rest.length - after(rest).length);
    parts.push(whole);
    rest = after(rest);
  }
  return parts;
}

function contentOf(element: Buffer): Buffer {
  const { start, end } = extent(element);
  return element.subarray(start, end);
}

function after(element: Buffer): Buffer {
  return element.subarray(extent(element).end);
}

function extent(element: Buffer): { start: number; end: number } {
  const first = element[1] ?? 0;
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  const length = lengthBytes === 0 ? first : element.readUIntBE(2, lengthBytes);
  return { start: 2 + lengthBytes, end: 2 + lengthBytes + length };
}
