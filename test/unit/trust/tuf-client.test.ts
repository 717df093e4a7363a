import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { TrustServerError } from '../../../src/metadata/errors.ts';
import { TrustError } from '../../../src/trust/errors.ts';
import { rejectsWithCode } from '../../support/reject-with-code.ts';
import type { TrustBench } from '../../support/trust-bench.ts';
import { verdictOf } from '../../support/trust-bench.ts';
import { filesAsked, tufBench } from '../../support/tuf-bench.ts';
import { makeTufKey, renamedKey, type TufKeyKind } from '../../support/tuf-keys.ts';
import { TufRepository, type TufRepositoryOptions } from '../../support/tuf-repository.ts';

const CONTENT = { sha256: 'ab'.repeat(32), length: 100 };
const OTHER = { sha256: 'cd'.repeat(32), length: 200 };
const DAY_MS = 86_400_000;

function signedRepository(options: TufRepositoryOptions = {}): TufRepository {
  const repository = new TufRepository(options);
  repository.sign('1.0', CONTENT);
  return repository;
}

async function digestOf(bench: TrustBench, tag = '1.0'): Promise<string> {
  const { verdict, digest } = await verdictOf(bench, tag);
  return digest ?? verdict;
}

describe('TUF 1.0: files', () => {
  const roles = ['root', 'timestamp', 'snapshot', 'targets'] as const;
  for (const [consistentSnapshot, asked] of [
    [true, ['2.root.json', 'timestamp.json', '1.snapshot.json', '1.targets.json', '1.a%2Fb.json']],
    [false, ['2.root.json', 'timestamp.json', 'snapshot.json', 'targets.json', 'a%2Fb.json']],
  ] as const) {
    for (const hashes of [true, false]) {
      test(`consistent snapshots ${consistentSnapshot}, hashes ${hashes}: only those the workflow names are asked for`, async () => {
        const repository = new TufRepository({ consistentSnapshot, hashes });
        repository.addDelegation('a/b');
        repository.sign('1.0', CONTENT, 'a/b');
        const bench = tufBench(repository, { maxAgeMs: 1000 });
        const { value } = await bench.collection.pin('1.0', []);
        assert.deepEqual([value.sha256, value.length, value.role], [CONTENT.sha256, 100, 'a/b']);
        assert.deepEqual(filesAsked(bench), asked);
        await bench.collection.pin('1.0', []);
        assert.deepEqual(filesAsked(bench), []);
        bench.clock.advance(1000);
        await bench.collection.pin('1.0', []);
        assert.deepEqual(filesAsked(bench), ['timestamp.json']);
      });
    }
  }

  test('only what changed is fetched again', async () => {
    const repository = signedRepository();
    repository.addDelegation('team');
    repository.sign('2.0', CONTENT, 'team');
    const bench = tufBench(repository);
    await digestOf(bench, '2.0');
    filesAsked(bench);
    repository.sign('1.0', OTHER);
    bench.serve(repository.publish());
    assert.equal(await digestOf(bench, '2.0'), `sha256:${CONTENT.sha256}`);
    assert.deepEqual(filesAsked(bench), [
      'timestamp.json',
      '2.root.json',
      '2.snapshot.json',
      '2.targets.json',
    ]);
    assert.equal(await digestOf(bench), `sha256:${OTHER.sha256}`);
  });

  test('what a publisher adds is signed for and kept, and otherwise nobody minds', async () => {
    const repository = signedRepository();
    const more = {
      signed: (part: object) => ({ ...part, 'x-note': { '': [1, 'é', null, true] } }),
    };
    const files = repository.publish(new Map(roles.map((role) => [role, more])));
    const bench = tufBench(repository);
    bench.serve(files);
    assert.equal(await digestOf(bench), `sha256:${CONTENT.sha256}`);
    const stored = await bench.store.load({ source: 'test', gun: 'app' });
    assert.deepEqual(Buffer.from(stored?.record.timestamp ?? []), files.get('timestamp.json'));
    const changed = files.get('timestamp.json')?.toString().replace('"é"', '"e"') ?? '';
    bench.serve(new Map([...files, ['timestamp.json', Buffer.from(changed)]]));
    bench.restart();
    assert.equal(await digestOf(bench), 'bad_signature');
  });

  test('what the publisher says of a target is handed on', async () => {
    const repository = new TufRepository();
    repository.sign('1.0', { ...CONTENT, custom: { by: 'alice', approved: ['a', 1] } });
    const { value } = await tufBench(repository).collection.pin('1.0', []);
    assert.deepEqual(
      value.custom,
      new Map<string, unknown>([
        ['by', 'alice'],
        ['approved', ['a', 1]],
      ]),
    );
  });

  for (const [specVersion, verdict] of [
    ['1.0.0', `sha256:${CONTENT.sha256}`],
    ['1.0', `sha256:${CONTENT.sha256}`],
    ['1.99.1', `sha256:${CONTENT.sha256}`],
    ['0.9', 'malformed'],
    ['2.0.0', 'malformed'],
    ['1', 'malformed'],
    ['1.0.0-beta', 'malformed'],
    ['', 'malformed'],
  ] as const) {
    test(`spec_version ${JSON.stringify(specVersion)}: ${verdict}`, async () => {
      assert.equal(await digestOf(tufBench(signedRepository({ specVersion }))), verdict);
    });
  }
});

