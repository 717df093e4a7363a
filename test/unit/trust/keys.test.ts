import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { describe, it } from 'node:test';
import { TrustError } from '../../../src/trust/errors.ts';
import { canonicalKeyId, isStrongEnough, type Key, parseKey } from '../../../src/trust/keys.ts';
import { objectIdentifier, sequence } from '../../support/der.ts';
import type { Json } from '../../support/notary-json.ts';
import { makeRoleKey, notaryKeyId, type RoleKeyKind } from '../../support/notary-keys.ts';
import { throwsWithCode } from '../../support/reject-with-code.ts';
import { makeCertificate, makeKeyPair } from '../../support/x509.ts';
import { keyOf, objectOf } from './making.ts';
import { rawCertificate } from './raw-certificate.ts';

function parsed(keytype: Json, publicBytes: Uint8Array | string): Key {
  const text = Buffer.from(publicBytes).toString('base64');
  return parseKey(objectOf({ keytype, keyval: { private: null, public: text } }), 'key');
}

function spkiOf(kind: Parameters<typeof makeKeyPair>[0]): Buffer {
  return makeKeyPair(kind).publicKey.export({ type: 'spki', format: 'der' });
}

describe('keys', () => {
  for (const kind of [
    'ecdsa',
    'ecdsa-p384',
    'ecdsa-p521',
    'ed25519',
    'rsa',
    'ecdsa-x509',
    'rsa-x509',
  ] as const satisfies readonly RoleKeyKind[]) {
    it(`${kind}: id, canonical id and usable key`, () => {
      const made = makeRoleKey(kind);
      const key = keyOf(made);
      assert.equal(key.id, made.keyId);
      assert.equal(key.canonicalId, made.canonicalKeyId);
      assert.equal(key.keyType, made.keyType);
      assert.ok(key.publicKey?.equals(made.publicKey));
      assert.equal(key.id === key.canonicalId, !kind.endsWith('x509'));
    });
  }

  it('have one canonical id for one key in two certificates', () => {
    const keyPair = makeKeyPair('p256');
    const [one, two] = ['a', 'b'].map((commonName) =>
      parsed('ecdsa-x509', makeCertificate({ commonName, keyPair }).certPem),
    );
    assert.notEqual(one?.id, two?.id);
    assert.equal(one?.canonicalId, two?.canonicalId);
    assert.equal(one?.canonicalId, parsed('ecdsa', derOf(keyPair.publicKey)).id);
  });

  it('take their id from type and public part alone', () => {
    const bytes = spkiOf('p256');
    const text = bytes.toString('base64');
    const wrapped = text.replace(/.{40}/g, '$&\n');
    const object = objectOf({
      extra: 1,
      keytype: 'ecdsa',
      keyval: { private: 'secret', public: wrapped },
    });
    assert.equal(parseKey(object, 'key').id, notaryKeyId('ecdsa', text));
  });

  it('may leave `private` out', () => {
    const object = objectOf({ keytype: 'ed25519', keyval: { public: 'AA==' } });
    assert.equal(parseKey(object, 'key').publicKey, undefined);
  });

  const sha1 = makeCertificate({ commonName: 'x', signatureHash: 'sha1' }).certPem;
  const strange = rawCertificate({
    name: 'x',
    spki: sequence(sequence(objectIdentifier('1.2.3.4')), Buffer.from('030200ff', 'hex')),
  }).certPem;
  for (const [row, keytype, bytes] of [
    ['of an unknown type', 'gpg', 'anything'],
    ['of type __proto__', '__proto__', 'anything'],
    ['of type ed25519 and 31 bytes', 'ed25519', Buffer.alloc(31, 1)],
    ['of type ed25519 and 33 bytes', 'ed25519', Buffer.alloc(33, 1)],
    ['of type ed25519 in SPKI form', 'ed25519', spkiOf('ed25519')],
    ['of type ecdsa and garbage', 'ecdsa', 'garbage'],
    ['of type ecdsa and an RSA key', 'ecdsa', spkiOf('rsa2048')],
    ['of type ecdsa and an Ed25519 key', 'ecdsa', spkiOf('ed25519')],
    ['of type rsa and an ECDSA key', 'rsa', spkiOf('p256')],
    ['of type ecdsa-x509 and no certificate', 'ecdsa-x509', spkiOf('p256')],
    ['of type ecdsa-x509 and an RSA certificate', 'ecdsa-x509', certificateOf('rsa2048')],
    ['of type rsa-x509 and an ECDSA certificate', 'rsa-x509', certificateOf('p256')],
    ['of type ecdsa-x509 and a SHA-1 certificate', 'ecdsa-x509', sha1],
    ['of type ecdsa-x509 and a certificate for a strange key', 'ecdsa-x509', strange],
  ] as const) {
    it(`${row} may be listed, but cannot be used`, () => {
      const key = parsed(keytype, bytes);
      assert.equal(key.publicKey, undefined);
      assert.equal(key.id, notaryKeyId(keytype, Buffer.from(bytes).toString('base64')));
      assert.equal(key.canonicalId, key.id);
    });
  }

  it('outside root work from an expired certificate', () => {
    const expired = makeCertificate({
      commonName: 'x',
      notBefore: new Date('2001-01-01'),
      notAfter: new Date('2002-01-01'),
    });
    assert.ok(parsed('ecdsa-x509', expired.certPem).publicKey !== undefined);
  });

  for (const [row, object] of [
    ['without a type', { keyval: { public: 'AA==' } }],
    ['with a number as type', { keytype: 1, keyval: { public: 'AA==' } }],
    ['without keyval', { keytype: 'ecdsa' }],
    ['with a list as keyval', { keytype: 'ecdsa', keyval: [] }],
    ['without a public part', { keytype: 'ecdsa', keyval: { private: null } }],
    ['with a public part that is no base64', { keytype: 'ecdsa', keyval: { public: 'A' } }],
  ] as const) {
    it(`are malformed ${row}`, () => {
      const error = throwsWithCode(() => parseKey(objectOf(object), 'k'), TrustError, 'malformed');
      assert.match(String(error.detail['field']), /^k\.key/);
    });
  }
});

describe('canonical key ids', () => {
  it('do not exist without a key or for a kind the dialect does not have', () => {
    assert.equal(canonicalKeyId(undefined), undefined);
    const made = strangeKeyPair();
    assert.equal(canonicalKeyId(made), undefined);
  });
});

describe('key strength', () => {
  for (const [kind, expected] of [
    ['rsa1024', false],
    ['rsa2048', true],
    ['p224', true],
    ['p256', true],
    ['ed25519', true],
  ] as const) {
    it(`${kind}: ${expected ? 'enough' : 'too little'}`, () => {
      assert.equal(isStrongEnough(makeKeyPair(kind).publicKey), expected);
    });
  }
});

it('an RSA key that does not say its length is not strong enough', () => {
  assert.equal(isStrongEnough(JSON.parse('{"asymmetricKeyType":"rsa"}')), false);
});

function certificateOf(keyKind: 'p256' | 'rsa2048'): string {
  return makeCertificate({ commonName: 'x', keyKind }).certPem;
}

function derOf(key: ReturnType<typeof makeKeyPair>['publicKey']): Buffer {
  return key.export({ type: 'spki', format: 'der' });
}

function strangeKeyPair(): ReturnType<typeof makeKeyPair>['publicKey'] {
  // X25519: a key that can agree on secrets but not sign.
  const spki = Buffer.concat([Buffer.from('302a300506032b656e032100', 'hex'), Buffer.alloc(32, 9)]);
  return createPublicKey({ key: spki, format: 'der', type: 'spki' });
}
