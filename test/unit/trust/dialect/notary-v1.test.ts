import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  parseAuthority,
  parseEnvelope,
  parseKeys,
  parseRoot,
  parseSnapshot,
  parseTimestamp,
} from '../../../../src/trust/dialect/notary-v1.ts';
import { TrustError } from '../../../../src/trust/errors.ts';
import type { Envelope } from '../../../../src/trust/model.ts';
import { encodeCanonicalJson, encodeWireJson, type Json } from '../../../support/notary-json.ts';
import { makeRoleKey } from '../../../support/notary-keys.ts';
import { throwsWithCode } from '../../../support/reject-with-code.ts';
import { objectOf, utf8, valueFrom } from '../making.ts';

const SHA256 = Buffer.alloc(32, 1).toString('base64');
const SHA512 = Buffer.alloc(64, 2).toString('base64');
const META = { hashes: { sha256: SHA256, sha512: SHA512 }, length: 10 };
const EXPIRES = '2036-11-20T00:00:00Z';

type Parts = Readonly<Record<string, Json>>;

function fileOf(document: Json): Uint8Array {
  return encodeWireJson(document);
}

function envelopeOf(signed: Json): Envelope {
  return parseEnvelope(fileOf({ signed, signatures: [] }));
}

function isMalformed(act: () => unknown, field?: string): void {
  const error = throwsWithCode(act, TrustError, 'malformed');
  if (field !== undefined) assert.equal(error.detail['field'], field);
}

describe('envelopes', () => {
  const signature = { keyid: 'ab', method: 'ECDSA', sig: 'AQI=' };

  it('are taken apart; methods are lower-cased', () => {
    const document = { signed: { b: 1, a: '<' }, signatures: [signature], unsigned: 'ignored' };
    const bytes = fileOf(document);
    const envelope = parseEnvelope(bytes);
    assert.equal(envelope.bytes, bytes);
    assert.deepEqual(envelope.signed, objectOf(document.signed));
    assert.ok(encodeCanonicalJson(document.signed).equals(envelope.signedBytes));
    assert.deepEqual(envelope.signatures, [
      { keyId: 'ab', method: 'ecdsa', value: Uint8Array.of(1, 2) },
    ]);
  });

  for (const [row, document, field] of [
    ['no signed part', { signatures: [] }, 'signed'],
    ['a signed part that is a list', { signed: [], signatures: [] }, 'signed'],
    ['a signed part under another case', { SIGNED: {}, signatures: [] }, 'signed'],
    ['no signatures', { signed: {} }, 'signatures'],
    ['null as signatures', { signed: {}, signatures: null }, 'signatures'],
    ['signatures by name', { signed: {}, signatures: { a: signature } }, 'signatures'],
    ['a signature that is text', { signed: {}, signatures: ['x'] }, 'signatures[0]'],
    [
      'a signature without keyid',
      { signed: {}, signatures: [signature, { method: 'ecdsa', sig: '' }] },
      'signatures[1].keyid',
    ],
    [
      'a signature without method',
      { signed: {}, signatures: [{ keyid: 'a', sig: '' }] },
      'signatures[0].method',
    ],
    [
      'a signature without value',
      { signed: {}, signatures: [{ keyid: 'a', method: 'ecdsa' }] },
      'signatures[0].sig',
    ],
    [
      'a signature that is no base64',
      { signed: {}, signatures: [{ ...signature, sig: 'AQI' }] },
      'signatures[0].sig',
    ],
  ] as const) {
    it(`are malformed with ${row}`, () => {
      isMalformed(() => parseEnvelope(fileOf(document)), field);
    });
  }

  it('may carry 256 signatures and not one more', () => {
    const of = (count: number): Uint8Array =>
      fileOf({ signed: {}, signatures: Array.from({ length: count }, () => signature) });
    assert.equal(parseEnvelope(of(256)).signatures.length, 256);
    isMalformed(() => parseEnvelope(of(257)), 'signatures');
  });

  it('are malformed when they are no JSON', () => {
    isMalformed(() => parseEnvelope(utf8('<html>')));
  });
});

