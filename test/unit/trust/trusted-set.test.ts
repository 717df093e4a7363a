import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TrustError } from '../../../src/trust/errors.ts';
import { fileMeta } from '../../support/notary-json.ts';
import { throwsWithCode } from '../../support/reject-with-code.ts';
import { DAY_MS, NOW, utf8 } from './making.ts';
import {
  CONTENT,
  edited,
  fill,
  isProgrammersError,
  RELEASES,
  repositoryWith,
  setFor,
  setting,
  withEntry,
} from './set-making.ts';

describe('a trusted set', () => {
  it('holds what was accepted, in order', () => {
    const repository = repositoryWith();
    const set = fill(setFor(repository), repository);
    assert.equal(set.timestamp.bytes, repository.bytes('timestamp'));
    assert.equal(set.snapshot.bytes, repository.bytes('snapshot'));
    assert.deepEqual([...set.targets.keys()], ['targets', RELEASES]);
    assert.deepEqual(set.targets.get(RELEASES)?.body.targets.get('v1'), CONTENT);
    assert.equal(set.expected(RELEASES)?.length, repository.bytes(RELEASES).length);
    assert.equal(set.expected('targets/nobody'), undefined);
    assert.equal(set.expected('__proto__'), undefined);
  });

  it('is not built on a root that is not in force, unless expiry is left out', () => {
    const repository = repositoryWith({ expiresAfterDays: { root: -1 } });
    throwsWithCode(() => setFor(repository), TrustError, 'root_expired');
    fill(setFor(repository, { now: 'ignore-expiry' }), repository);
  });

  it('answers a call out of order with a plain error', () => {
    const repository = repositoryWith();
    const bytes = repository.bytes('snapshot');
    const set = setFor(repository);
    for (const act of [
      () => set.timestamp,
      () => set.snapshot,
      () => set.expected('targets'),
      () => set.acceptSnapshot(bytes),
      () => set.acceptTargets('targets', bytes),
    ]) {
      assert.throws(act, isProgrammersError);
    }
    fill(set, repository, ['timestamp', 'snapshot']);
    const releases = repository.bytes(RELEASES);
    assert.throws(() => set.acceptTargets(RELEASES, releases), isProgrammersError, 'no parent yet');
    assert.throws(() => set.acceptTargets('targets/nobody', releases), isProgrammersError);
  });

  it('takes a role that is listed but not delegated for a programmers error', () => {
    const repository = repositoryWith();
    const meta = fileMeta(repository.bytes(RELEASES));
    edited(repository, 'snapshot', withEntry('targets/listed', meta));
    const set = fill(setFor(repository), repository);
    const act = (): unknown => set.acceptTargets('targets/listed', repository.bytes(RELEASES));
    assert.throws(act, isProgrammersError);
  });
});

describe('timestamps', () => {
  for (const [row, edit, code] of [
    ['malformed', { bytes: () => Buffer.from('x') }, 'malformed'],
    ['of another type', setting('_type', 'Snapshot'), 'malformed'],
    ['unsigned', { signatures: () => [] }, 'threshold_not_met'],
    ['expired', setting('expires', new Date(NOW).toISOString()), 'timestamp_expired'],
  ] as const) {
    it(`are refused: ${row}`, () => {
      const repository = repositoryWith();
      edited(repository, 'timestamp', edit);
      const set = setFor(repository);
      const act = (): void => set.acceptTimestamp(repository.bytes('timestamp'));
      assert.equal(throwsWithCode(act, TrustError, code).detail['role'], 'timestamp');
      assert.throws(() => set.timestamp, isProgrammersError, 'nothing is kept');
    });
  }

  it('may be past their expiry by the skew of the clock, and no more', () => {
    const expires = repositoryWith({ expiresAfterDays: { timestamp: 0 } });
    for (const [clockSkewMs, now, isTaken] of [
      [1_000, NOW + 999, true],
      [1_000, NOW + 1_000, false],
      [0, NOW, false],
    ] as const) {
      const set = setFor(expires, { clockSkewMs, now });
      const act = (): void => set.acceptTimestamp(expires.bytes('timestamp'));
      if (isTaken) act();
      else throwsWithCode(act, TrustError, 'timestamp_expired');
    }
  });
});

