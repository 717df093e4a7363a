import assert from 'node:assert/strict';
import { constants, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type Key, parseKey, type WeakAlgorithms } from '../../../src/trust/keys.ts';
import { type Signature, verifySignature } from '../../../src/trust/signature.ts';
import { makeRoleKey, type RoleKeyKind } from '../../support/notary-keys.ts';
import { type KeyKind, makeKeyPair } from '../../support/x509.ts';
import { keyOf, objectOf, STRONG_ONLY, utf8 } from './making.ts';

const MESSAGE = utf8('{"what":"is signed"}');
const PSS = constants.RSA_PKCS1_PSS_PADDING;

interface Made {
  readonly key: Key;
  readonly privateKey: KeyObject;
}

function made(keytype: string, kind: KeyKind): Made {
  const { publicKey, privateKey } = makeKeyPair(kind);
  return { key: bare(keytype, publicKey), privateKey };
}

function bare(keytype: string, publicKey: KeyObject): Key {
  const der = publicKey.export({ type: 'spki', format: 'der' });
  const stored = keytype === 'ed25519' ? der.subarray(12) : der;
  return parseKey(objectOf({ keytype, keyval: { public: stored.toString('base64') } }), 'key');
}

function verifies(
  { key }: Made,
  method: string,
  value: Uint8Array,
  weak: WeakAlgorithms = STRONG_ONLY,
): boolean {
  const signature: Signature = { keyId: key.id, method, value };
  return verifySignature(key, signature, MESSAGE, weak);
}

const ecdsa = made('ecdsa', 'p256');
const ed25519 = made('ed25519', 'ed25519');
const rsa = made('rsa', 'rsa2048');
const p1363 = (key: KeyObject, hash = 'sha256'): Buffer =>
  sign(hash, MESSAGE, { key, dsaEncoding: 'ieee-p1363' });
const pss = (key: KeyObject, saltLength: number, hash = 'sha256'): Buffer =>
  sign(hash, MESSAGE, { key, padding: PSS, saltLength });

describe('signatures', () => {
  for (const kind of [
    'ecdsa',
    'ecdsa-p384',
    'ecdsa-p521',
    'ed25519',
    'rsa',
    'ecdsa-x509',
    'rsa-x509',
  ] as const satisfies readonly RoleKeyKind[]) {
    const roleKey = makeRoleKey(kind);
    const { method, sig } = roleKey.sign(MESSAGE);
    const value = Buffer.from(sig, 'base64');
    const key = keyOf(roleKey);

    it(`${kind}: its own method and message only`, () => {
      for (const other of ['ecdsa', 'eddsa', 'rsapss', 'rsapkcs1v15', 'ed25519', '']) {
        const signature = { keyId: key.id, method: other, value };
        assert.equal(verifySignature(key, signature, MESSAGE, STRONG_ONLY), other === method);
      }
      const signature = { keyId: key.id, method, value };
      assert.equal(verifySignature(key, signature, utf8('something else'), STRONG_ONLY), false);
    });

    it(`${kind}: not with any bit flipped, nor shorter or longer`, () => {
      const flipped = fc.property(fc.nat(value.length * 8 - 1), (bit) => {
        const bytes = Buffer.from(value);
        bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const signature = { keyId: key.id, method, value: bytes };
        assert.equal(verifySignature(key, signature, MESSAGE, STRONG_ONLY), false);
      });
      fc.assert(flipped, { numRuns: 25 });
      for (const bytes of [
        value.subarray(1),
        value.subarray(0, -1),
        Buffer.concat([value, Buffer.alloc(1)]),
        Buffer.alloc(0),
      ]) {
        const signature = { keyId: key.id, method, value: bytes };
        assert.equal(verifySignature(key, signature, MESSAGE, STRONG_ONLY), false);
      }
    });
  }

  for (const [row, expected, verify] of [
    [
      'ECDSA in DER',
      false,
      () => verifies(ecdsa, 'ecdsa', sign('sha256', MESSAGE, ecdsa.privateKey)),
    ],
    [
      'ECDSA over SHA-384',
      false,
      () => verifies(ecdsa, 'ecdsa', p1363(ecdsa.privateKey, 'sha384')),
    ],
    ['ECDSA of zeros', false, () => verifies(ecdsa, 'ecdsa', Buffer.alloc(64))],
    [
      'P-384 over SHA-384',
      false,
      () => {
        const key = made('ecdsa', 'p384');
        return verifies(key, 'ecdsa', p1363(key.privateKey, 'sha384'));
      },
    ],
    ['RSA-PSS, salt of 32 bytes', true, () => verifies(rsa, 'rsapss', pss(rsa.privateKey, 32))],
    ['RSA-PSS without salt', false, () => verifies(rsa, 'rsapss', pss(rsa.privateKey, 0))],
    ['RSA-PSS, salt of 20 bytes', false, () => verifies(rsa, 'rsapss', pss(rsa.privateKey, 20))],
    ['RSA-PSS, longest salt', false, () => verifies(rsa, 'rsapss', pss(rsa.privateKey, 222))],
    ['RSA-PSS over SHA-1', false, () => verifies(rsa, 'rsapss', pss(rsa.privateKey, 32, 'sha1'))],
    [
      'RSA PKCS#1 v1.5 called PSS',
      false,
      () => verifies(rsa, 'rsapss', sign('sha256', MESSAGE, rsa.privateKey)),
    ],
    [
      'Ed25519 called ecdsa',
      false,
      () => verifies(ed25519, 'ecdsa', sign(null, MESSAGE, ed25519.privateKey)),
    ],
  ] as const) {
    it(`${row}: ${expected ? 'verifies' : 'refused'}`, () => {
      assert.equal(verify(), expected);
    });
  }

  it('by a key that cannot be used do not verify', () => {
    const unusable: Key = { ...ecdsa.key, publicKey: undefined };
    const signature = { keyId: unusable.id, method: 'ecdsa', value: p1363(ecdsa.privateKey) };
    assert.equal(verifySignature(unusable, signature, MESSAGE, STRONG_ONLY), false);
  });

  it('by a key of a kind the dialect does not have do not verify', () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed448');
    const key: Key = { ...ed25519.key, publicKey };
    for (const method of ['eddsa', 'ecdsa', 'rsapss']) {
      const signature = { keyId: key.id, method, value: sign(null, MESSAGE, privateKey) };
      assert.equal(verifySignature(key, signature, MESSAGE, STRONG_ONLY), false);
    }
  });

  it('by keys that do not say what they are do not verify', () => {
    const publicKey: KeyObject = JSON.parse('{"asymmetricKeyType":"ec"}');
    const signature = { keyId: '', method: 'ecdsa', value: Buffer.alloc(64) };
    const key: Key = { ...ecdsa.key, publicKey };
    assert.equal(verifySignature(key, signature, MESSAGE, STRONG_ONLY), false);
  });

  it('by an Ed25519 key that is no point on the curve do not verify', () => {
    for (const byte of [0x00, 0x01, 0xff]) {
      const stored = Buffer.alloc(32, byte).toString('base64');
      const key = parseKey(objectOf({ keytype: 'ed25519', keyval: { public: stored } }), 'key');
      const signature = { keyId: key.id, method: 'eddsa', value: Buffer.alloc(64, 5) };
      assert.equal(verifySignature(key, signature, MESSAGE, STRONG_ONLY), false);
    }
  });
});