describe('TUF 1.0: keys', () => {
  const kinds: readonly TufKeyKind[] = [
    'ed25519',
    'ecdsa-p256',
    'ecdsa-p384',
    'rsa-pss',
    'rsa-pkcs1',
  ];
  for (const kind of kinds) {
    test(`${kind} for every role and a delegation`, async () => {
      const keyKinds = { root: kind, targets: kind, snapshot: kind, timestamp: kind };
      const repository = new TufRepository({ keyKinds });
      repository.addDelegation('team', { keys: [makeTufKey(kind)] });
      repository.sign('1.0', CONTENT, 'team');
      const bench = tufBench(repository);
      assert.equal(await digestOf(bench), `sha256:${CONTENT.sha256}`);
      repository.rotateRoot('ed25519');
      bench.serve(repository.publish());
      assert.equal(await digestOf(bench), `sha256:${CONTENT.sha256}`);
      assert.equal(bench.collection.state?.root.body.version, 2);
    });
  }

  test('ecdsa keys may have the scheme as their type, as older tools write', async () => {
    const repository = signedRepository();
    const members = { keytype: 'ecdsa-sha2-nistp256' };
    repository.setKeys('timestamp', [renamedKey(makeTufKey('ecdsa-p256'), { members })]);
    assert.equal(await digestOf(tufBench(repository)), `sha256:${CONTENT.sha256}`);
  });

  const misfits: readonly (readonly [string, TufKeyKind, Readonly<Record<string, string>>])[] = [
    ['an RSA key under an ECDSA scheme', 'rsa-pss', { scheme: 'ecdsa-sha2-nistp256' }],
    ['a PSS signature under the PKCS#1 scheme', 'rsa-pss', { scheme: 'rsa-pkcs1v15-sha256' }],
    ['a PKCS#1 signature under the PSS scheme', 'rsa-pkcs1', { scheme: 'rsassa-pss-sha256' }],
    ['a P-256 key under the scheme of P-384', 'ecdsa-p256', { scheme: 'ecdsa-sha2-nistp384' }],
    ['an Ed25519 key as ECDSA', 'ed25519', { keytype: 'ecdsa', scheme: 'ecdsa-sha2-nistp256' }],
    ['an unknown type', 'ed25519', { keytype: 'sphincs', scheme: 'sphincs' }],
    ['a scheme in capitals', 'ed25519', { scheme: 'ED25519' }],
  ];
  for (const [name, kind, members] of misfits) {
    test(`${name} verifies nothing`, async () => {
      const repository = signedRepository();
      repository.setKeys('timestamp', [renamedKey(makeTufKey(kind), { members })]);
      assert.equal(await digestOf(tufBench(repository)), 'bad_signature');
    });
  }

  test('a key that cannot be used may stand beside one that suffices', async () => {
    const repository = signedRepository({ thresholds: { timestamp: 1 } });
    const odd = renamedKey(makeTufKey(), { members: { scheme: 'x' }, keyId: 'odd' });
    repository.setKeys('timestamp', [odd, makeTufKey()]);
    assert.equal(await digestOf(tufBench(repository)), `sha256:${CONTENT.sha256}`);
  });

  test('thresholds count keys', async () => {
    const thresholds = { root: 2, targets: 3, snapshot: 2, timestamp: 2 };
    const repository = signedRepository({ thresholds });
    const bench = tufBench(repository);
    assert.equal(await digestOf(bench), `sha256:${CONTENT.sha256}`);
    const [first, second] = repository.keys('targets');
    assert.ok(first !== undefined && second !== undefined);
    repository.sign('1.0', OTHER);
    bench.serve(repository.publish(new Map([['targets', { signers: [first, second] }]])));
    assert.equal(await digestOf(bench), 'threshold_not_met');
  });
});

