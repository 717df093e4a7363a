import assert from 'node:assert/strict';
import { constants, createHash, type KeyObject, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { encodeCanonicalJson, type Json, type JsonObject } from '../../support/notary-json.ts';
import {
  makeRoleKey,
  notaryCanonicalKeyId,
  notaryKeyId,
  type RoleKeyKind,
} from '../../support/notary-keys.ts';
import { NotaryRepository } from '../../support/notary-repository.ts';
import { makeTestCa } from '../../support/x509.ts';

const FIXTURES = new URL('../../fixtures/notary-v1/', import.meta.url);
const CONTENT = { sha256: `sha256:${'ab'.repeat(32)}`, length: 523 };

interface CanonicalVector {
  readonly name: string;
  readonly input: string;
  readonly canonical_base64: string;
  readonly strict: 'accept' | 'reject';
}
interface KeyIdVector {
  readonly keytype: string;
  readonly public: string;
  readonly key_id: string;
  readonly canonical_key_id: string;
}

function vectors<Vector>(file: string): readonly Vector[] {
  return JSON.parse(readFileSync(new URL(file, FIXTURES), 'utf8'));
}

test('the canonical encoder agrees with every vector that is to be accepted', () => {
  const accepted = vectors<CanonicalVector>('canonical-json/vectors.json').filter(
    (vector) => vector.strict === 'accept',
  );
  assert.ok(accepted.length > 5);
  for (const vector of accepted) {
    const encoded = encodeCanonicalJson(JSON.parse(vector.input));
    assert.equal(encoded.toString('base64'), vector.canonical_base64, vector.name);
  }
});

test('key ids and canonical key ids agree with every vector', () => {
  for (const vector of vectors<KeyIdVector>('key-ids/vectors.json')) {
    assert.equal(notaryKeyId(vector.keytype, vector.public), vector.key_id);
    assert.equal(notaryCanonicalKeyId(vector.keytype, vector.public), vector.canonical_key_id);
  }
});

test('signatures of every key kind verify with node', () => {
  const kinds: readonly RoleKeyKind[] = [
    'ecdsa',
    'ecdsa-p384',
    'ecdsa-p521',
    'ed25519',
    'rsa',
    'ecdsa-x509',
    'rsa-x509',
  ];
  const message = Buffer.from('message');
  for (const kind of kinds) {
    const key = makeRoleKey(kind);
    const signature = key.sign(message);
    assert.equal(signature.keyid, key.keyId);
    assert.equal(
      verifies(key.publicKey, message, Buffer.from(signature.sig, 'base64')),
      true,
      kind,
    );
  }
});

test('a published repository is bound together by hashes and grows by versions', () => {
  const repository = new NotaryRepository({ gun: 'registry.example.test/team/app' });
  repository.addDelegation('targets/releases');
  repository.sign('1.0', CONTENT, 'targets/releases');
  const first = repository.publish();
  repository.sign('2.0', CONTENT, 'targets/releases');
  const second = repository.publish();
  assert.equal(repository.version('targets/releases'), 2);
  assert.equal(repository.version('targets'), 1);
  assert.equal(repository.version('root'), 1);
  assert.deepEqual(first.get('timestamp.json'), second.get('1.timestamp.json'));
  const releases = second.get('targets/releases.json') ?? Buffer.alloc(0);
  const hex = createHash('sha256').update(releases).digest('hex');
  assert.deepEqual(second.get(`targets/releases.${hex}.json`), releases);
  const snapshot = JSON.parse(String(second.get('snapshot.json')));
  assert.equal(
    snapshot.signed.meta['targets/releases'].hashes.sha256,
    Buffer.from(hex, 'hex').toString('base64'),
  );
});

test('a published file is signed over the canonical form of its signed part', () => {
  const repository = new NotaryRepository({ gun: 'registry.example.test/team/app' });
  repository.sign('a<b>&"c\\😀', CONTENT);
  const file = JSON.parse(String(repository.publish().get('targets.json')));
  const signed: JsonObject = file.signed;
  const [key] = repository.keys('targets');
  assert.ok(key !== undefined);
  const sig = Buffer.from(file.signatures[0].sig, 'base64');
  assert.equal(verifies(key.publicKey, encodeCanonicalJson(signed), sig), true);
});

test('a rotated root is signed by the old and the new key and keeps the old key', () => {
  const rootCa = makeTestCa();
  const repository = new NotaryRepository({ gun: 'registry.example.test/team/app', rootCa });
  const [oldId] = repository.rootKeyIds;
  assert.equal(repository.caPem, rootCa.certPem);
  repository.publish();
  repository.rotateRoot();
  const file = JSON.parse(String(repository.publish().get('2.root.json')));
  assert.deepEqual(
    file.signatures.map((signature: { keyid: Json }) => signature.keyid),
    [...repository.rootKeyIds, oldId],
  );
  assert.ok(Object.hasOwn(file.signed.keys, oldId ?? ''));
});

function verifies(key: KeyObject, message: Uint8Array, signature: Uint8Array): boolean {
  if (key.asymmetricKeyType === 'ed25519') return verify(null, message, key, signature);
  if (key.asymmetricKeyType === 'rsa') {
    const padding = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
    return verify('sha256', message, { key, ...padding }, signature);
  }
  return verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature);
}