describe('what all roles share', () => {
  const base: Parts = {
    _type: 'Timestamp',
    version: 1,
    expires: EXPIRES,
    meta: { snapshot: META },
  };

  it('is read', () => {
    const body = parseTimestamp(envelopeOf(base));
    assert.equal(body.version, 1);
    assert.equal(body.expiresAt, Date.parse(EXPIRES));
  });

  for (const [row, change] of [
    ['type in lower case', { _type: 'timestamp' }],
    ['type of another role', { _type: 'Snapshot' }],
    ['type null', { _type: null }],
    ['version 0', { version: 0 }],
    ['version -1', { version: -1 }],
    ['version as text', { version: '1' }],
    ['version null', { version: null }],
    ['expires as number', { expires: 1 }],
    ['expires without time', { expires: '2036-11-20' }],
  ] as const) {
    it(`is malformed: ${row}`, () => {
      isMalformed(() => parseTimestamp(envelopeOf({ ...base, ...change })));
    });
  }

  for (const literal of ['1.0', '1e0', '10e-1', '-0', '0.0']) {
    it(`is malformed: version written as ${literal}`, () => {
      const text = Buffer.from(fileOf({ signed: base, signatures: [] })).toString();
      const bytes = utf8(text.replace('"version":1', `"version":${literal}`));
      isMalformed(() => parseTimestamp(parseEnvelope(bytes)), 'signed.version');
    });
  }

  for (const member of ['_type', 'version', 'expires', 'meta']) {
    it(`is malformed without ${member}`, () => {
      const kept = Object.entries(base).filter(([name]) => name !== member);
      isMalformed(() => parseTimestamp(envelopeOf(Object.fromEntries(kept))));
    });
  }
});

describe('file entries', () => {
  const timestamp = (snapshot: Json): unknown =>
    parseTimestamp(
      envelopeOf({ _type: 'Timestamp', version: 1, expires: EXPIRES, meta: { snapshot } }),
    ).snapshot;

  it('give length and the hashes that are known', () => {
    const hashes = { md5: 'ignored, even if it is no base64', sha256: SHA256, sha512: SHA512 };
    assert.deepEqual(timestamp({ hashes, length: 0, custom: [1] }), {
      length: 0,
      version: undefined,
      hashes: new Map([
        ['sha256', '01'.repeat(32)],
        ['sha512', '02'.repeat(64)],
      ]),
    });
    assert.deepEqual(timestamp({ hashes: { sha256: SHA256 }, length: 7 }), {
      length: 7,
      version: undefined,
      hashes: new Map([['sha256', '01'.repeat(32)]]),
    });
  });

  for (const [row, entry] of [
    ['that is null', null],
    ['that is text', 'x'],
    ['without hashes', { length: 1 }],
    ['with null as hashes', { hashes: null, length: 1 }],
    ['without a known hash', { hashes: { md5: 'AA==' }, length: 1 }],
    ['with SHA-512 only', { hashes: { sha512: SHA512 }, length: 1 }],
    ['with a SHA-256 of 31 bytes', { hashes: { sha256: sized(31) }, length: 1 }],
    ['with a SHA-256 of 33 bytes', { hashes: { sha256: sized(33) }, length: 1 }],
    ['with a SHA-512 of 32 bytes', { hashes: { sha256: SHA256, sha512: SHA256 }, length: 1 }],
    ['with a hash that is a number', { hashes: { sha256: 1 }, length: 1 }],
    ['with a hash that is null', { hashes: { sha256: null }, length: 1 }],
    ['with a hash that is no base64', { hashes: { sha256: '*' }, length: 1 }],
    ['without length', { hashes: { sha256: SHA256 } }],
    ['with a negative length', { hashes: { sha256: SHA256 }, length: -1 }],
    ['with a length in text', { hashes: { sha256: SHA256 }, length: '1' }],
  ] as const) {
    it(`are malformed ${row}`, () => {
      isMalformed(() => timestamp(entry));
    });
  }
});

describe('timestamp and snapshot', () => {
  const of = (type: string, meta: Json): Envelope =>
    envelopeOf({ _type: type, version: 3, expires: EXPIRES, meta });

  it('a timestamp needs a snapshot entry, and may have others', () => {
    assert.equal(parseTimestamp(of('Timestamp', { snapshot: META, x: META })).snapshot.length, 10);
    isMalformed(() => parseTimestamp(of('Timestamp', { targets: META })), 'meta.snapshot');
    isMalformed(() => parseTimestamp(of('Timestamp', [])), 'meta');
  });

  it('a snapshot needs root and targets, and lists roles by whatever name', () => {
    const names = ['root', 'targets', 'targets/a', '__proto__', 'constructor'];
    const meta = new Map(names.map((name) => [name, META]));
    assert.deepEqual([...parseSnapshot(of('Snapshot', meta)).files.keys()].sort(), names.sort());
    isMalformed(() => parseSnapshot(of('Snapshot', { targets: META })), 'meta.root');
    isMalformed(() => parseSnapshot(of('Snapshot', { root: META })), 'meta.targets');
  });

  it('a snapshot is refused for any entry that is malformed', () => {
    const meta = { root: META, targets: META, 'targets/a': { hashes: {}, length: -1 } };
    isMalformed(() => parseSnapshot(of('Snapshot', meta)), 'meta.targets/a.length');
  });

  it('an entry without a known hash is no obstacle unless it is needed', () => {
    const meta = { root: META, targets: META, 'targets/a': { hashes: {}, length: 1 } };
    const { files } = parseSnapshot(of('Snapshot', meta));
    assert.equal(files.get('targets/a')?.hashes.size, 0);
  });
});

