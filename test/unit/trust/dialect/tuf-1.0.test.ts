import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, it } from 'node:test';
import { tuf10 } from '../../../../src/trust/dialect/tuf-1.0.ts';
import { TrustError } from '../../../../src/trust/errors.ts';
import type { Envelope } from '../../../../src/trust/model.ts';
import { throwsWithCode } from '../../../support/reject-with-code.ts';

type Plain = Readonly<Record<string, unknown>>;

const HEADER = { spec_version: '1.0.34', version: 1, expires: '2030-01-01T00:00:00Z' };
const SHA256 = 'ab'.repeat(32);

function envelope(signed: Plain, signatures: readonly Plain[] = []): Envelope {
  return tuf10.parseEnvelope(Buffer.from(JSON.stringify({ signed, signatures })));
}

function signature(keyid: string): Plain {
  return { keyid, sig: '00' };
}

const PUBLIC = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }).x ?? '';
const ED25519 = {
  keytype: 'ed25519',
  scheme: 'ed25519',
  keyval: { public: Buffer.from(PUBLIC, 'base64url').toString('hex') },
};

function root(changes: Plain = {}, targets: Plain = {}): Envelope {
  const role = { keyids: ['k'], threshold: 1 };
  const roles = { root: role, snapshot: role, timestamp: role, targets: { ...role, ...targets } };
  return envelope({
    _type: 'root',
    ...HEADER,
    keys: { k: ED25519 },
    roles,
    consistent_snapshot: true,
    ...changes,
  });
}

function snapshot(meta: Plain): Envelope {
  return envelope({ _type: 'snapshot', ...HEADER, meta });
}

function targets(delegations: unknown, entries: Plain = {}): Envelope {
  return envelope({ _type: 'targets', ...HEADER, targets: entries, delegations });
}

const ROLE = { name: 'team', keyids: ['k'], threshold: 1, terminating: false, paths: ['*'] };
const KEYS = { k: ED25519 };
const manyKeys = Object.fromEntries(Array.from({ length: 4097 }, (_, n) => [`k${n}`, ED25519]));

const MALFORMED: readonly (readonly [string, () => unknown])[] = [
  ['two signatures of one key ID', () => envelope({}, [signature('k'), signature('k')])],
  [
    'over 256 signatures',
    () =>
      envelope(
        {},
        Array.from({ length: 257 }, (_, n) => signature(`k${n}`)),
      ),
  ],
  ['a root of another type', () => tuf10.parseRoot(root({ _type: 'Root' }))],
  ['a root of another major version', () => tuf10.parseRoot(root({ spec_version: '2.0.0' }))],
  [
    'consistent_snapshot that is no boolean',
    () => tuf10.parseRoot(root({ consistent_snapshot: 1 })),
  ],
  ['over 4096 keys', () => tuf10.parseRoot(root({ keys: { ...manyKeys, k: ED25519 } }))],
  ['a key ID twice in one role', () => tuf10.parseRoot(root({}, { keyids: ['k', 'k'] }))],
  ['a key ID without a key', () => tuf10.parseRoot(root({}, { keyids: ['other'] }))],
  ['threshold 0', () => tuf10.parseRoot(root({}, { threshold: 0 }))],
  ['a snapshot without targets', () => tuf10.parseSnapshot(snapshot({}))],
  [
    'a listed file without a version',
    () => tuf10.parseSnapshot(snapshot({ 'targets.json': { length: 3 } })),
  ],
  [
    'a hash of wrong form',
    () =>
      tuf10.parseSnapshot(
        snapshot({ 'targets.json': { version: 1, hashes: { sha256: SHA256.toUpperCase() } } }),
      ),
  ],
  [
    'hashes of unknown algorithms only',
    () => tuf10.parseSnapshot(snapshot({ 'targets.json': { version: 1, hashes: { md5: 'ab' } } })),
  ],
  ['delegations without roles', () => tuf10.parseTargets(targets({ keys: KEYS }), 'targets')],
  [
    'a role named twice',
    () => tuf10.parseTargets(targets({ keys: KEYS, roles: [ROLE, ROLE] }), 'targets'),
  ],
  [
    'a delegation to a top-level role',
    () =>
      tuf10.parseTargets(targets({ keys: KEYS, roles: [{ ...ROLE, name: 'root' }] }), 'targets'),
  ],
  [
    'terminating that is no boolean',
    () =>
      tuf10.parseTargets(targets({ keys: KEYS, roles: [{ ...ROLE, terminating: 0 }] }), 'targets'),
  ],
  [
    'paths and hash prefixes at once',
    () =>
      tuf10.parseTargets(
        targets({ keys: KEYS, roles: [{ ...ROLE, path_hash_prefixes: ['ab'] }] }),
        'targets',
      ),
  ],
  [
    'neither paths nor hash prefixes',
    () => {
      const { paths: _, ...role } = ROLE;
      return tuf10.parseTargets(targets({ keys: KEYS, roles: [role] }), 'targets');
    },
  ],
];

describe('TUF 1.0 documents', () => {
  for (const [row, act] of MALFORMED) {
    it(`are malformed with ${row}`, () => {
      throwsWithCode(act, TrustError, 'malformed');
    });
  }

  it('are read when they are in order', () => {
    assert.equal(tuf10.parseRoot(root()).consistentSnapshot, true);
    const roles = [ROLE, { ...ROLE, name: 'other' }];
    const body = tuf10.parseTargets(targets({ keys: KEYS, roles }), 'targets');
    assert.deepEqual(
      body.delegations.map(({ name }) => name),
      ['team', 'other'],
    );
  });

  it('list only files whose names end in .json', () => {
    const meta = { 'targets.json': { version: 1 }, 'targets.xml': { version: 'x' } };
    assert.deepEqual([...tuf10.parseSnapshot(snapshot(meta)).files.keys()], ['targets']);
  });

  for (const [row, key] of [
    ['an ed25519 key that is too short', { ...ED25519, keyval: { public: 'ab' } }],
    ['an ed25519 key that is not hex', { ...ED25519, keyval: { public: 'zz'.repeat(32) } }],
    [
      'a private key in the place of a public one',
      {
        keytype: 'rsa',
        scheme: 'rsassa-pss-sha256',
        keyval: {
          public: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({
            format: 'pem',
            type: 'pkcs8',
          }),
        },
      },
    ],
    ['a key of an unknown type', { ...ED25519, keytype: 'sphincs', scheme: 'sphincs' }],
  ] as const) {
    it(`may list ${row}, which verifies nothing`, () => {
      const parsed = tuf10.parseRoot(root({ keys: { k: key } })).keys.get('k');
      assert.ok(parsed !== undefined);
      assert.equal(parsed.publicKey, undefined);
      const sign = { keyId: 'k', method: '', value: new Uint8Array(64) };
      const weak = { rsaPkcs1v15: true, p224: true };
      assert.equal(tuf10.verifySignature(parsed, sign, new Uint8Array(), weak), false);
    });
  }
});
