import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { admittedKeys, caAnchor, type RootAnchor } from '../../../src/trust/anchor.ts';
import { TrustError } from '../../../src/trust/errors.ts';
import { type RootKey, validRootKeys } from '../../../src/trust/root-keys.ts';
import { throwsWithCode } from '../../support/reject-with-code.ts';
import { makeKeyPair } from '../../support/x509.ts';
import { caOf, DAY_MS, FIRST_USE, NOW, utf8 } from './making.ts';
import {
  certifiedKey,
  type RawCertificate,
  type RawOptions,
  rawCertificate,
  rootOf,
  SAYING,
} from './raw-certificate.ts';

const GUN = 'registry.example.test/app';
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const CODE_SIGNING = '1.3.6.1.5.5.7.3.3';
const ANY_USAGE = '2.5.29.37.0';
const SECOND = 1_000;

function ca(name: string, options: Partial<RawOptions> = {}): RawCertificate {
  return rawCertificate({ name, extensions: [SAYING.ca()], ...options });
}

function leafOf(issuer: RawCertificate, options: Partial<RawOptions> = {}): RawCertificate {
  return rawCertificate({ name: GUN, issuer, extensions: [SAYING.notCa()], ...options });
}

/** Root keys by the files in which they stand; dates are the chain's own business here. */
function keysOf(...bundles: readonly (readonly RawCertificate[])[]): ReadonlyMap<string, RootKey> {
  const keys = bundles.map((bundle) => {
    const rsa = bundle[0]?.publicKey.asymmetricKeyType === 'rsa';
    const text = bundle.map(({ certPem }) => certPem).join('');
    return certifiedKey(text, rsa ? 'rsa-x509' : 'ecdsa-x509');
  });
  return validRootKeys(rootOf(keys), GUN, 'ignore-dates');
}

function admits(anchor: RootAnchor, bundle: readonly RawCertificate[], now = NOW): boolean {
  const keys = keysOf(bundle);
  try {
    assert.deepEqual(admittedKeys(keys, anchor, now), keys);
    return true;
  } catch (error) {
    assert.ok(error instanceof TrustError);
    assert.equal(error.code, 'pin_mismatch');
    return false;
  }
}

const root = ca('root');
const middle = ca('middle', { issuer: root });
const low = ca('low', { issuer: middle });

describe('anchors without a chain', () => {
  const keys = keysOf([leafOf(root)], [leafOf(root)]);
  const [first, second] = [...keys.values()];
  const none = new Set<string>();

  it('first use admits everything that is valid', () => {
    assert.equal(admittedKeys(keys, FIRST_USE, NOW), keys);
  });

  it('no anchor admits nothing', () => {
    const act = (): unknown => admittedKeys(keys, { kind: 'none' }, NOW);
    const error = throwsWithCode(act, TrustError, 'tofu_disabled');
    assert.equal(error.detail['role'], 'root');
  });

  it('key ids admit the keys they name, by certificate or by public key', () => {
    assert.ok(first !== undefined && second !== undefined);
    for (const [anchor, admitted] of [
      [{ certificateKeyIds: new Set([first.key.id]), publicKeyIds: none }, [first.key.id]],
      [
        { certificateKeyIds: none, publicKeyIds: new Set([second.key.canonicalId]) },
        [second.key.id],
      ],
      [
        {
          certificateKeyIds: new Set([first.key.id]),
          publicKeyIds: new Set([second.key.canonicalId]),
        },
        [first.key.id, second.key.id],
      ],
    ] as const) {
      const found = admittedKeys(keys, { kind: 'keys', ...anchor }, NOW);
      assert.deepEqual([...found.keys()], admitted);
    }
  });

  it('key ids of one kind do not count as the other', () => {
    assert.ok(first !== undefined);
    for (const anchor of [
      { certificateKeyIds: none, publicKeyIds: none },
      { certificateKeyIds: new Set([first.key.canonicalId]), publicKeyIds: none },
      { certificateKeyIds: none, publicKeyIds: new Set([first.key.id]) },
    ]) {
      const act = (): unknown => admittedKeys(keys, { kind: 'keys', ...anchor }, NOW);
      const error = throwsWithCode(act, TrustError, 'pin_mismatch');
      assert.deepEqual(error.detail, { role: 'root', rootKeys: [...keys.keys()] });
    }
  });
});