describe('TUF 1.0: history', () => {
  test('versions pushed up by a thief are forgotten with the stolen key', async () => {
    for (const role of ['timestamp', 'snapshot'] as const) {
      const repository = signedRepository();
      const bench = tufBench(repository);
      await digestOf(bench);
      repository.setVersion(role, 1_000_000);
      bench.serve(repository.publish());
      assert.equal(await digestOf(bench), `sha256:${CONTENT.sha256}`);
      repository.setVersion(role, 10);
      bench.serve(repository.publish());
      assert.equal(await digestOf(bench), 'rollback');
      // A timestamp of the thief lists the pushed up snapshot, so its key has to go as well.
      repository.rotateKey(role);
      if (role === 'snapshot') repository.rotateKey('timestamp');
      bench.serve(repository.publish());
      bench.clock.advance(11 * 60_000);
      assert.equal(await digestOf(bench), `sha256:${CONTENT.sha256}`, role);
      bench.restart();
      assert.equal(await digestOf(bench), `sha256:${CONTENT.sha256}`, `${role} after a restart`);
    }
  });

  test('a chain of roots is walked without gaps and kept across a restart', async () => {
    const repository = signedRepository();
    const bench = tufBench(repository);
    repository.publish();
    for (let step = 0; step < 5; step += 1) {
      repository.rotateRoot();
      repository.publish();
    }
    bench.serve(repository.publish());
    assert.equal(await digestOf(bench), `sha256:${CONTENT.sha256}`);
    assert.equal(bench.collection.state?.root.body.version, 6);
    bench.restart();
    filesAsked(bench);
    await bench.collection.refreshNow();
    assert.deepEqual(filesAsked(bench), ['7.root.json', 'timestamp.json']);
  });

  test('after a restart nothing goes back', async () => {
    const repository = signedRepository();
    const bench = tufBench(repository);
    const old = repository.publish();
    repository.sign('1.0', OTHER);
    bench.serve(repository.publish());
    assert.equal(await digestOf(bench), `sha256:${OTHER.sha256}`);
    bench.restart();
    bench.serve(old);
    assert.equal(await digestOf(bench), 'rollback');
  });

  describe('the configured root is exchanged between restarts', () => {
    test('for a later one of the same chain: trust goes on, and nothing goes back', async () => {
      const repository = signedRepository();
      const bench = tufBench(repository);
      const old = repository.publish();
      bench.serve(old);
      await digestOf(bench);
      repository.rotateRoot();
      repository.sign('1.0', OTHER);
      bench.serve(repository.publish());
      assert.equal(await digestOf(bench), `sha256:${OTHER.sha256}`);
      bench.restart({ kind: 'root-file', bytes: repository.file('2.root.json') });
      assert.equal(await digestOf(bench), `sha256:${OTHER.sha256}`);
      bench.serve(
        new Map([...repository.publish(), ['timestamp.json', repository.file('2.timestamp.json')]]),
      );
      assert.equal(await digestOf(bench), 'rollback');
    });

    test('for an earlier one of the same chain: it is walked again', async () => {
      const repository = signedRepository();
      const bench = tufBench(repository);
      repository.rotateRoot();
      repository.publish();
      const later = { kind: 'root-file', bytes: repository.file('2.root.json') } as const;
      bench.restart(later);
      bench.serve(repository.publish());
      assert.equal(await digestOf(bench), `sha256:${CONTENT.sha256}`);
      bench.restart({ kind: 'root-file', bytes: repository.firstRoot });
      assert.equal(await digestOf(bench), `sha256:${CONTENT.sha256}`);
      assert.equal(bench.collection.state?.root.body.version, 2);
    });

    test('for an earlier one while later ones are held back: nothing is believed', async () => {
      const repository = signedRepository();
      const bench = tufBench(repository);
      const old = repository.publish();
      repository.rotateRoot();
      bench.serve(repository.publish());
      assert.equal(await digestOf(bench), `sha256:${CONTENT.sha256}`);
      bench.restart({ kind: 'root-file', bytes: repository.firstRoot });
      bench.serve(old);
      assert.equal(await digestOf(bench), 'rollback');
      bench.restart({ kind: 'root-file', bytes: repository.firstRoot });
      assert.equal(await digestOf(bench), 'rollback');
      bench.serve(repository.publish());
      assert.equal(await digestOf(bench), `sha256:${CONTENT.sha256}`);
    });

    test('for that of another repository: the old one is believed no more', async () => {
      const bench = tufBench(signedRepository());
      await digestOf(bench);
      const other = new TufRepository();
      other.sign('1.0', OTHER);
      const files = other.publish();
      bench.restart({ kind: 'root-file', bytes: other.firstRoot });
      assert.equal(await digestOf(bench), 'threshold_not_met');
      bench.serve(files);
      assert.equal(await digestOf(bench), `sha256:${OTHER.sha256}`);
      bench.restart({ kind: 'root-file', bytes: other.firstRoot });
      assert.equal(await digestOf(bench), `sha256:${OTHER.sha256}`);
    });
  });
});

