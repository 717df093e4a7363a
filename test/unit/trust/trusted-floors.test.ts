import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TrustReason } from '../../../src/base/reason-code.ts';
import { TrustError } from '../../../src/trust/errors.ts';
import type { TrustedSet } from '../../../src/trust/trusted-set.ts';
import { changingSigned } from '../../support/damage.ts';
import type { NotaryRepository } from '../../support/notary-repository.ts';
import type { RoleEdit } from '../../support/publication.ts';
import { throwsWithCode } from '../../support/reject-with-code.ts';
import {
  CONTENT,
  earlierOf,
  edited,
  fill,
  RELEASES,
  repositoryWith,
  setFor,
  setting,
  withEntry,
} from './set-making.ts';

const ROLES = ['timestamp', 'snapshot', 'targets', RELEASES] as const;
const FORMS = ['verified', 'bytes'] as const;

/** A repository at version 3 of every role, and the set that a client has of it. */
function seen(): { repository: NotaryRepository; set: TrustedSet } {
  const repository = repositoryWith();
  for (let round = 0; round < 2; round += 1) {
    repository.sign('plain', CONTENT);
    repository.sign('v1', CONTENT, RELEASES);
    repository.publish();
  }
  return { repository, set: fill(setFor(repository), repository) };
}

function refusesAt(
  role: string,
  code: TrustReason,
  next: { readonly repository: NotaryRepository; readonly set: TrustedSet },
): TrustError {
  const before = ROLES.slice(0, ROLES.indexOf(role as (typeof ROLES)[number]));
  fill(next.set, next.repository, before);
  const act = (): unknown => fill(next.set, next.repository, [role]);
  return throwsWithCode(act, TrustError, code);
}

