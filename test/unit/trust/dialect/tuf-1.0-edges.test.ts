import assert from 'node:assert/strict';
import { constants, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { describe, it } from 'node:test';
import { encodeRoleName, tuf10 } from '../../../../src/trust/dialect/tuf-1.0.ts';
import { TrustError } from '../../../../src/trust/errors.ts';
import type { Key } from '../../../../src/trust/keys.ts';
import type { Envelope, RootBody } from '../../../../src/trust/model.ts';
import { throwsWithCode } from '../../../support/reject-with-code.ts';
import { makeTufKey, type TufKeyKind } from '../../../support/tuf-keys.ts';

type Plain = Readonly<Record<string, unknown>>;

const HEADER = { spec_version: '1.0.34', version: 1, expires: '2030-01-01T00:00:00Z' };
const SHA256 = 'ab'.repeat(32);
const SHA512 = 'cd'.repeat(64);
const WEAK = { rsaPkcs1v15: true, p224: true };
const ED25519 = makeTufKey('ed25519').keyObject;

function envelope(signed: Plain, signatures: readonly Plain[] = []): Envelope {
  return tuf10.parseEnvelope(Buffer.from(JSON.stringify({ signed, signatures })));
}

function root(changes: Plain): Envelope {
  const role = { keyids: ['k'], threshold: 1 };
  const roles = { root: role, snapshot: role, timestamp: role, targets: role };
  return envelope({ _type: 'root', ...HEADER, keys: { k: ED25519 }, roles, ...changes });
}

function keysOf(keys: Plain): ReadonlyMap<string, Key> {
  return tuf10.parseRoot(root({ keys: { k: ED25519, ...keys } })).keys;
}

/** The one listed file of a snapshot that says this of it. */
function listed(meta: Plain) {
  const snapshot = envelope({ _type: 'snapshot', ...HEADER, meta: { 'targets.json': meta } });
  return tuf10.parseSnapshot(snapshot).files.get('targets');
}

function target(entry: Plain) {
  const signed = { _type: 'targets', ...HEADER, targets: { name: entry } };
  return tuf10.parseTargets(envelope(signed), 'targets').targets.get('name');
}

function delegations(role: Plain) {
  const whole = { name: 'team', keyids: ['k'], threshold: 1, terminating: false, ...role };
  const signed = { keys: { k: ED25519 }, roles: [whole] };
  const file = envelope({ _type: 'targets', ...HEADER, targets: {}, delegations: signed });
  return tuf10.parseTargets(file, 'targets').delegations;
}

function pem(key: KeyObject): string {
  return key.export({ type: 'spki', format: 'pem' }).toString();
}

describe('TUF 1.0 documents at the edge', () => {
  const OK: readonly (readonly [string, () => unknown])[] = [
    ['256 signatures', () => envelope({}, signatures(256))],
    ['4096 keys', () => keysOf(manyKeys(4095))],
    ['32768 delegations', () => manyDelegations(32_768)],
    ['a spec_version of two numbers', () => tuf10.parseRoot(root({ spec_version: '1.0' }))],
    ['a spec_version of three numbers', () => tuf10.parseRoot(root({ spec_version: '1.10.31' }))],
    ['a file of no bytes', () => assert.equal(listed({ version: 1, length: 0 })?.length, 0)],
    ['a target of no bytes', () => target({ length: 0, hashes: {} })],
    ['a role name of 255 characters', () => delegations({ name: 'r'.repeat(255), paths: [] })],
    ['a hash prefix of 64 digits', () => delegations({ path_hash_prefixes: [SHA256] })],
    ['a hash prefix of one digit', () => delegations({ path_hash_prefixes: ['0'] })],
  ];
  for (const [row, act] of OK) it(`take ${row}`, () => void act());

  const BAD: readonly (readonly [string, () => unknown])[] = [
    ['257 signatures', () => envelope({}, signatures(257))],
    ['4097 keys', () => keysOf(manyKeys(4096))],
    ['32769 delegations', () => manyDelegations(32_769)],
    ...['0.1', '2.0', '11.0', 'x1.0', '1', '1.', '1.0.', '1.0.0-1', '1.0.0.0'].map(
      (version) =>
        [
          `spec_version ${version}`,
          () => tuf10.parseRoot(root({ spec_version: version })),
        ] as const,
    ),
    ['version 0', () => tuf10.parseRoot(root({ version: 0 }))],
    ['a time that is none', () => tuf10.parseRoot(root({ expires: '2030-01-01' }))],
    ['a listed file of version 0', () => listed({ version: 0 })],
    ['a listed length below 0', () => listed({ version: 1, length: -1 })],
    ['a listed length in words', () => listed({ version: 1, length: '3' })],
    ['a target of a length below 0', () => target({ length: -1, hashes: { sha256: SHA256 } })],
    ['a target without hashes', () => target({ length: 1 })],
    ...[SHA256.slice(1), `${SHA256}a`, `a${SHA256}`, SHA256.toUpperCase()].flatMap((sha256) => [
      [`sha256 ${sha256} of a file`, () => listed({ version: 1, hashes: { sha256 } })] as const,
      [`sha256 ${sha256} of a target`, () => target({ length: 1, hashes: { sha256 } })] as const,
    ]),
    ...[SHA512.slice(1), `${SHA512}a`, `a${SHA512}`, SHA512.toUpperCase()].map(
      (sha512) =>
        [
          `sha512 of ${sha512.length} characters`,
          () => listed({ version: 1, hashes: { sha256: SHA256, sha512 } }),
        ] as const,
    ),
    ['a timestamp without a snapshot', () => tuf10.parseTimestamp(timestamp({}))],
    ['a role name of 256 characters', () => delegations({ name: 'r'.repeat(256), paths: [] })],
    ['a role without a name', () => delegations({ name: '', paths: [] })],
    ...['root', 'timestamp', 'snapshot', 'targets'].map(
      (name) => [`a role named ${name}`, () => delegations({ name, paths: [] })] as const,
    ),
    ...['', 'AB', 'xab', 'abx', `${SHA256}a`].map(
      (prefix) =>
        [
          `the hash prefix “${prefix}”`,
          () => delegations({ path_hash_prefixes: ['ab', prefix] }),
        ] as const,
    ),
    ['a path that is no text', () => delegations({ paths: [1] })],
    [
      'a name without a version where names have one',
      () => tuf10.fileName('targets', noVersion, withNames(true)),
    ],
  ];
  for (const [row, act] of BAD) {
    it(`are malformed with ${row}`, () => {
      throwsWithCode(act, TrustError, 'malformed');
    });
  }

  it('have no consistent snapshots unless they say so', () => {
    assert.equal(tuf10.parseRoot(root({})).consistentSnapshot, false);
  });

  it('carry what they say of a file, and nothing that they do not', () => {
    const hashes = { sha256: SHA256, sha512: SHA512, md5: 'ab' };
    const known = new Map(Object.entries({ sha256: SHA256, sha512: SHA512 }));
    assert.deepEqual(listed({ version: 3, length: 7, hashes }), {
      version: 3,
      length: 7,
      hashes: known,
    });
    assert.deepEqual(listed({ version: 3 }), { version: 3, length: undefined, hashes: new Map() });
    assert.deepEqual(target({ length: 7, hashes, custom: { a: 1 } }), {
      length: 7,
      sha256: SHA256,
      sha512: SHA512,
      custom: new Map([['a', 1]]),
    });
    assert.deepEqual(target({ length: 7, hashes: { sha512: SHA512 } }), {
      length: 7,
      sha256: undefined,
      sha512: SHA512,
    });
    assert.deepEqual(target({ length: 7, hashes: { md5: 'ab' } }), {
      length: 7,
      sha256: undefined,
    });
  });

  it('hand over by paths or by hash prefixes, terminating or not', () => {
    const [paths] = delegations({ paths: ['a/*', 'b'], terminating: true });
    assert.deepEqual(paths?.paths, ['a/*', 'b']);
    assert.equal(paths?.pathHashPrefixes, undefined);
    assert.equal(paths?.isTerminating, true);
    const [prefixes] = delegations({ path_hash_prefixes: ['ab', '0'] });
    assert.deepEqual([prefixes?.paths, prefixes?.pathHashPrefixes], [[], ['ab', '0']]);
    assert.equal(prefixes?.isTerminating, false);
    const none = envelope({ _type: 'targets', ...HEADER, targets: {} });
    assert.deepEqual(tuf10.parseTargets(none, 'targets').delegations, []);
  });

  it('are found under names that are safe in a URL and a path', () => {
    assert.equal(encodeRoleName("a/b!'()*c~d_e.f-g"), 'a%2Fb%21%27%28%29%2Ac~d_e.f-g');
    const meta = { version: 7, length: undefined, hashes: new Map() };
    const name = (consistentSnapshot: boolean): string =>
      tuf10.fileName('../team', meta, withNames(consistentSnapshot));
    assert.equal(name(true), '7...%2Fteam.json');
    assert.equal(name(false), '..%2Fteam.json');
  });

  for (const sig of ['0', 'zz', '00zz', 'zz00', '000']) {
    it(`take the signature “${sig}” for none`, () => {
      assert.equal(envelope({}, [{ keyid: 'k', sig }]).signatures[0]?.value.length, 0);
    });
  }
});

describe('TUF 1.0 keys', () => {
  const raw = ED25519['keyval'];
  const hex = String(new Map(Object.entries(raw ?? {})).get('public'));
  const p256 = pem(generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).publicKey);
  const p384 = pem(generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).publicKey);
  const p521 = pem(generateKeyPairSync('ec', { namedCurve: 'secp521r1' }).publicKey);
  const rsa = pem(generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey);
  const ed25519 = pem(generateKeyPairSync('ed25519').publicKey);

  const KEYS: readonly (readonly [
    isUsable: boolean,
    keytype: string,
    scheme: string,
    text: string,
  ])[] = [
    [true, 'ed25519', 'ed25519', hex],
    [true, 'ed25519', 'ed25519', hex.toUpperCase()],
    [false, 'ed25519', 'ed25519', `${hex}00`],
    [false, 'ed25519', 'ed25519', hex.slice(2)],
    [false, 'ed25519', 'ed25519', `${hex}zz`],
    [false, 'ed25519', 'ed25519', `zz${hex}`],
    [false, 'ed25519', 'ed25519', `${hex}0`],
    [false, 'ed25519', 'ecdsa-sha2-nistp256', hex],
    [false, 'ecdsa', 'ed25519', hex],
    [true, 'ecdsa', 'ecdsa-sha2-nistp256', p256],
    [true, 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp256', p256],
    [true, 'ecdsa', 'ecdsa-sha2-nistp384', p384],
    [true, 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp384', p384],
    [false, 'ecdsa', 'ecdsa-sha2-nistp384', p256],
    [false, 'ecdsa', 'ecdsa-sha2-nistp256', p384],
    [false, 'ecdsa', 'ecdsa-sha2-nistp521', p521],
    [false, 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp256', p256],
    [false, 'rsa', 'ecdsa-sha2-nistp256', p256],
    [false, 'ecdsa', 'ecdsa-sha2-nistp256', rsa],
    [true, 'rsa', 'rsassa-pss-sha256', rsa],
    [false, 'rsa', 'rsassa-pss-sha256', ed25519],
    [false, 'ed25519', 'rsassa-pss-sha256', ed25519],
    [false, 'rsa', 'rsassa-pss-sha256', rsa.replaceAll('PUBLIC KEY', 'RSA PUBLIC KEY')],
  ];
  for (const [index, [isUsable, keytype, scheme, text]] of KEYS.entries()) {
    it(`row ${index}, ${keytype} with ${scheme}, can${isUsable ? '' : 'not'} be used`, () => {
      const key = keysOf({ x: { keytype, scheme, keyval: { public: text } } }).get('x');
      assert.equal(key?.publicKey !== undefined, isUsable);
    });
  }

  it('of the root role are those by which a root is trusted', () => {
    const body = tuf10.parseRoot(root({ keys: { k: ED25519, other: ED25519 } }));
    assert.deepEqual(
      [...tuf10.rootKeys(body, 'any', 'ignore-dates')],
      [['k', { key: body.keys.get('k') }]],
    );
  });

  it('that are the same count as one, whatever they are called, and unusable ones as nothing else', () => {
    const usable = { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: hex } };
    const first = keysOf({ a: usable, b: usable });
    const canonicalId = first.get('a')?.canonicalId ?? '';
    assert.equal(first.get('b')?.canonicalId, canonicalId);
    const unusable = { ...usable, scheme: 'unknown' };
    const second = keysOf({ a: usable, [canonicalId]: unusable, c: unusable, k: usable });
    const ids = [...second.values()].map((key) => key.canonicalId);
    assert.equal(new Set(ids).size, 3);
  });
});

describe('TUF 1.0 signatures', () => {
  const message = Buffer.from('what is signed');
  const kinds: readonly TufKeyKind[] = [
    'ed25519',
    'ecdsa-p256',
    'ecdsa-p384',
    'rsa-pss',
    'rsa-pkcs1',
  ];
  for (const kind of kinds) {
    it(`of ${kind} are verified, over this message alone`, () => {
      const made = makeTufKey(kind);
      const key = keysOf({ x: made.keyObject }).get('x') ?? assert.fail();
      const [signature] = envelope({}, [made.sign(message)]).signatures;
      assert.ok(signature);
      assert.equal(tuf10.verifySignature(key, signature, message, WEAK), true);
      assert.equal(tuf10.verifySignature(key, signature, Buffer.from('else'), WEAK), false);
    });
  }

  it('by a key of 1024 bits, or by a scheme that is not known, count for nothing', () => {
    for (const [modulusLength, scheme] of [
      [1024, 'rsassa-pss-sha256'],
      [2048, 'rsassa-pss-sha384'],
      [2048, 'unknown'],
    ] as const) {
      const pair = generateKeyPairSync('rsa', { modulusLength });
      const keyval = { public: pem(pair.publicKey) };
      const key = keysOf({ x: { keytype: 'rsa', scheme, keyval } }).get('x') ?? assert.fail();
      const padding = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
      const value = sign('sha256', message, { key: pair.privateKey, ...padding });
      const made = { keyId: 'x', method: '', value };
      assert.equal(tuf10.verifySignature(key, made, message, WEAK), false, scheme);
    }
  });
});

/** A root that says whether names have versions. */
function withNames(consistentSnapshot: boolean): RootBody {
  return tuf10.parseRoot(root({ consistent_snapshot: consistentSnapshot }));
}

const noVersion = { version: undefined, length: undefined, hashes: new Map() };

function timestamp(meta: Plain): Envelope {
  return envelope({ _type: 'timestamp', ...HEADER, meta });
}

function signatures(count: number): readonly Plain[] {
  return Array.from({ length: count }, (_, index) => ({ keyid: `k${index}`, sig: '00' }));
}

function manyDelegations(count: number): unknown {
  const rest = { keyids: ['k'], threshold: 1, terminating: false, paths: [] };
  const roles = Array.from({ length: count }, (_, index) => ({ name: `r${index}`, ...rest }));
  const delegations = { keys: { k: ED25519 }, roles };
  const file = envelope({ _type: 'targets', ...HEADER, targets: {}, delegations });
  return tuf10.parseTargets(file, 'targets');
}

function manyKeys(count: number): Plain {
  const unreadable = { keytype: 'x', scheme: 'x', keyval: { public: '' } };
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, unreadable]));
}