describe('weak algorithms', () => {
  const p224 = made('ecdsa', 'p224');
  const rsa1024 = made('rsa', 'rsa1024');
  const pkcs1 = sign('sha256', MESSAGE, rsa.privateKey);

  it('are off unless they are named, each by its own name', () => {
    const rows: readonly (readonly [WeakAlgorithms, boolean, boolean])[] = [
      [{ rsaPkcs1v15: false, p224: false }, false, false],
      [{ rsaPkcs1v15: true, p224: false }, true, false],
      [{ rsaPkcs1v15: false, p224: true }, false, true],
    ];
    for (const [weak, takesPkcs1, takesP224] of rows) {
      assert.equal(verifies(rsa, 'rsapkcs1v15', pkcs1, weak), takesPkcs1);
      assert.equal(verifies(p224, 'ecdsa', p1363(p224.privateKey), weak), takesP224);
    }
  });

  it('an RSA key one bit too short is refused, though its signatures are of full length', () => {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2047 });
    const short: Made = { key: bare('rsa', publicKey), privateKey };
    const value = pss(privateKey, 32);
    assert.equal(value.length, 256);
    assert.equal(verifies(short, 'rsapss', value), false);
  });

  it('named or not, other curves, short RSA keys and other methods stay refused', () => {
    const weak = { rsaPkcs1v15: true, p224: true };
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
    const k1: Made = { key: bare('ecdsa', publicKey), privateKey };
    assert.equal(verifies(k1, 'ecdsa', p1363(privateKey), weak), false);
    assert.equal(verifies(rsa1024, 'rsapss', pss(rsa1024.privateKey, 32), weak), false);
    assert.equal(
      verifies(rsa1024, 'rsapkcs1v15', sign('sha256', MESSAGE, rsa1024.privateKey), weak),
      false,
    );
    assert.equal(verifies(rsa, 'pycrypto-pkcs#1 pss', pss(rsa.privateKey, 32), weak), false);
    assert.equal(verifies(rsa, 'ecdsa', pkcs1, weak), false);
    assert.equal(verifies(rsa, 'rsapkcs1v15', Buffer.alloc(256, 1), weak), false);
  });
});