describe('TUF 1.0: time', () => {
  test('answers are used for maxAge without asking, and a revoked tag is refused from then on', async () => {
    const repository = signedRepository();
    const bench = tufBench(repository, { maxAgeMs: 60_000 });
    await digestOf(bench);
    repository.removeTag('1.0');
    bench.serve(repository.publish());
    bench.clock.advance(59_999);
    assert.equal(await digestOf(bench), `sha256:${CONTENT.sha256}`);
    bench.clock.advance(1);
    assert.equal(await digestOf(bench), 'tag_not_signed');
  });

  test('an outage is bridged for outageGrace, marked, never past an expiry, and never what is proved bad', async () => {
    const repository = signedRepository();
    const bench = tufBench(repository, { maxAgeMs: 60_000, outageGraceMs: 3_600_000 });
    await digestOf(bench);
    bench.source.inject(/./, 'trust_server_unreachable');
    bench.clock.advance(120_000);
    const { value, staleSeconds } = await bench.collection.pin('1.0', []);
    assert.deepEqual([value.sha256, staleSeconds], [CONTENT.sha256, 120]);
    bench.clock.advance(3_600_000);
    await rejectsWithCode(
      bench.collection.pin('1.0', []),
      TrustServerError,
      'trust_server_unreachable',
    );
    bench.source.clearFaults();
    bench.clock.advance(10_000);
    bench.serve(repository.stranger().publish());
    await rejectsWithCode(bench.collection.pin('1.0', []), TrustError, 'threshold_not_met');
  });

  test('an outage does not outlast a signed expiry', async () => {
    const bench = tufBench(signedRepository(), { maxAgeMs: 0, outageGraceMs: 7 * DAY_MS });
    await digestOf(bench);
    bench.source.inject(/./, 'trust_server_unreachable');
    bench.clock.advance(DAY_MS - 1000);
    assert.equal(await digestOf(bench), `sha256:${CONTENT.sha256}`);
    bench.clock.advance(1000);
    assert.equal(await digestOf(bench), 'timestamp_expired');
  });

  for (const [role, days, code] of [
    ['timestamp', 1, 'timestamp_expired'],
    ['snapshot', 7, 'snapshot_expired'],
    ['targets', 365, 'targets_expired'],
    ['root', 400, 'root_expired'],
  ] as const) {
    test(`${role} that nobody renews: ${code}`, async () => {
      const expiresAfterDays = {
        root: 400,
        targets: 400,
        snapshot: 400,
        timestamp: 400,
        [role]: days,
      };
      const bench = tufBench(
        signedRepository({
          expiresAfterDays:
            role === 'root'
              ? { ...expiresAfterDays, targets: 500, snapshot: 500, timestamp: 500 }
              : expiresAfterDays,
        }),
      );
      bench.clock.advance(days * DAY_MS - 1000);
      assert.equal(await digestOf(bench), `sha256:${CONTENT.sha256}`);
      bench.clock.advance(1000);
      assert.equal(await digestOf(bench), code);
    });
  }

  test('a root that is outdated is good for its successor', async () => {
    const repository = signedRepository({ expiresAfterDays: { root: 1 } });
    const bench = tufBench(repository);
    bench.clock.advance(2 * DAY_MS);
    repository.now = new Date(bench.clock.now());
    repository.rotateRoot();
    bench.serve(repository.publish());
    assert.equal(await digestOf(bench), `sha256:${CONTENT.sha256}`);
  });
});
