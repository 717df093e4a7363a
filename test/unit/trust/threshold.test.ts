import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { authorityFingerprint } from '../../../src/trust/authority.ts';
import { TrustError } from '../../../src/trust/errors.ts';
import { requireThreshold, type SignedBytes, signersOf } from '../../../src/trust/threshold.ts';
import { certificateKey, makeRoleKey, type RoleKey } from '../../support/notary-keys.ts';
import { throwsWithCode } from '../../support/reject-with-code.ts';
import { makeCertificate, makeKeyPair } from '../../support/x509.ts';
import { authorityFor, NOTARY_RULES, utf8 } from './making.ts';

const MESSAGE = utf8('{"signed":true}');
const [alice, bob, carol] = [makeRoleKey('ecdsa'), makeRoleKey('ed25519'), makeRoleKey('ecdsa')];

function signedBy(
  keys: readonly RoleKey[],
  change: (value: Buffer, index: number) => Buffer = (value) => value,
): SignedBytes {
  const signatures = keys.map((key, index) => {
    const { keyid, method, sig } = key.sign(MESSAGE);
    return { keyId: keyid, method, value: change(Buffer.from(sig, 'base64'), index) };
  });
  return { signedBytes: MESSAGE, signatures };
}

const broken = (value: Buffer): Buffer => Buffer.from(value).reverse();

describe('thresholds', () => {
  const both = authorityFor('targets', [alice, bob], 2);

  it('are met by enough distinct keys, which are named', () => {
    const keys = requireThreshold(signedBy([bob, alice]), both, NOTARY_RULES);
    assert.deepEqual(new Set(keys.map(({ id }) => id)), new Set([alice.keyId, bob.keyId]));
    const one = authorityFor('targets', [alice, bob], 1);
    const [key] = requireThreshold(signedBy([bob]), one, NOTARY_RULES);
    assert.equal(key?.id, bob.keyId);
  });

  it('are met in spite of extra signatures that are broken or by strangers', () => {
    const file = signedBy([carol, alice, bob, alice], (value, index) =>
      index === 3 ? broken(value) : value,
    );
    assert.equal(requireThreshold(file, both, NOTARY_RULES).length, 2);
  });

  for (const [row, file, code, valid] of [
    ['no signature', signedBy([]), 'threshold_not_met', 0],
    ['one signature of two', signedBy([alice]), 'threshold_not_met', 1],
    ['one key signing twice', signedBy([alice, alice]), 'threshold_not_met', 1],
    ['a stranger in place of the second key', signedBy([alice, carol]), 'threshold_not_met', 1],
    [
      'a broken signature by the second key',
      signedBy([alice, bob], (value, index) => (index === 1 ? broken(value) : value)),
      'bad_signature',
      1,
    ],
    ['broken signatures only', signedBy([alice, bob], broken), 'bad_signature', 0],
    ['a broken signature by a stranger', signedBy([carol], broken), 'threshold_not_met', 0],
  ] as const) {
    it(`are not met: ${row}`, () => {
      const act = (): unknown => requireThreshold(file, both, NOTARY_RULES);
      const error = throwsWithCode(act, TrustError, code);
      assert.deepEqual(error.detail, { role: 'targets', threshold: 2, validSignatures: valid });
    });
  }

  it('count one key in two certificates once', () => {
    const keyPair = makeKeyPair('p256');
    const twice = ['a', 'b'].map((commonName) =>
      certificateKey(makeCertificate({ commonName, keyPair })),
    );
    const authority = authorityFor('root', twice, 2);
    const act = (): unknown => requireThreshold(signedBy(twice), authority, NOTARY_RULES);
    throwsWithCode(act, TrustError, 'threshold_not_met');
  });

  it('count a second signature by a key whose first one is broken', () => {
    const file = signedBy([alice, alice], (value, index) => (index === 0 ? broken(value) : value));
    const one = authorityFor('targets', [alice], 1);
    const { keyIds, anyFailed } = signersOf(file, one, NOTARY_RULES);
    assert.deepEqual(keyIds, new Set([alice.keyId]));
    assert.equal(anyFailed, true);
    assert.equal(requireThreshold(file, one, NOTARY_RULES).length, 1);
  });

  it('do not verify again a key that has signed', () => {
    const file = signedBy([alice, alice], (value, index) => (index === 1 ? broken(value) : value));
    const one = authorityFor('targets', [alice], 1);
    assert.equal(signersOf(file, one, NOTARY_RULES).anyFailed, false);
  });
});

describe('authority fingerprints', () => {
  const base = authorityFingerprint(authorityFor('targets', [alice, bob], 1));

  it('do not depend on the order of the keys', () => {
    assert.equal(authorityFingerprint(authorityFor('targets', [bob, alice], 1)), base);
  });

  for (const [row, authority] of [
    ['role', authorityFor('targets/releases', [alice, bob], 1)],
    ['threshold', authorityFor('targets', [alice, bob], 2)],
    ['keys', authorityFor('targets', [alice, carol], 1)],
    ['number of keys', authorityFor('targets', [alice], 1)],
  ] as const) {
    it(`differ by ${row}`, () => {
      assert.notEqual(authorityFingerprint(authority), base);
    });
  }
});
