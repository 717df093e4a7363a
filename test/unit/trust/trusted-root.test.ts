import assert from 'node:assert/strict';
import { constants, sign } from 'node:crypto';
import { describe, it } from 'node:test';
import type { TrustReason } from '../../../src/base/reason-code.ts';
import type { RootAnchor } from '../../../src/trust/anchor.ts';
import { notaryV1 } from '../../../src/trust/dialect/notary-v1-dialect.ts';
import { TrustError } from '../../../src/trust/errors.ts';
import type { TopLevelRole } from '../../../src/trust/model.ts';
import { type RootRules, requireFresh, TrustedRoot } from '../../../src/trust/trusted-root.ts';
import { changingSigned } from '../../support/damage.ts';
import type { Json } from '../../support/notary-json.ts';
import { certificateKey, makeRoleKey, type RoleKey } from '../../support/notary-keys.ts';
import { NotaryRepository, type NotaryRepositoryOptions } from '../../support/notary-repository.ts';
import type { RoleEdit } from '../../support/publication.ts';
import { throwsWithCode } from '../../support/reject-with-code.ts';
import { makeCertificate, makeTestCa } from '../../support/x509.ts';
import { caOf, DAY_MS, FIRST_USE, NOW, STRONG_ONLY, utf8 } from './making.ts';

const GUN = 'registry.example.test/app';

function repositoryWith(options: Partial<NotaryRepositoryOptions> = {}): NotaryRepository {
  const repository = new NotaryRepository({ gun: GUN, ...options });
  repository.publish();
  return repository;
}

function rulesWith(anchor: RootAnchor = FIRST_USE, weak = STRONG_ONLY): RootRules {
  return { dialect: notaryV1, gun: GUN, anchor, weak };
}

function admit(repository: NotaryRepository, anchor: RootAnchor = FIRST_USE): TrustedRoot {
  return TrustedRoot.admit(repository.bytes('root'), rulesWith(anchor), NOW);
}

/** Publishes a root once more, edited, and gives its bytes. */
function reissued(repository: NotaryRepository, edit: RoleEdit = {}): Buffer {
  repository.publish(new Map([['root', edit]]));
  return repository.bytes('root');
}

/** A root edit that lists these root keys, and lets them sign. */
function listing(keys: readonly RoleKey[], threshold: number, signers = keys): RoleEdit {
  const { signed } = changingSigned((members) => {
    const all = members.get('keys');
    const roles = members.get('roles');
    if (!(all instanceof Map && roles instanceof Map)) throw new Error('root is not a root');
    const added = keys.map((key): [string, Json] => [key.keyId, key.keyObject]);
    const right = { keyids: keys.map(({ keyId }) => keyId), threshold };
    members.set('keys', new Map([...all, ...added]));
    members.set('roles', new Map([...roles, ['root', right]]));
  });
  return { ...(signed === undefined ? {} : { signed }), signers };
}

function rootKey(notAfter = NOW + 3650 * DAY_MS, commonName = GUN): RoleKey {
  const notBefore = new Date(NOW - 400 * DAY_MS);
  return makeRoleKey('ecdsa-x509', { commonName, notBefore, notAfter: new Date(notAfter) });
}

function refuses(act: () => unknown, code: TrustReason): TrustError {
  const error = throwsWithCode(act, TrustError, code);
  assert.equal(error.detail['role'], 'root');
  return error;
}

