import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseEnvelope } from '../../../../src/trust/dialect/notary-v1.ts';
import { parseTargets } from '../../../../src/trust/dialect/notary-v1-targets.ts';
import { TrustError } from '../../../../src/trust/errors.ts';
import type { TargetsBody } from '../../../../src/trust/model.ts';
import { encodeWireJson, type Json } from '../../../support/notary-json.ts';
import { makeRoleKey } from '../../../support/notary-keys.ts';
import { throwsWithCode } from '../../../support/reject-with-code.ts';

const DIGEST = 'ab'.repeat(32);
const SHA256 = Buffer.from(DIGEST, 'hex').toString('base64');
const key = makeRoleKey('ed25519');
const keys = { [key.keyId]: key.keyObject };
const right = { keyids: [key.keyId], threshold: 1 };

function read(parts: Readonly<Record<string, Json>>, role = 'targets'): TargetsBody {
  const signed = { _type: 'Targets', version: 2, expires: '2036-11-20T00:00:00Z', ...parts };
  return parseTargets(parseEnvelope(encodeWireJson({ signed, signatures: [] })), role);
}

function delegating(...roles: readonly Json[]): Readonly<Record<string, Json>> {
  return { delegations: { keys, roles } };
}

function isMalformed(act: () => unknown): void {
  throwsWithCode(act, TrustError, 'malformed');
}

describe('target entries', () => {
  it('are read, whatever the tags are called', () => {
    const names = ['1.0', '__proto__', 'constructor', 'hasOwnProperty', '', 'a b', '\u{1f600}'];
    const entry = { hashes: { sha256: SHA256 }, length: 5, custom: { a: 1 } };
    const { targets } = read({ targets: new Map(names.map((name) => [name, entry])) });
    assert.deepEqual([...targets.keys()].sort(), names.sort());
    for (const target of targets.values()) {
      assert.deepEqual(target, { length: 5, sha256: DIGEST });
    }
  });

  it('may be absent or null', () => {
    assert.equal(read({}).targets.size, 0);
    assert.equal(read({ targets: null }).targets.size, 0);
  });

  for (const [row, hashes] of [
    ['no SHA-256', { sha512: 'AA==' }],
    ['a SHA-256 of 31 bytes', { sha256: Buffer.alloc(31).toString('base64') }],
    ['a SHA-256 in hex', { sha256: DIGEST }],
    ['no hash at all', {}],
  ] as const) {
    it(`without a usable digest are kept as such: ${row}`, () => {
      const { targets } = read({ targets: { v1: { hashes, length: 5 } } });
      assert.deepEqual(targets.get('v1'), { length: 5, sha256: undefined });
    });
  }

  for (const [row, targets] of [
    ['a list', []],
    ['an entry that is null', { v1: null }],
    ['no length', { v1: { hashes: { sha256: SHA256 } } }],
    ['a negative length', { v1: { hashes: { sha256: SHA256 }, length: -1 } }],
    ['no hashes', { v1: { length: 1 } }],
    ['a hash that is a number', { v1: { hashes: { sha256: 7 }, length: 1 } }],
    ['a hash that is no base64', { v1: { hashes: { sha256: '!' }, length: 1 } }],
  ] as const) {
    it(`are malformed: ${row}`, () => {
      isMalformed(() => read({ targets }));
    });
  }

  it('need the type of targets', () => {
    isMalformed(() => read({ _type: 'Snapshot' }));
  });

  it('carry version and expiry', () => {
    assert.equal(read({}).version, 2);
    assert.equal(read({}).expiresAt, Date.parse('2036-11-20T00:00:00Z'));
    isMalformed(() => read({ version: 0 }));
  });
});