describe('root', () => {
  const key = makeRoleKey('ed25519');
  const role = { keyids: [key.keyId], threshold: 1 };
  const roles = { root: role, targets: role, snapshot: role, timestamp: role };
  const base: Parts = {
    _type: 'Root',
    version: 1,
    expires: EXPIRES,
    consistent_snapshot: false,
    keys: { [key.keyId]: key.keyObject },
    roles,
  };

  it('gives keys and the authority of each base role', () => {
    const body = parseRoot(
      envelopeOf({ ...base, roles: { ...roles, 'root.1': role, mirrors: 1 } }),
    );
    assert.deepEqual([...body.keys.keys()], [key.keyId]);
    assert.deepEqual([...body.roles.keys()], ['root', 'targets', 'snapshot', 'timestamp']);
    for (const [name, authority] of body.roles) {
      assert.equal(authority.role, name);
      assert.equal(authority.threshold, 1);
      assert.deepEqual([...authority.keys.keys()], [key.keyId]);
    }
  });

  for (const name of Object.keys(roles)) {
    it(`is malformed without the role ${name}`, () => {
      const kept = Object.entries(roles).filter(([each]) => each !== name);
      const signed = { ...base, roles: Object.fromEntries(kept) };
      isMalformed(() => parseRoot(envelopeOf(signed)), `roles.${name}`);
    });
  }

  for (const [row, change] of [
    ['no keys', { keys: null }],
    ['a key that is text', { keys: { [key.keyId]: 'x' } }],
    ['an unreferenced key that is malformed', { keys: { [key.keyId]: key.keyObject, x: {} } }],
    ['roles that are a list', { roles: [] }],
    ['of another type', { _type: 'Targets' }],
  ] as const) {
    it(`is malformed: ${row}`, () => {
      isMalformed(() => parseRoot(envelopeOf({ ...base, ...change })));
    });
  }
});

describe('authorities', () => {
  const [one, two] = [makeRoleKey('ed25519'), makeRoleKey('ed25519')];
  const keys = parseKeys(
    valueFrom({ [one.keyId]: one.keyObject, [two.keyId]: two.keyObject, wrong: two.keyObject }),
    'keys',
  );
  const read = (value: Json): unknown =>
    parseAuthority(valueFrom(value), keys, { role: 'r', where: 'w' });

  it('collect their keys once each', () => {
    const authority = parseAuthority(
      valueFrom({ keyids: [two.keyId, one.keyId, two.keyId], threshold: 2 }),
      keys,
      { role: 'r', where: 'w' },
    );
    assert.deepEqual([...authority.keys.keys()], [two.keyId, one.keyId]);
    assert.equal(authority.threshold, 2);
    assert.equal(authority.role, 'r');
  });

  it('may be out of reach', () => {
    assert.ok(read({ keyids: [], threshold: 5 }));
  });

  for (const [row, value] of [
    ['null', null],
    ['no threshold', { keyids: [one.keyId] }],
    ['threshold 0', { keyids: [one.keyId], threshold: 0 }],
    ['a negative threshold', { keyids: [one.keyId], threshold: -1 }],
    ['a threshold in text', { keyids: [one.keyId], threshold: '1' }],
    ['no key ids', { threshold: 1 }],
    ['null as key ids', { keyids: null, threshold: 1 }],
    ['a key id that is a number', { keyids: [1], threshold: 1 }],
    ['an unknown key id', { keyids: ['ab'.repeat(32)], threshold: 1 }],
    ['__proto__ as key id', { keyids: ['__proto__'], threshold: 1 }],
    ['a key under a name that is not its id', { keyids: ['wrong'], threshold: 1 }],
  ] as const) {
    it(`are malformed: ${row}`, () => {
      isMalformed(() => read(value));
    });
  }

  it('keys may be called anything as long as nobody refers to them', () => {
    const odd = parseKeys(valueFrom(new Map([['__proto__', one.keyObject]])), 'keys');
    assert.deepEqual([...odd.keys()], ['__proto__']);
  });

  it('a file may list 4096 keys and not one more', () => {
    const of = (count: number): Map<string, Json> =>
      new Map(Array.from({ length: count }, (_, index) => [`k${index}`, oddKey()]));
    assert.equal(parseKeys(valueFrom(of(4096)), 'keys').size, 4096);
    isMalformed(() => parseKeys(valueFrom(of(4097)), 'keys'), 'keys');
  });
});

function oddKey(): Json {
  return { keytype: 'unknown', keyval: { private: null, public: 'AA==' } };
}

function sized(bytes: number): string {
  return Buffer.alloc(bytes, 7).toString('base64');
}
