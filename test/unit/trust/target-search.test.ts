import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { TrustError } from '../../../src/trust/errors.ts';
import type { Search } from '../../../src/trust/search.ts';
import { findTarget } from '../../../src/trust/target-search.ts';
import { throwsWithCode } from '../../support/reject-with-code.ts';
import { type Roles, run, target } from './target-search-roles.ts';

const ORDER: readonly {
  readonly name: string;
  readonly roles: Roles;
  /** The role that `x` is taken from. */
  readonly from: string | undefined;
  readonly asked: readonly string[];
}[] = [
  {
    name: 'targets itself',
    roles: { targets: { has: ['x'], to: [['a', '*']] } },
    from: 'targets',
    asked: ['targets'],
  },
  {
    name: 'the first of two delegations',
    roles: {
      targets: {
        to: [
          ['a', '*'],
          ['b', '*'],
        ],
      },
      a: { has: ['x'] },
      b: { has: ['x'] },
    },
    from: 'a',
    asked: ['targets', 'a'],
  },
  {
    name: 'the depths of the first before the second',
    roles: {
      targets: {
        to: [
          ['a', '*'],
          ['b', '*'],
        ],
      },
      a: {
        to: [
          ['c', '*'],
          ['d', '*'],
        ],
      },
      b: { has: ['x'] },
      c: {},
      d: { has: ['x'] },
    },
    from: 'd',
    asked: ['targets', 'a', 'c', 'd'],
  },
  {
    name: 'not a delegation that does not cover the name',
    roles: {
      targets: {
        to: [
          ['a', 'y*'],
          ['b', '*'],
        ],
      },
      a: { has: ['x'] },
      b: { has: ['x'] },
    },
    from: 'b',
    asked: ['targets', 'b'],
  },
  {
    name: 'not beyond a terminating delegation that covers it',
    roles: {
      targets: {
        to: [
          ['!a', '*'],
          ['b', '*'],
        ],
      },
      a: {},
      b: { has: ['x'] },
    },
    from: undefined,
    asked: ['targets', 'a'],
  },
  {
    name: 'beyond a terminating delegation that does not cover it',
    roles: {
      targets: {
        to: [
          ['!a', 'y'],
          ['b', '*'],
        ],
      },
      a: {},
      b: { has: ['x'] },
    },
    from: 'b',
    asked: ['targets', 'b'],
  },
  {
    name: 'below a terminating delegation, and not beside it further up',
    roles: {
      targets: {
        to: [
          ['a', '*'],
          ['b', '*'],
        ],
      },
      a: {
        to: [
          ['!c', '*'],
          ['d', '*'],
        ],
      },
      b: { has: ['x'] },
      c: { to: [['e', '*']] },
      d: { has: ['x'] },
      e: {},
    },
    from: undefined,
    asked: ['targets', 'a', 'c', 'e'],
  },
  {
    name: 'not in circles',
    roles: {
      targets: { to: [['a', '*']] },
      a: {
        to: [
          ['b', '*'],
          ['targets', '*'],
        ],
      },
      b: {
        to: [
          ['a', '*'],
          ['c', '*'],
        ],
      },
      c: {},
    },
    from: undefined,
    asked: ['targets', 'a', 'b', 'c'],
  },
  {
    name: 'once in a diamond',
    roles: {
      targets: {
        to: [
          ['a', '*'],
          ['b', '*'],
        ],
      },
      a: { to: [['c', '*']] },
      b: { to: [['c', '*']] },
      c: {},
    },
    from: undefined,
    asked: ['targets', 'a', 'c', 'b'],
  },
  {
    name: 'by the first of several patterns that covers it, a role that published nothing passed over',
    roles: {
      targets: {
        to: [
          ['a', '*'],
          ['b', 'y x'],
        ],
      },
      b: { has: ['x'] },
    },
    from: 'b',
    asked: ['targets', 'a', 'b'],
  },
  {
    name: 'by the hash of the name',
    roles: {
      targets: {
        to: [
          ['a', '#0'],
          ['b', `#${createHash('sha256').update('x').digest('hex').slice(0, 3)}`],
        ],
      },
      a: { has: ['x'] },
      b: { has: ['x'] },
    },
    from: 'b',
    asked: ['targets', 'b'],
  },
];