describe('snapshots', () => {
  for (const [row, edit, code, role] of [
    ['malformed', { bytes: () => Buffer.from('x') }, 'malformed', 'snapshot'],
    ['unsigned', { signatures: () => [] }, 'threshold_not_met', 'snapshot'],
    ['expired', setting('expires', new Date(NOW).toISOString()), 'snapshot_expired', 'snapshot'],
    ['not the one named', { served: flipped }, 'checksum_mismatch', 'snapshot'],
    ['longer', { served: (b: Buffer) => Buffer.concat([b, b]) }, 'length_exceeded', 'snapshot'],
    ['shorter', { served: (b: Buffer) => b.subarray(1) }, 'length_mismatch', 'snapshot'],
    ['naming another root', withEntry('root', fileMeta(utf8('x'))), 'checksum_mismatch', 'root'],
  ] as const) {
    it(`are refused: ${row}`, () => {
      const repository = repositoryWith();
      const files = repository.publish(new Map([['snapshot', edit]]));
      const set = fill(setFor(repository), repository, ['timestamp']);
      const act = (): void => set.acceptSnapshot(files.get('snapshot.json') ?? utf8(''));
      assert.equal(throwsWithCode(act, TrustError, code).detail['role'], role);
      assert.throws(() => set.snapshot, isProgrammersError, 'nothing is kept');
    });
  }

  it('may have expired when expiry is left out, but must name the root all the same', () => {
    const repository = repositoryWith({ expiresAfterDays: { snapshot: -1, timestamp: -1 } });
    fill(setFor(repository, { now: 'ignore-expiry' }), repository);
    edited(repository, 'snapshot', withEntry('root', fileMeta(utf8('x'))));
    const set = fill(setFor(repository, { now: 'ignore-expiry' }), repository, ['timestamp']);
    const act = (): void => set.acceptSnapshot(repository.bytes('snapshot'));
    throwsWithCode(act, TrustError, 'checksum_mismatch');
  });
});

describe('targets', () => {
  for (const role of ['targets', RELEASES]) {
    for (const [row, edit, code] of [
      ['malformed', { bytes: () => Buffer.from('x') }, 'malformed'],
      ['of another type', setting('_type', 'Root'), 'malformed'],
      ['unsigned', { signatures: () => [] }, 'threshold_not_met'],
      ['expired', setting('expires', new Date(NOW).toISOString()), 'targets_expired'],
      ['not the file named', { served: flipped }, 'checksum_mismatch'],
      ['longer', { served: (b: Buffer) => Buffer.concat([b, b]) }, 'length_exceeded'],
      ['shorter', { served: (b: Buffer) => b.subarray(1) }, 'length_mismatch'],
    ] as const) {
      it(`${role} is refused: ${row}`, () => {
        const repository = repositoryWith();
        const files = repository.publish(new Map([[role, edit]]));
        const before = role === 'targets' ? [] : ['targets'];
        const set = fill(setFor(repository), repository, ['timestamp', 'snapshot', ...before]);
        const act = (): unknown => set.acceptTargets(role, files.get(`${role}.json`) ?? utf8(''));
        assert.equal(throwsWithCode(act, TrustError, code).detail['role'], role);
        assert.equal(set.targets.has(role), false, 'nothing is kept');
      });
    }
  }

  it('delegated files are signed for by the parent as accepted, not by targets itself', () => {
    const repository = repositoryWith();
    edited(repository, RELEASES, { signers: repository.keys('targets') });
    const set = fill(setFor(repository), repository, ['timestamp', 'snapshot', 'targets']);
    const act = (): unknown => set.acceptTargets(RELEASES, repository.bytes(RELEASES));
    throwsWithCode(act, TrustError, 'threshold_not_met');
  });

  it('nested files are signed for by their own parent', () => {
    const repository = repositoryWith();
    repository.addDelegation('targets/releases/eu');
    repository.sign('v1', CONTENT, 'targets/releases/eu');
    repository.publish();
    const set = fill(setFor(repository), repository);
    set.acceptTargets('targets/releases/eu', repository.bytes('targets/releases/eu'));
    assert.equal(set.targets.size, 3);
  });

  it('delegations must be children of the role under which the file is accepted', () => {
    const repository = repositoryWith();
    const delegations = {
      keys: {},
      roles: [{ name: 'targets/other', keyids: [], threshold: 1 }],
    };
    edited(repository, RELEASES, setting('delegations', delegations));
    const set = fill(setFor(repository), repository, ['timestamp', 'snapshot', 'targets']);
    const act = (): unknown => set.acceptTargets(RELEASES, repository.bytes(RELEASES));
    throwsWithCode(act, TrustError, 'malformed');
  });
});