describe('delegations', () => {
  it('are read in order, with keys, threshold and paths', () => {
    const { delegations } = read(
      delegating(
        { ...right, name: 'targets/b', paths: ['', 'v'] },
        { ...right, name: 'targets/a', paths: [] },
        { ...right, name: 'targets/-_09z' },
        { ...right, name: 'targets/null', paths: null },
      ),
    );
    assert.deepEqual(
      delegations.map(({ name, paths }) => [name, paths]),
      [
        ['targets/b', ['', 'v']],
        ['targets/a', []],
        ['targets/-_09z', []],
        ['targets/null', []],
      ],
    );
    const authority = delegations[0]?.authority;
    assert.equal(authority?.role, 'targets/b');
    assert.equal(authority?.threshold, 1);
    assert.deepEqual([...(authority?.keys.keys() ?? [])], [key.keyId]);
  });

  it('may be absent, null or empty', () => {
    for (const delegations of [
      null,
      {},
      { roles: null },
      { roles: [] },
      { keys: null, roles: [] },
    ]) {
      assert.deepEqual(read({ delegations }).delegations, []);
    }
    assert.deepEqual(read({}).delegations, []);
  });

  for (const [name, parent] of [
    ['targets/a', 'targets'],
    ['targets/a/b', 'targets/a'],
    [`targets/${'x'.repeat(247)}`, 'targets'],
  ] as const) {
    it(`of ${parent} may be called ${name.slice(0, 20)} (${name.length})`, () => {
      const { delegations } = read(delegating({ ...right, name }), parent);
      assert.equal(delegations[0]?.name, name);
    });
  }

  for (const [name, parent] of [
    ['targets', 'targets'],
    ['targets/', 'targets'],
    ['targets/a/b', 'targets'],
    ['targets/a', 'targets/a'],
    ['targets/b/c', 'targets/a'],
    ['root', 'targets'],
    ['snapshot', 'targets'],
    ['a', 'targets'],
    ['/targets/a', 'targets'],
    ['xtargets/a', 'targets'],
    ['targets//a', 'targets'],
    ['targets/a/', 'targets'],
    ['targets/..', 'targets'],
    ['targets/.', 'targets'],
    ['targets/A', 'targets'],
    ['targets/a b', 'targets'],
    ['targets/a\n', 'targets'],
    ['targets/a%2f', 'targets'],
    ['targets/ü', 'targets'],
    ['targets/a\u0000', 'targets'],
    [`targets/${'x'.repeat(248)}`, 'targets'],
    [7, 'targets'],
    [null, 'targets'],
  ] as const) {
    it(`of ${parent} may not be called ${JSON.stringify(name)?.slice(0, 30)}`, () => {
      isMalformed(() => read(delegating({ ...right, name }), parent));
    });
  }

  for (const [row, parts] of [
    ['a list', { delegations: [] }],
    ['roles by name', { delegations: { keys, roles: { a: right } } }],
    ['an entry that is text', delegating('targets/a')],
    ['a role twice', delegating({ ...right, name: 'targets/a' }, { ...right, name: 'targets/a' })],
    ['no keys', { delegations: { roles: [{ ...right, name: 'targets/a' }] } }],
    ['an unknown key', delegating({ name: 'targets/a', keyids: ['ff'], threshold: 1 })],
    ['threshold 0', delegating({ ...right, name: 'targets/a', threshold: 0 })],
    ['paths that are text', delegating({ ...right, name: 'targets/a', paths: '' })],
    ['a path that is a number', delegating({ ...right, name: 'targets/a', paths: ['', 1] })],
    ['no name', delegating(right)],
  ] as const) {
    it(`are malformed: ${row}`, () => {
      isMalformed(() => read(parts));
    });
  }

  it('may be 1024 and not one more', () => {
    const of = (count: number): Readonly<Record<string, Json>> =>
      delegating(
        ...Array.from({ length: count }, (_, index) => ({ ...right, name: `targets/d${index}` })),
      );
    assert.equal(read(of(1024)).delegations.length, 1024);
    isMalformed(() => read(of(1025)));
  });
});
