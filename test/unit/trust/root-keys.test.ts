import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TrustError } from '../../../src/trust/errors.ts';
import {
  authorityOf,
  certificateKeyIds,
  type DateCheck,
  validRootKeys,
} from '../../../src/trust/root-keys.ts';
import { objectIdentifier, sequence } from '../../support/der.ts';
import { makeRoleKey, notaryKeyId } from '../../support/notary-keys.ts';
import { throwsWithCode } from '../../support/reject-with-code.ts';
import { makeCertificate, makeKeyPair } from '../../support/x509.ts';
import { DAY_MS, keyOf, NOW } from './making.ts';
import {
  certifiedKey,
  commonName,
  type RawOptions,
  rawCertificate,
  rootOf,
  SAYING,
} from './raw-certificate.ts';

const GUN = 'registry.example.test/team/app';
const SECOND = 1_000;

function pem(options: Partial<RawOptions> = {}): string {
  return rawCertificate({ name: GUN, extensions: [SAYING.notCa()], ...options }).certPem;
}

function caPem(options: Partial<RawOptions> = {}): string {
  return pem({ name: 'authority', extensions: [SAYING.ca()], ...options });
}

function isValid(text: string, dates: DateCheck = NOW, keyType = 'ecdsa-x509'): boolean {
  const key = certifiedKey(text, keyType);
  try {
    const valid = validRootKeys(rootOf([key]), GUN, dates);
    assert.deepEqual([...valid.keys()], [key.id]);
    return true;
  } catch (error) {
    assert.ok(error instanceof TrustError);
    assert.equal(error.code, 'root_cert_invalid');
    return false;
  }
}

describe('root certificates: what makes one valid', () => {
  const leaf = pem();
  const ca = caPem();
  const rows: readonly (readonly [string, string, boolean])[] = [
    ['a leaf', leaf, true],
    ['a leaf of version 1', rawCertificate({ name: GUN }).certPem, true],
    ['a leaf and a CA', leaf + ca, true],
    ['a leaf and two CAs', leaf + ca + caPem({ name: 'other' }), true],
    ['a CA alone', caPem({ name: GUN }), false],
    ['a CA before the leaf', ca + leaf, false],
    ['two leaves', leaf + pem(), false],
    ['a second leaf behind a CA', leaf + ca + pem(), false],
    ['a private key beside it', leaf + makeCertificate({ commonName: 'x' }).keyPem, false],
    ['nothing', '', false],
    ['text', 'not a certificate', false],
    ['signed with SHA-1', pem({ hash: 'sha1' }), false],
    ['with a SHA-1 CA', leaf + caPem({ hash: 'sha1' }), false],
    ['with a CA of 1024 bits', leaf + caPem({ keyKind: 'rsa1024' }), false],
    ['CRLF line ends', leaf.replaceAll('\n', '\r\n'), false],
    ['lines of 76 columns', rewrapped(leaf, 76), false],
    ['no line end at the end', leaf.trimEnd(), false],
    ['text in front', `comment\n${leaf}`, false],
    ['an empty line between', `${leaf}\n${ca}`, false],
    [
      'a key of a kind nobody knows',
      pem({
        spki: sequence(sequence(objectIdentifier('1.2.3.4')), Buffer.from('030200ff', 'hex')),
      }),
      false,
    ],
  ];
  for (const [row, text, expected] of rows) {
    it(`${row}: ${expected ? 'valid' : 'invalid'}`, () => {
      assert.equal(isValid(text), expected);
    });
  }

  for (const [kind, keyType, expected] of [
    ['rsa2048', 'rsa-x509', true],
    ['rsa2048', 'ecdsa-x509', false],
    ['rsa1024', 'rsa-x509', false],
    ['p256', 'rsa-x509', false],
    ['p256', 'ecdsa', false],
    ['p384', 'ecdsa-x509', true],
  ] as const) {
    it(`${kind} under ${keyType}: ${expected ? 'valid' : 'invalid'}`, () => {
      assert.equal(isValid(pem({ keyKind: kind }), NOW, keyType), expected);
    });
  }

  it('an Ed25519 certificate is not supported', () => {
    const issuer = rawCertificate({ name: 'authority' });
    const text = pem({ keyPair: makeKeyPair('ed25519'), issuer });
    for (const keyType of ['ed25519', 'ed25519-x509', 'ecdsa-x509']) {
      assert.equal(isValid(text, NOW, keyType), false);
    }
  });

  it('a bare key is none', () => {
    const root = rootOf([keyOf(makeRoleKey('ecdsa'))]);
    throwsWithCode(() => validRootKeys(root, GUN, NOW), TrustError, 'root_cert_invalid');
  });
});

describe('root certificates: dates', () => {
  const rows: readonly (readonly [string, number, number, boolean, boolean])[] = [
    ['in force', NOW - DAY_MS, NOW + DAY_MS, true, true],
    ['ending now', NOW - DAY_MS, NOW, true, true],
    ['ended a second ago', NOW - DAY_MS, NOW - SECOND, false, true],
    ['beginning in a day', NOW + DAY_MS, NOW + 2 * DAY_MS, true, true],
    ['beginning later than in a day', NOW + DAY_MS + SECOND, NOW + 2 * DAY_MS, false, true],
    ['beginning and ending at once', NOW, NOW, true, true],
    ['ending before it begins', NOW + SECOND, NOW, false, false],
  ];
  for (const [row, notBefore, notAfter, now, ever] of rows) {
    it(`${row}: ${now ? 'in order' : 'not in order'}; dates ignored: ${ever}`, () => {
      assert.equal(isValid(pem({ notBefore, notAfter })), now);
      assert.equal(isValid(pem({ notBefore, notAfter }), 'ignore-dates'), ever);
    });
  }

  it('an expired intermediate is dropped, and then the key has another id', () => {
    const text = pem() + caPem({ notAfter: NOW - SECOND });
    assert.equal(isValid(text), false);
    assert.equal(isValid(text, 'ignore-dates'), true);
  });

  it('an intermediate that is not valid yet is dropped likewise', () => {
    assert.equal(isValid(pem() + caPem({ notBefore: NOW + DAY_MS + SECOND })), false);
  });
});