describe('admitting a first root', () => {
  it('gives its bytes, content and authorities', () => {
    const repository = repositoryWith();
    const root = admit(repository);
    assert.equal(root.bytes, repository.bytes('root'));
    assert.equal(root.body.version, 1);
    for (const role of ['root', 'targets', 'snapshot', 'timestamp'] as const) {
      const ids = repository.keys(role).map(({ keyId }) => keyId);
      assert.deepEqual([...root.authority(role).keys.keys()], ids);
      assert.equal(root.authority(role).role, role);
    }
  });

  it('gives a role it does not know an authority that nobody can meet', () => {
    const mirrors: TopLevelRole = JSON.parse('"mirrors"');
    const authority = admit(repositoryWith()).authority(mirrors);
    assert.deepEqual(authority, { role: 'mirrors', keys: new Map(), threshold: Infinity });
  });

  it('is refused when it is malformed', () => {
    refuses(() => TrustedRoot.admit(utf8('{}'), rulesWith(), NOW), 'malformed');
    const timestamp = repositoryWith().bytes('timestamp');
    refuses(() => TrustedRoot.admit(timestamp, rulesWith(), NOW), 'malformed');
  });

  it('is refused for another collection', () => {
    const repository = repositoryWith({ rootCommonName: 'registry.example.test/other' });
    refuses(() => admit(repository), 'root_cert_invalid');
  });

  it('is refused without an anchor or by an anchor that does not match', () => {
    const repository = repositoryWith();
    refuses(() => admit(repository, { kind: 'none' }), 'tofu_disabled');
    const anchor: RootAnchor = {
      kind: 'keys',
      certificateKeyIds: new Set(['ab'.repeat(32)]),
      publicKeyIds: new Set(),
    };
    refuses(() => admit(repository, anchor), 'pin_mismatch');
  });

  for (const [row, edit, code] of [
    ['no signature', { signatures: () => [] }, 'threshold_not_met'],
    ['a stranger', { signers: [makeRoleKey('ecdsa')] }, 'threshold_not_met'],
    [
      'a broken signature',
      {
        bytes: (bytes: Buffer) => Buffer.from(bytes.toString().replace('"_type"', '"a":1,"_type"')),
      },
      'bad_signature',
    ],
  ] as const) {
    it(`is refused with ${row}`, () => {
      const bytes = reissued(repositoryWith(), edit);
      refuses(() => TrustedRoot.admit(bytes, rulesWith(), NOW), code);
    });
  }

  it('counts the threshold over the keys that the anchor admits', () => {
    const repository = repositoryWith({ thresholds: { root: 2 } });
    const [first, second] = repository.rootKeyIds;
    assert.ok(first !== undefined && second !== undefined);
    const pinning = (...ids: string[]): RootAnchor => ({
      kind: 'keys',
      certificateKeyIds: new Set(ids),
      publicKeyIds: new Set(),
    });
    refuses(() => admit(repository, pinning(first)), 'threshold_not_met');
    assert.equal(admit(repository, pinning(first, second)).body.version, 1);
  });

  it('looks at the dates of a CA chain at the moment of admission', () => {
    const rootCa = makeTestCa();
    const repository = repositoryWith({ rootCa });
    const anchor = caOf(rootCa.certPem);
    const bytes = repository.bytes('root');
    assert.equal(TrustedRoot.admit(bytes, rulesWith(anchor), Date.now()).body.version, 1);
    const late = (): unknown => TrustedRoot.admit(bytes, rulesWith(anchor), NOW + 9999 * DAY_MS);
    refuses(late, 'pin_mismatch');
  });

  it('takes weak algorithms only when they are named', () => {
    const key = makeRoleKey('rsa-x509', { commonName: GUN, keyKind: 'rsa2048' });
    const padding = constants.RSA_PKCS1_PADDING;
    const weakly: RoleKey = {
      ...key,
      sign: (message) => ({
        keyid: key.keyId,
        method: 'rsapkcs1v15',
        sig: sign('sha256', message, { key: key.privateKey, padding }).toString('base64'),
      }),
    };
    const bytes = reissued(repositoryWith(), listing([weakly], 1));
    refuses(() => TrustedRoot.admit(bytes, rulesWith(), NOW), 'bad_signature');
    const rules = rulesWith(FIRST_USE, { rsaPkcs1v15: true, p224: false });
    const root = TrustedRoot.admit(bytes, rules, NOW);
    root.requireInForce(Date.now());
    assert.ok(root.inForceUntil(Date.now()) > NOW);
  });
});