describe('the search for a target asks', () => {
  for (const { name, roles, from, asked } of ORDER) {
    test(name, () => {
      const seen: string[] = [];
      const search = findTarget('x');
      const traced = (function* (): Search<string | undefined> {
        try {
          return (yield* search).role;
        } catch (error) {
          assert.ok(error instanceof TrustError && error.code === 'tag_not_signed');
          return undefined;
        }
      })();
      const { result, asked: roleNames } = run(traced, roles);
      seen.push(...roleNames);
      assert.equal(result, from);
      assert.deepEqual(seen, asked);
    });
  }
});

describe('the search for a target', () => {
  const wide = (count: number): Roles => ({
    targets: { to: Array.from({ length: count }, (_, index) => [`r${index}`, '*'] as const) },
  });
  const deep = (count: number): Roles =>
    Object.fromEntries(
      Array.from({ length: count }, (_, index) => [
        index === 0 ? 'targets' : `r${index}`,
        { to: [[`r${index + 1}`, '*']] as const },
      ]),
    );

  test('gives up past 256 roles, in width and in depth', () => {
    for (const roles of [wide(300), deep(300)]) {
      throwsWithCode(() => run(findTarget('x'), roles), TrustError, 'malformed');
    }
    for (const roles of [wide(255), deep(255)]) {
      throwsWithCode(() => run(findTarget('x'), roles), TrustError, 'tag_not_signed');
    }
  });

  test('ends for any graph, with each role at most once and the first in pre-order', () => {
    const names = ['targets', 'a', 'b', 'c', 'd'] as const;
    const role = fc.record({
      has: fc.subarray(['x', 'y']),
      to: fc.array(
        fc.tuple(
          fc.constantFrom('a', 'b', 'c', 'd', '!a', '!b', '!c'),
          fc.constantFrom('*', 'x', 'y', 'z*'),
        ),
        { maxLength: 4 },
      ),
    });
    fc.assert(
      fc.property(fc.tuple(role, role, role, role, role), (drawn) => {
        const roles: Roles = Object.fromEntries(
          names.map((name, index) => [name, drawn[index] ?? {}]),
        );
        const expected = preOrder(roles);
        const asked: string[] = [];
        try {
          const { result, asked: all } = run(findTarget('x'), roles);
          asked.push(...all);
          assert.equal(result.role, expected.at(-1));
          assert.deepEqual(result.target, target(`${result.role} x`));
        } catch (error) {
          assert.ok(error instanceof TrustError && error.code === 'tag_not_signed');
          assert.equal(
            expected.some((name) => roles[name]?.has?.includes('x')),
            false,
          );
          return;
        }
        assert.deepEqual(asked, expected);
      }),
    );
  });
});

type Outcome = 'found' | 'stop' | 'on';

/** The roles to ask for `x`, by the recursive definition. @source TUF 1.0.34 §5.6.7 (#fetch-target) */
function preOrder(roles: Roles): readonly string[] {
  const visited: string[] = [];
  const visitAll = (to: readonly (readonly [string, string])[]): Outcome => {
    for (const [written] of to.filter(([, scope]) => scope === '*' || scope === 'x')) {
      const outcome = visit(written.replace('!', ''));
      if (outcome !== 'on') return outcome;
      if (written.startsWith('!')) return 'stop';
    }
    return 'on';
  };
  const visit = (name: string): Outcome => {
    if (visited.includes(name)) return 'on';
    visited.push(name);
    const { has = [], to = [] } = roles[name] ?? {};
    return has.includes('x') ? 'found' : visitAll(to);
  };
  visit('targets');
  return visited;
}