describe('CA anchors', () => {
  it('are made from certificates only', () => {
    throwsWithCode(() => caAnchor(utf8('nothing')), TrustError, 'pin_mismatch');
    throwsWithCode(() => caAnchor(utf8('')), TrustError, 'pin_mismatch');
    assert.deepEqual(Object.entries(caOf(root.certPem)).length, 3);
  });

  const noSigning = ca('no-signing', { extensions: [SAYING.ca(), SAYING.keyUsage(0x02)] });
  const signing = ca('signing', { extensions: [SAYING.ca(), SAYING.keyUsage(0x06)] });
  const notCa = rawCertificate({ name: 'not-ca', extensions: [SAYING.notCa()] });
  const sha1 = ca('sha1', { hash: 'sha1' });
  const weak = ca('weak', { keyKind: 'rsa1024' });
  const strong = ca('strong', { keyKind: 'rsa2048' });
  const impostor = ca('root');
  const leaf = leafOf(low);
  const underRoot = leafOf(root);
  const rows: readonly (readonly [string, RawCertificate, readonly RawCertificate[], boolean])[] = [
    ['the issuer', root, [underRoot], true],
    ['the end of a chain', root, [leaf, low, middle], true],
    ['the end of a chain in another order', root, [leaf, middle, low], true],
    ['the end of a chain that is in the bundle too', root, [leaf, low, middle, root], true],
    ['an intermediate of the bundle', middle, [leaf, low, middle], true],
    ['an intermediate that is not in the bundle', low, [leaf], true],
    ['an intermediate above one of the bundle', middle, [leaf, low], true],
    ['the leaf itself', leaf, [leaf], true],
    ['an issuer that may sign, by its key usage', signing, [leafOf(signing)], true],
    ['a long RSA key', strong, [leafOf(strong)], true],
    ['a chain with a gap', root, [leaf, low], false],
    ['a chain with another gap', root, [leaf, middle], false],
    ['somebody else', ca('other'), [leaf, low, middle], false],
    ['somebody of the same name', impostor, [underRoot], false],
    ['another certificate of the leaf name', leafOf(root), [leaf], false],
    ['an issuer that is no CA', notCa, [leafOf(notCa)], false],
    ['an issuer that may not sign', noSigning, [leafOf(noSigning)], false],
    ['a SHA-1 issuer', sha1, [leafOf(sha1)], false],
    ['an RSA key of 1024 bits', weak, [leafOf(weak)], false],
    [
      'the key of the leaf with another name in between',
      root,
      [leafOf(root, { issuerName: 'x' })],
      false,
    ],
  ];
  for (const [row, pinned, bundle, expected] of rows) {
    it(`${expected ? 'admit' : 'do not admit'}: ${row}`, () => {
      assert.equal(admits(caOf(pinned.certPem), bundle), expected);
    });
  }

  it('do not lead through an intermediate that may not sign', () => {
    const between = ca('between', {
      issuer: root,
      extensions: [SAYING.ca(), SAYING.keyUsage(0x02)],
    });
    assert.equal(admits(caOf(root.certPem), [leafOf(between), between]), false);
  });

  it('may hold several certificates, of which one suffices', () => {
    const both = caOf(ca('other').certPem + root.certPem);
    assert.equal(admits(both, [leafOf(root)]), true);
  });

  it('admit only the keys whose chain holds', () => {
    const good = [leafOf(root)];
    const keys = keysOf(good, [leafOf(ca('other'))]);
    const admitted = admittedKeys(keys, caOf(root.certPem), NOW);
    assert.deepEqual([...admitted.keys()], [...keysOf(good).keys()]);
  });
});

describe('CA anchors: path length', () => {
  const short = ca('short', { extensions: [SAYING.ca(0)] });
  const one = ca('one', { extensions: [SAYING.ca(1)] });
  const below = (issuer: RawCertificate, name: string, length?: number): RawCertificate =>
    ca(name, { issuer, extensions: [SAYING.ca(length)] });

  for (const [row, pinned, chain, expected] of [
    ['0 and nothing between', short, [], true],
    ['0 and one between', short, [below(short, 'a')], false],
    ['1 and one between', one, [below(one, 'a')], true],
    ['1 and two between', one, twoBelow(one), false],
    ['none and two between', root, twoBelow(root), true],
    ['0 on the lower of two', root, twoBelow(root, undefined, 0), true],
    ['0 on the upper of two', root, twoBelow(root, 0), false],
    ['1 on the upper of two', root, twoBelow(root, 1), true],
  ] as const) {
    it(`${row}: ${expected ? 'admitted' : 'not admitted'}`, () => {
      const last = chain.at(-1) ?? pinned;
      assert.equal(admits(caOf(pinned.certPem), [leafOf(last), ...chain]), expected);
    });
  }

  function twoBelow(top: RawCertificate, upper?: number, lower?: number): RawCertificate[] {
    const a = below(top, 'a', upper);
    return [a, below(a, 'b', lower)];
  }
});