describe('the next root', () => {
  it('may keep the keys or bring new ones', () => {
    const repository = repositoryWith();
    const first = admit(repository);
    const second = first.successor(reissued(repository));
    repository.rotateRoot();
    const third = second.successor(reissued(repository));
    assert.deepEqual([second.body.version, third.body.version], [2, 3]);
    const key = repository.keys('root')[0]?.keyId;
    assert.deepEqual([...third.authority('root').keys.keys()], [key]);
    repository.rotateRoot();
    assert.equal(third.successor(reissued(repository)).body.version, 4);
  });

  for (const [version, code] of [
    [0, 'malformed'],
    [1, 'rollback'],
    [3, 'root_rotation_invalid'],
    [1_000_000, 'root_rotation_invalid'],
  ] as const) {
    it(`may not have version ${version} after 1`, () => {
      const repository = repositoryWith();
      const root = admit(repository);
      const edit = changingSigned((signed) => signed.set('version', version));
      const error = refuses(() => root.successor(reissued(repository, edit)), code);
      if (version > 0) {
        assert.equal(error.detail['trustedVersion'], 1);
        assert.equal(error.detail['offeredVersion'], version);
      }
    });
  }

  it('may not be this one again', () => {
    const repository = repositoryWith();
    refuses(() => admit(repository).successor(repository.bytes('root')), 'rollback');
  });

  it('must be signed by the old key and by the new one', () => {
    for (const [keepsOld, code] of [
      [true, 'threshold_not_met'],
      [false, 'root_rotation_invalid'],
    ] as const) {
      const repository = repositoryWith();
      const root = admit(repository);
      const old = repository.keys('root');
      repository.rotateRoot();
      const signers = keepsOld ? old : repository.keys('root');
      refuses(() => root.successor(reissued(repository, { signers })), code);
    }
  });

  it('must be signed by as many of the old keys as the old root wanted', () => {
    const repository = repositoryWith({ thresholds: { root: 2 } });
    const root = admit(repository);
    const [first, second] = repository.keys('root');
    assert.ok(first !== undefined && second !== undefined);
    const one = listing([first], 1, [first]);
    const error = refuses(() => root.successor(reissued(repository, one)), 'root_rotation_invalid');
    assert.equal(error.detail['threshold'], 2);
    assert.equal(error.detail['validSignatures'], 1);
    const again = repositoryWith({ thresholds: { root: 2 } });
    const both = listing(again.keys('root').slice(0, 1), 1, again.keys('root'));
    assert.equal(admit(again).successor(reissued(again, both)).body.version, 2);
  });

  it('must be signed by as many of its own keys as it wants', () => {
    const repository = repositoryWith();
    const root = admit(repository);
    const [old] = repository.keys('root');
    assert.ok(old !== undefined);
    const added = rootKey();
    refuses(
      () => root.successor(reissued(repository, listing([old, added], 2, [old]))),
      'threshold_not_met',
    );
  });

  it('must have a certificate for this collection', () => {
    const repository = repositoryWith();
    const root = admit(repository);
    const [old] = repository.keys('root');
    assert.ok(old !== undefined);
    const other = rootKey(undefined, 'registry.example.test/other');
    const edit = listing([other], 1, [old, other]);
    refuses(() => root.successor(reissued(repository, edit)), 'root_cert_invalid');
  });

  it('must be a root', () => {
    const repository = repositoryWith();
    const root = admit(repository);
    refuses(() => root.successor(repository.bytes('timestamp')), 'malformed');
    refuses(() => root.successor(utf8('[]')), 'malformed');
  });

  it('may come after one whose certificate has expired, and may itself be one', () => {
    const repository = repositoryWith();
    const old = rootKey(NOW - DAY_MS);
    const bytes = reissued(repository, listing([old], 1));
    const root = TrustedRoot.admit(bytes, rulesWith(), NOW);
    const next = root.successor(reissued(repository, listing([old], 1)));
    throwsWithCode(() => next.requireInForce(NOW), TrustError, 'root_cert_invalid');
    const renewed = rootKey();
    const last = next.successor(reissued(repository, listing([renewed], 1, [old, renewed])));
    last.requireInForce(NOW);
  });
});