describe('root certificates: names', () => {
  for (const [name, expected] of [
    [GUN, true],
    ['registry.example.test/team/ap', false],
    ['registry.example.test/team/app2', false],
    ['Registry.example.test/team/app', false],
    ['registry.example.test/team/app*', true],
    ['registry.example.test/team/*', true],
    ['registry.example.test/te*', true],
    ['registry.example.test/te***', true],
    ['registry.example.test/other/*', false],
    ['*', true],
    ['***', true],
    ['*/app', false],
    ['registry.*/team/app', false],
    ['registry.*.test/*', false],
    ['', false],
    ['registry.example.test/team/app/*', false],
  ] as const) {
    it(`${JSON.stringify(name)} ${expected ? 'fits' : 'does not fit'}`, () => {
      assert.equal(isValid(pem({ name })), expected);
    });
  }

  it('a certificate without a common name fits nothing', () => {
    assert.equal(isValid(pem({ subject: [] })), false);
  });

  it('the last of several common names counts', () => {
    const other = commonName('registry.example.test/other');
    assert.equal(isValid(pem({ subject: [commonName(GUN), other] })), false);
    assert.equal(isValid(pem({ subject: [other, commonName(GUN)] })), true);
  });

  it('alternative names do not count', () => {
    const made = makeCertificate({ commonName: 'elsewhere', dnsNames: [GUN] });
    assert.equal(isValid(made.certPem), false);
  });
});

describe('valid root keys', () => {
  it('are those of several that are in order, with leaf and intermediates', () => {
    const good = certifiedKey(pem() + caPem());
    const bad = certifiedKey(pem({ name: 'elsewhere' }));
    const valid = validRootKeys(rootOf([bad, good]), GUN, NOW);
    assert.deepEqual([...valid.keys()], [good.id]);
    assert.equal(valid.get(good.id)?.certificate?.leaf.commonName, GUN);
    assert.equal(valid.get(good.id)?.certificate?.intermediates.length, 1);
    assert.equal(valid.get(good.id)?.key, good);
  });

  it('when there are none, the refusal says where', () => {
    const act = (): unknown => validRootKeys(rootOf([]), GUN, NOW);
    const error = throwsWithCode(act, TrustError, 'root_cert_invalid');
    assert.deepEqual(error.detail, { role: 'root', gun: GUN, version: 1 });
    const bodyless = { ...rootOf([]), roles: new Map() };
    throwsWithCode(() => validRootKeys(bodyless, GUN, NOW), TrustError, 'root_cert_invalid');
  });

  it('keep the threshold of the role, however few are left', () => {
    const keys = [certifiedKey(pem()), certifiedKey(pem({ name: 'elsewhere' }))];
    const root = rootOf(keys, 2);
    const authority = authorityOf(root, validRootKeys(root, GUN, NOW));
    assert.equal(authority.role, 'root');
    assert.equal(authority.threshold, 2);
    assert.deepEqual([...authority.keys.values()], [keys[0]]);
    assert.equal(authorityOf({ ...root, roles: new Map() }, new Map()).threshold, Infinity);
  });
});

describe('ids by which certificates can be pinned', () => {
  const idOf = (text: string, keyType = 'ecdsa-x509'): string =>
    notaryKeyId(keyType, Buffer.from(text).toString('base64'));

  it('are that of the certificate, or of each and of the bundle', () => {
    const [leaf, ca] = [pem(), caPem({ keyKind: 'rsa2048' })];
    assert.deepEqual(certificateKeyIds(Buffer.from(leaf)), [idOf(leaf)]);
    assert.deepEqual(certificateKeyIds(Buffer.from(leaf + ca)), [
      idOf(leaf),
      idOf(ca, 'rsa-x509'),
      idOf(leaf + ca),
    ]);
  });

  it('do not depend on how the file is laid out', () => {
    const leaf = pem();
    const text = `a comment\r\n${leaf.replaceAll('\n', '\r\n')}`;
    assert.deepEqual(certificateKeyIds(Buffer.from(text)), [idOf(leaf)]);
  });

  it('are none for anything but certificates, or for a kind of key that cannot be a root key', () => {
    assert.deepEqual(certificateKeyIds(Buffer.from('nothing')), []);
    const issuer = rawCertificate({ name: 'authority' });
    const text = pem({ keyPair: makeKeyPair('ed25519'), issuer });
    assert.deepEqual(certificateKeyIds(Buffer.from(text)), []);
  });
});

function rewrapped(text: string, columns: number): string {
  const [head = '', ...rest] = text.trimEnd().split('\n');
  const tail = rest.pop() ?? '';
  const lines = rest.join('').match(new RegExp(`.{1,${columns}}`, 'g')) ?? [];
  return `${[head, ...lines, tail].join('\n')}\n`;
}