describe('how long a set may be relied on', () => {
  const days = { root: 100, timestamp: 90, snapshot: 80, targets: 70 };
  for (const [row, change, until, code] of [
    ['root', { root: 5 }, 5, 'root_expired'],
    ['timestamp', { timestamp: 5 }, 5, 'timestamp_expired'],
    ['snapshot', { snapshot: 5 }, 5, 'snapshot_expired'],
    ['targets', {}, 70, 'targets_expired'],
  ] as const) {
    it(`is until the end of ${row} when that comes first`, () => {
      const repository = repositoryWith({ expiresAfterDays: { ...days, ...change } });
      const set = fill(setFor(repository), repository);
      const end = NOW + until * DAY_MS;
      assert.equal(set.freshUntil(['targets', RELEASES], NOW), end);
      set.requireFreshAt(end - 1, ['targets', RELEASES]);
      throwsWithCode(() => set.requireFreshAt(end, ['targets', RELEASES]), TrustError, code);
    });
  }

  it('depends on the targets roles the answer rests on, and on no others', () => {
    const repository = repositoryWith({ expiresAfterDays: days });
    edited(repository, RELEASES, setting('expires', new Date(NOW + 9 * DAY_MS).toISOString()));
    const set = fill(setFor(repository), repository);
    assert.equal(set.freshUntil(['targets'], NOW), NOW + 70 * DAY_MS);
    assert.equal(set.freshUntil(['targets', RELEASES], NOW), NOW + 9 * DAY_MS);
    assert.equal(set.freshUntil([], NOW), NOW + 80 * DAY_MS);
    set.requireFreshAt(NOW + 10 * DAY_MS, ['targets']);
    const act = (): void => set.requireFreshAt(NOW + 10 * DAY_MS, ['targets', RELEASES]);
    assert.equal(throwsWithCode(act, TrustError, 'targets_expired').detail['role'], RELEASES);
  });

  it('is over for a role that was not accepted', () => {
    const repository = repositoryWith();
    const set = fill(setFor(repository), repository);
    assert.equal(set.freshUntil(['targets/nobody'], NOW), 0);
    const act = (): void => set.requireFreshAt(NOW, ['targets/nobody']);
    throwsWithCode(act, TrustError, 'targets_expired');
  });

  it('allows for the skew of the clock in the timestamp alone', () => {
    const repository = repositoryWith({ expiresAfterDays: { ...days, timestamp: 5 } });
    const set = fill(setFor(repository, { clockSkewMs: 500 }), repository);
    const end = NOW + 5 * DAY_MS + 500;
    assert.equal(set.freshUntil(['targets'], NOW), end);
    set.requireFreshAt(end - 1, ['targets']);
    throwsWithCode(() => set.requireFreshAt(end, ['targets']), TrustError, 'timestamp_expired');
    const other = repositoryWith({ expiresAfterDays: { ...days, snapshot: 5 } });
    const skewed = fill(setFor(other, { clockSkewMs: 500 }), other);
    assert.equal(skewed.freshUntil(['targets'], NOW), NOW + 5 * DAY_MS);
  });
});

function flipped(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy[20] = (copy[20] ?? 0) ^ 1;
  return copy;
}