describe('CA anchors: dates, strictly and now', () => {
  const span = (notBefore: number, notAfter: number): Partial<RawOptions> => ({
    notBefore,
    notAfter,
  });
  for (const [row, dates, expected] of [
    ['in force', span(NOW - DAY_MS, NOW + DAY_MS), true],
    ['beginning now', span(NOW, NOW + DAY_MS), true],
    ['ending now', span(NOW - DAY_MS, NOW), true],
    ['ended a second ago', span(NOW - DAY_MS, NOW - SECOND), false],
    ['beginning in a second', span(NOW + SECOND, NOW + DAY_MS), false],
  ] as const) {
    it(`${row}: ${expected ? 'admitted' : 'not admitted'}, wherever in the chain`, () => {
      const anchor = ca('dated', dates);
      const between = ca('between', { ...dates, issuer: root });
      assert.equal(admits(caOf(anchor.certPem), [leafOf(anchor)]), expected);
      assert.equal(admits(caOf(root.certPem), [leafOf(root, dates)]), expected);
      assert.equal(admits(caOf(root.certPem), [leafOf(between), between]), expected);
    });
  }

  it('a pinned leaf has dates too', () => {
    const leaf = leafOf(root, span(NOW - DAY_MS, NOW - SECOND));
    assert.equal(admits(caOf(leaf.certPem), [leaf]), false);
    assert.equal(admits(caOf(leaf.certPem), [leaf], NOW - SECOND), true);
  });
});

describe('CA anchors: usages and critical extensions', () => {
  for (const [row, usages, plain, withCodeSigning] of [
    ['serverAuth', [SERVER_AUTH], true, true],
    ['any usage', [ANY_USAGE], true, true],
    ['codeSigning', [CODE_SIGNING], false, true],
    ['clientAuth', [CLIENT_AUTH], false, false],
    ['clientAuth and serverAuth', [CLIENT_AUTH, SERVER_AUTH], true, true],
    ['no usage at all', [], false, false],
  ] as const) {
    it(`${row}: ${plain}; with acceptCodeSigning: ${withCodeSigning}; wherever in the chain`, () => {
      const usage = SAYING.usages(...usages);
      const anchor = ca('stated', { extensions: [SAYING.ca(), usage] });
      const between = ca('between', { issuer: root, extensions: [SAYING.ca(), usage] });
      const leaf = leafOf(root, { extensions: [SAYING.notCa(), usage] });
      for (const [pinned, bundle] of [
        [anchor, [leafOf(anchor)]],
        [root, [leafOf(between), between]],
        [root, [leaf]],
        [leaf, [leaf]],
      ] as const) {
        assert.equal(admits(caOf(pinned.certPem), bundle), plain);
        assert.equal(admits(caOf(pinned.certPem, true), bundle), withCodeSigning);
      }
    });
  }

  it('an unknown critical extension anywhere breaks the chain', () => {
    const odd = { oid: '1.3.6.1.4.1.99999.1', isCritical: true, value: Buffer.from([5, 0]) };
    const anchor = ca('odd', { extensions: [SAYING.ca(), odd] });
    const between = ca('between', { issuer: root, extensions: [SAYING.ca(), odd] });
    const leaf = leafOf(root, { extensions: [SAYING.notCa(), odd] });
    assert.equal(admits(caOf(anchor.certPem), [leafOf(anchor)]), false);
    assert.equal(admits(caOf(root.certPem), [leafOf(between), between]), false);
    assert.equal(admits(caOf(root.certPem), [leaf]), false);
    assert.equal(admits(caOf(leaf.certPem), [leaf]), false);
  });
});

describe('CA anchors: hostile bundles', () => {
  it('cross-signed in every direction cost no more than their size', () => {
    const keyPair = makeKeyPair('p256');
    const twins = Array.from({ length: 15 }, () => ca('twin', { keyPair }));
    const issuer = twins[0];
    assert.ok(issuer !== undefined);
    const started = process.cpuUsage();
    assert.equal(admits(caOf(root.certPem), [leafOf(issuer), ...twins]), false);
    assert.ok(process.cpuUsage(started).user < 2_000_000);
  });

  it('with a loop end', () => {
    const [a, b] = [makeKeyPair('p256'), makeKeyPair('p256')];
    const first = ca('a', { keyPair: a });
    const second = ca('b', { keyPair: b, issuer: first });
    const looped = ca('a', { keyPair: a, issuer: second });
    assert.equal(admits(caOf(root.certPem), [leafOf(first), looped, second]), false);
    const bridge = ca('a', { keyPair: a, issuer: root });
    assert.equal(admits(caOf(root.certPem), [leafOf(first), looped, second, bridge]), true);
  });
});
