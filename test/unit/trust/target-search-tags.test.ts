import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { TrustError } from '../../../src/trust/errors.ts';
import { namedConvention } from '../../../src/trust/target-search.ts';
import { throwsWithCode } from '../../support/reject-with-code.ts';
import { type Roles, run, target } from './target-search-roles.ts';

describe('tags as targets', () => {
  const convention = namedConvention({ prefix: 'docker.io/app:', suffix: '.json' });
  const name = (tag: string): string => `docker.io/app:${tag}.json`;
  const ROLES: Roles = {
    targets: {
      has: [name('1'), 'docker.io/app:2', 'docker.io/app2:3.json', name(''), 'other'],
      to: [
        ['team', 'docker.io/app:*'],
        ['!strict', 'docker.io/*'],
        ['late', '*/*'],
      ],
    },
    team: { has: [name('1'), name('4')] },
    strict: { has: [name('5')] },
    late: { has: [name('6')] },
  };

  test('are found by their name', () => {
    const { result } = run(convention.find('4', []), ROLES);
    assert.deepEqual(result, { ...target(`team ${name('4')}`), role: 'team' });
    for (const tag of ['2', '3', '6', 'constructor', '__proto__']) {
      throwsWithCode(() => run(convention.find(tag, []), ROLES), TrustError, 'tag_not_signed');
    }
  });

  test('are listed as they are found', () => {
    assert.deepEqual([...run(convention.list([]), ROLES).result].sort(), ['1', '4', '5']);
    assert.deepEqual(run(convention.list(['team']), ROLES).result, ['4']);
  });

  test('each role is asked once for a list, however many delegate to it', () => {
    const roles: Roles = {
      targets: {
        to: [
          ['left', '*/*'],
          ['right', '*/*'],
        ],
      },
      left: { to: [['shared', '*/*']] },
      right: { to: [['shared', '*/*']] },
    };
    const { result, asked } = run(convention.list([]), roles);
    assert.deepEqual(result, []);
    assert.deepEqual([...asked].sort(), ['left', 'right', 'shared', 'targets']);
  });

  test('a list that would ask over 256 roles is refused', () => {
    const chain: Roles = Object.fromEntries(
      Array.from({ length: 300 }, (_, step) => [
        step === 0 ? 'targets' : `role${step}`,
        { to: [[`role${step + 1}`, '*/*']] as const },
      ]),
    );
    throwsWithCode(() => run(convention.list([]), chain), TrustError, 'malformed');
  });

  const SAME: Roles = {
    targets: {
      to: [
        ['team', '*/*'],
        ['second', '*/*'],
        ['third', 'quay.io/*'],
      ],
    },
  };

  test('need each signer as a delegation of targets, with the very same digest', () => {
    throwsWithCode(
      () =>
        run(convention.find('1', ['second']), {
          ...SAME,
          team: { has: [name('1')] },
          second: { has: [name('1')] },
        }),
      TrustError,
      'signer_conflict',
    );
    for (const signer of ['second', 'third', 'nobody', 'targets']) {
      throwsWithCode(
        () =>
          run(convention.find('1', [signer]), {
            ...SAME,
            team: { has: [name('1')] },
            third: { has: [name('1')] },
          }),
        TrustError,
        'required_signer_missing',
      );
    }
    const agreed = run(convention.find('1', ['team']), { ...SAME, team: { has: [name('1')] } });
    assert.equal(agreed.result.role, 'team');
  });

  test('without a usable digest are refused', () => {
    const search = convention.find('1', []);
    search.next();
    throwsWithCode(
      () =>
        search.next({
          version: 1,
          expiresAt: 0,
          delegations: [],
          targets: new Map([[name('1'), { length: 1, sha256: undefined }]]),
        }),
      TrustError,
      'target_unusable',
    );
  });
});