describe('being in force', () => {
  const inDays = (days: number): number => NOW + days * DAY_MS;

  /** A root with keys whose certificates end after so many days. */
  function rootWith(ends: readonly number[], threshold: number, expires = 100): TrustedRoot {
    const repository = repositoryWith({ expiresAfterDays: { root: expires } });
    const keys = ends.map((end) => rootKey(inDays(end)));
    const bytes = reissued(repository, listing(keys, threshold));
    return TrustedRoot.admit(bytes, rulesWith(), NOW);
  }

  for (const [row, root, until, then] of [
    ['its own expiry', rootWith([200], 1), 100, 'root_expired'],
    ['its only certificate', rootWith([50], 1), 50, 'root_cert_invalid'],
    ['the longer of two certificates', rootWith([40, 60], 1), 60, 'root_cert_invalid'],
    ['the shorter of two that are needed', rootWith([60, 40], 2), 40, 'threshold_not_met'],
    ['the second of three', rootWith([30, 70, 50], 2), 50, 'threshold_not_met'],
  ] as const) {
    it(`ends with ${row}`, () => {
      assert.equal(root.inForceUntil(NOW), inDays(until));
      root.requireInForce(inDays(until) - 1);
      refuses(() => root.requireInForce(inDays(until) + 1_000), then);
    });
  }

  it('does not hold at the instant of expiry', () => {
    const error = refuses(() => rootWith([200], 1).requireInForce(inDays(100)), 'root_expired');
    assert.equal(error.detail['expiresAt'], new Date(inDays(100)).toISOString());
  });

  it('takes certificates that have not signed for nothing', () => {
    const repository = repositoryWith({ expiresAfterDays: { root: 100 } });
    const [signer, silent] = [rootKey(inDays(20)), rootKey(inDays(90))];
    const bytes = reissued(repository, listing([signer, silent], 1, [signer]));
    const root = TrustedRoot.admit(bytes, rulesWith(), NOW);
    assert.equal(root.inForceUntil(NOW), inDays(20));
    refuses(() => root.requireInForce(inDays(21)), 'threshold_not_met');
  });

  it('has ended for a root whose certificates have', () => {
    const root = rootWith([50, 10], 2);
    assert.equal(root.inForceUntil(inDays(20)), 0);
  });

  it('holds from when it was found on, and not for before', () => {
    const leaf = makeCertificate({
      commonName: GUN,
      notBefore: new Date(inDays(-2)),
      notAfter: new Date(inDays(50)),
    });
    const bytes = reissued(repositoryWith(), listing([certificateKey(leaf)], 1));
    const root = TrustedRoot.admit(bytes, rulesWith(), NOW);
    root.requireInForce(NOW);
    root.requireInForce(inDays(49));
    assert.equal(root.inForceUntil(inDays(49)), inDays(50));
    refuses(() => root.requireInForce(inDays(-10)), 'root_cert_invalid');
    refuses(() => root.requireInForce(inDays(51)), 'root_cert_invalid');
    root.requireInForce(NOW);
  });

  it('leaves out a key that a certificate in a bundle spoils', () => {
    const ca = makeCertificate({ commonName: 'ca', isCa: true, notAfter: new Date(inDays(10)) });
    const leaf = makeCertificate({
      commonName: GUN,
      notBefore: new Date(inDays(-2)),
      notAfter: new Date(inDays(50)),
    });
    const key = certificateKey(leaf, ca.certPem);
    const bytes = reissued(repositoryWith(), listing([key], 1));
    const root = TrustedRoot.admit(bytes, rulesWith(), NOW);
    assert.equal(root.inForceUntil(NOW), inDays(10));
    root.requireInForce(inDays(9));
    refuses(() => root.requireInForce(inDays(11)), 'root_cert_invalid');
  });
});

describe('freshness of a role', () => {
  for (const [role, code] of [
    ['root', 'root_expired'],
    ['timestamp', 'timestamp_expired'],
    ['snapshot', 'snapshot_expired'],
    ['targets', 'targets_expired'],
    ['targets/releases', 'targets_expired'],
    ['__proto__', 'targets_expired'],
  ] as const) {
    it(`${role}: expired at its instant, not before`, () => {
      requireFresh(role, NOW + 1, NOW);
      for (const expiresAt of [NOW, NOW - 1]) {
        const error = throwsWithCode(() => requireFresh(role, expiresAt, NOW), TrustError, code);
        assert.deepEqual(error.detail, { role, expiresAt: new Date(expiresAt).toISOString() });
      }
    });
  }
});