for (const form of FORMS) {
  describe(`floors from earlier files (${form})`, () => {
    for (const role of ROLES) {
      it(`${role}: a lower version is a rollback`, () => {
        const { repository, set } = seen();
        edited(repository, role, setting('version', 2));
        const next = setFor(repository, { earlier: earlierOf(set, form) });
        const error = refusesAt(role, 'rollback', { repository, set: next });
        assert.deepEqual(error.detail, { role, trustedVersion: 3, offeredVersion: 2 });
      });

      it(`${role}: the same version with other bytes is a rollback`, () => {
        const { repository, set } = seen();
        edited(repository, role, anotherOfVersion(repository.version(role)));
        const next = setFor(repository, { earlier: earlierOf(set, form) });
        const error = refusesAt(role, 'rollback', { repository, set: next });
        assert.deepEqual(error.detail, { role, trustedVersion: 3, offeredVersion: 3 });
      });

      it(`${role}: a much higher version is taken`, () => {
        const { repository, set } = seen();
        edited(repository, role, setting('version', 1_000_000));
        fill(setFor(repository, { earlier: earlierOf(set, form) }), repository);
      });
    }

    it('the same files again are taken without being read again', () => {
      const { repository, set } = seen();
      const earlier = earlierOf(set, form);
      const next = fill(setFor(repository, { earlier }), repository);
      for (const role of ['targets', RELEASES]) {
        const [was, is] = [set.targets.get(role), next.targets.get(role)];
        assert.equal(is?.sha256, was?.sha256);
        if (form === 'verified') assert.equal(is?.body, was?.body, 'parsed once');
      }
      if (form === 'verified') {
        assert.equal(next.timestamp, set.timestamp);
        assert.equal(next.snapshot, set.snapshot);
      }
    });

    it('a role whose key was rotated starts without a floor', () => {
      for (const role of ['timestamp', 'snapshot', 'targets', RELEASES] as const) {
        const { repository, set } = seen();
        repository.rotateKey(role);
        edited(repository, role, setting('version', 1));
        fill(setFor(repository, { earlier: earlierOf(set, form) }), repository);
      }
    });

    it('a key that stays keeps the floor when another one is added', () => {
      const repository = repositoryWith({ thresholds: { timestamp: 2 } });
      repository.publish();
      const set = fill(setFor(repository), repository);
      const kept = repository.keys('timestamp').slice(0, 1);
      const ids = kept.map(({ keyId }) => keyId);
      edited(repository, 'root', dropping('timestamp', ids));
      edited(repository, 'timestamp', { ...setting('version', 1), signers: kept });
      const next = setFor(repository, { earlier: earlierOf(set, form) });
      throwsWithCode(() => fill(next, repository, ['timestamp']), TrustError, 'rollback');
    });

    it('a delegation that was listed and is still delegated must stay listed', () => {
      const { repository, set } = seen();
      edited(repository, 'snapshot', withEntry(RELEASES, undefined));
      const next = setFor(repository, { earlier: earlierOf(set, form) });
      const error = refusesAt('targets', 'rollback', { repository, set: next });
      assert.deepEqual(error.detail, {
        role: RELEASES,
        snapshotVersion: repository.version('snapshot'),
      });
      assert.equal(next.targets.size, 0, 'nothing is kept');
    });

    it('a delegation that was accepted must stay listed though the snapshot key is new', () => {
      const { repository, set } = seen();
      repository.rotateKey('snapshot');
      edited(repository, 'snapshot', withEntry(RELEASES, undefined));
      const next = setFor(repository, { earlier: earlierOf(set, form) });
      refusesAt('targets', 'rollback', { repository, set: next });
    });

    it('a delegation that was listed must stay listed though it was never fetched', () => {
      const { repository, set } = seen();
      const earlier = { ...earlierOf(set, form), targets: new Map() };
      edited(repository, 'snapshot', withEntry(RELEASES, undefined));
      const next = setFor(repository, { earlier });
      refusesAt('targets', 'rollback', { repository, set: next });
    });

    it('a delegation that is delegated no more may go', () => {
      const { repository, set } = seen();
      repository.removeDelegation(RELEASES);
      repository.publish();
      const next = setFor(repository, { earlier: earlierOf(set, form) });
      fill(next, repository, ['timestamp', 'snapshot', 'targets']);
    });

    it('a delegation that nobody ever listed need not be', () => {
      const { repository, set } = seen();
      repository.addDelegation('targets/new');
      repository.publish();
      const next = setFor(repository, { earlier: earlierOf(set, form) });
      fill(next, repository);
      assert.equal(next.expected('targets/new'), undefined);
    });

    it('a delegation with new keys may come unlisted when the snapshot key is new too', () => {
      const { repository, set } = seen();
      repository.rotateKey('snapshot');
      repository.rotateKey(RELEASES);
      edited(repository, 'snapshot', withEntry(RELEASES, undefined));
      const next = setFor(repository, { earlier: earlierOf(set, form) });
      fill(next, repository, ['timestamp', 'snapshot', 'targets']);
    });
  });
}

describe('earlier files that cannot be read', () => {
  it('set no floor', () => {
    const { repository } = seen();
    const junk = Buffer.from('junk');
    const targets = new Map([['targets', junk]]);
    fill(setFor(repository, { earlier: { timestamp: junk, snapshot: junk, targets } }), repository);
  });

  it('raise what is not a matter of trust', () => {
    const { repository, set } = seen();
    const timestamp = {
      ...set.timestamp,
      verifiedUnder: 'other keys',
      get bytes(): never {
        throw new RangeError('defect');
      },
    };
    const earlier = { timestamp, snapshot: undefined, targets: new Map() };
    const next = setFor(repository, { earlier });
    assert.throws(() => next.acceptTimestamp(repository.bytes('timestamp')), RangeError);
  });
});

function anotherOfVersion(version: number): RoleEdit {
  return changingSigned((signed) =>
    signed.set('version', version).set('expires', '2035-01-01T00:00:00Z'),
  );
}

function dropping(role: string, keyids: readonly string[]): RoleEdit {
  return changingSigned((signed) => {
    const roles = signed.get('roles');
    if (!(roles instanceof Map)) throw new Error('root is not a root');
    signed.set('roles', new Map([...roles, [role, { keyids, threshold: 1 }]]));
  });
}
