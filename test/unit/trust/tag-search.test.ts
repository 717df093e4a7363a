import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TrustReason } from '../../../src/base/reason-code.ts';
import { TrustError } from '../../../src/trust/errors.ts';
import type { Delegation, TargetsBody } from '../../../src/trust/model.ts';
import type { RoleRequest, Search } from '../../../src/trust/search.ts';
import { findTag, listTags } from '../../../src/trust/tag-search.ts';
import { throwsWithCode } from '../../support/reject-with-code.ts';

const [A, B, C] = ['aa'.repeat(32), 'bb'.repeat(32), 'cc'.repeat(32)];
const RELEASES = 'targets/releases';

type Tags = Readonly<Record<string, string | undefined>>;
/** Delegations as name and paths. */
type Children = readonly (readonly [string, readonly string[]])[];
type Tree = ReadonlyMap<string, TargetsBody>;

function body(tags: Tags, children: Children = []): TargetsBody {
  const delegations = children.map(([name, paths]): Delegation => {
    return { name, paths, authority: { role: name, keys: new Map(), threshold: 1 } };
  });
  const targets = new Map(
    Object.entries(tags).map(([tag, sha256]) => [tag, { sha256, length: 9 }]),
  );
  return { version: 1, expiresAt: 0, targets, delegations };
}

function tree(roles: Readonly<Record<string, TargetsBody>>): Tree {
  return new Map(Object.entries(roles));
}

function run<Result>(search: Search<Result>, roles: Tree, asked: RoleRequest[] = []): Result {
  let step = search.next();
  while (step.done !== true) {
    asked.push(step.value);
    step = search.next(roles.get(step.value.role));
  }
  return step.value;
}

function find(roles: Tree, tag = 'v1', signers: readonly string[] = []): string {
  const { sha256, role, length } = run(findTag(tag, signers), roles);
  assert.equal(length, 9);
  return `${sha256.slice(0, 2)} from ${role}`;
}

function refuses(roles: Tree, code: TrustReason, signers: readonly string[] = []): TrustError {
  const error = throwsWithCode(() => find(roles, 'v1', signers), TrustError, code);
  assert.equal(error.detail['tag'] ?? 'v1', 'v1');
  return error;
}

const all = [''] as const;

describe('what a tag means', () => {
  const rows: readonly (readonly [string, Tree, string])[] = [
    ['targets alone', tree({ targets: body({ v1: A }) }), 'aa from targets'],
    [
      'releases wins over targets',
      tree({ targets: body({ v1: A }, [[RELEASES, all]]), [RELEASES]: body({ v1: B }) }),
      'bb from targets/releases',
    ],
    [
      'releases without the tag leaves it to targets',
      tree({ targets: body({ v1: A }, [[RELEASES, all]]), [RELEASES]: body({ v2: B }) }),
      'aa from targets',
    ],
    [
      'releases that has published nothing leaves it to targets',
      tree({ targets: body({ v1: A }, [[RELEASES, all]]) }),
      'aa from targets',
    ],
    [
      'releases whose paths do not cover the tag leaves it to targets',
      tree({ targets: body({ v1: A }, [[RELEASES, ['w']]]), [RELEASES]: body({ v1: B }) }),
      'aa from targets',
    ],
    [
      'releases without paths covers nothing',
      tree({ targets: body({ v1: A }, [[RELEASES, []]]), [RELEASES]: body({ v1: B }) }),
      'aa from targets',
    ],
    [
      'releases with a prefix that fits',
      tree({ targets: body({ v1: A }, [[RELEASES, ['w', 'v']]]), [RELEASES]: body({ v1: B }) }),
      'bb from targets/releases',
    ],
    [
      'releases that is not delegated does not count',
      tree({ targets: body({ v1: A }), [RELEASES]: body({ v1: B }) }),
      'aa from targets',
    ],
    [
      'other delegations do not count when targets has the tag',
      tree({ targets: body({ v1: A }, [['targets/x', all]]), 'targets/x': body({ v1: B }) }),
      'aa from targets',
    ],
    [
      'a child of releases beside the tag does not count',
      tree({
        targets: body({ v1: A }, [[RELEASES, all]]),
        [RELEASES]: body({}, [['targets/releases/eu', ['w']]]),
        'targets/releases/eu': body({ v1: B }),
      }),
      'aa from targets',
    ],
    [
      'a child of releases is not looked at when releases has the tag',
      tree({
        targets: body({}, [[RELEASES, all]]),
        [RELEASES]: body({ v1: A }, [['targets/releases/eu', all]]),
        'targets/releases/eu': body({ v1: B }),
      }),
      'aa from targets/releases',
    ],
    [
      'a child of releases whose own paths are not within those of releases',
      tree({
        targets: body({ v1: A }, [[RELEASES, ['v1']]]),
        [RELEASES]: body({}, [['targets/releases/eu', ['v', '']]]),
        'targets/releases/eu': body({ v1: B }),
      }),
      'aa from targets',
    ],
  ];
  for (const [row, roles, expected] of rows) {
    it(row, () => {
      assert.equal(find(roles), expected);
    });
  }

  it('does not depend on names that objects have of their own', () => {
    const roles = tree({ targets: body({ v1: A }) });
    for (const tag of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      throwsWithCode(() => find(roles, tag), TrustError, 'tag_not_signed');
    }
    const named = new Map([['__proto__', { sha256: B, length: 9 }]]);
    const odd = new Map([['targets', { ...body({}), targets: named }]]);
    assert.equal(find(odd, '__proto__'), 'bb from targets');
  });
});

describe('tags that are refused', () => {
  const shadowed = tree({
    targets: body({ v1: A }, [[RELEASES, all]]),
    [RELEASES]: body({}, [['targets/releases/eu', all]]),
    'targets/releases/eu': body({}, [['targets/releases/eu/x', all]]),
    'targets/releases/eu/x': body({ v1: B }),
  });
  const elsewhere = tree({
    targets: body({}, [
      ['targets/a', all],
      ['targets/b', all],
      [RELEASES, all],
    ]),
    'targets/a': body({}, [['targets/a/deep', all]]),
    'targets/b': body({ v1: B }),
    'targets/a/deep': body({ v1: C }),
    [RELEASES]: body({}),
  });
  const rows: readonly (readonly [string, Tree, TrustReason, string | undefined])[] = [
    ['nowhere', tree({ targets: body({ v2: A }) }), 'tag_not_signed', undefined],
    ['no targets at all', tree({}), 'tag_not_signed', undefined],
    ['only below releases', shadowed, 'tag_not_released', 'targets/releases/eu/x'],
    ['only in others, breadth first', elsewhere, 'tag_not_released', 'targets/b'],
    [
      'only in a role whose paths do not cover it',
      tree({ targets: body({}, [['targets/a', ['w']]]), 'targets/a': body({ v1: A }) }),
      'tag_not_signed',
      undefined,
    ],
    [
      'only below a role whose paths do not cover it',
      tree({
        targets: body({}, [['targets/a', ['w']]]),
        'targets/a': body({}, [['targets/a/b', all]]),
        'targets/a/b': body({ v1: A }),
      }),
      'tag_not_signed',
      undefined,
    ],
    [
      'only in a child with paths wider than its parent',
      tree({
        targets: body({}, [['targets/a', ['v1']]]),
        'targets/a': body({}, [['targets/a/b', ['v']]]),
        'targets/a/b': body({ v1: A }),
      }),
      'tag_not_signed',
      undefined,
    ],
    [
      'without a digest in targets',
      tree({ targets: body({ v1: undefined }) }),
      'target_unusable',
      'targets',
    ],
    [
      'without a digest in releases, though targets has one',
      tree({ targets: body({ v1: A }, [[RELEASES, all]]), [RELEASES]: body({ v1: undefined }) }),
      'target_unusable',
      RELEASES,
    ],
  ];
  for (const [row, roles, code, role] of rows) {
    it(`${row}: ${code}`, () => {
      assert.equal(refuses(roles, code).detail['role'], role);
    });
  }

  it('releases is not searched a second time among the others', () => {
    const roles = tree({ targets: body({}, [[RELEASES, ['w']]]), [RELEASES]: body({ v1: A }) });
    const asked: RoleRequest[] = [];
    assert.throws(() => run(findTag('v1', []), roles, asked));
    assert.deepEqual(
      asked.map(({ role }) => role),
      ['targets', RELEASES],
    );
  });
});

describe('what a search needs', () => {
  it('is targets, releases and what is below it; the others only for the wording', () => {
    const roles = tree({
      targets: body({}, [
        [RELEASES, all],
        ['targets/a', all],
      ]),
      [RELEASES]: body({}, [['targets/releases/eu', all]]),
      'targets/releases/eu': body({}),
      'targets/a': body({}, [['targets/a/b', all]]),
    });
    const asked: RoleRequest[] = [];
    assert.throws(() => run(findTag('v1', []), roles, asked));
    assert.deepEqual(asked, [
      { role: 'targets', delegator: '', isNeeded: true },
      { role: RELEASES, delegator: 'targets', isNeeded: true },
      { role: 'targets/releases/eu', delegator: RELEASES, isNeeded: true },
      { role: 'targets/a', delegator: 'targets', isNeeded: false },
      { role: 'targets/a/b', delegator: 'targets/a', isNeeded: false },
    ]);
  });

  it('is bounded: 256 roles may cover a tag, not one more', () => {
    const wide = (count: number, last: Tags): Tree => {
      const names = Array.from({ length: count }, (_, index) => `targets/d${index}`);
      const children = names.map((name) => [name, all] as const);
      return new Map([
        ['targets', body({}, children)],
        ...names.map((name) => [name, body({})] as const),
        [`targets/d${count - 1}`, body(last)],
      ]);
    };
    const error = refuses(wide(256, { v1: A }), 'tag_not_released');
    assert.equal(error.detail['role'], 'targets/d255');
    assert.equal(refuses(wide(257, { v1: A }), 'malformed').detail['role'], 'targets/d256');
    refuses(wide(256, {}), 'tag_not_signed');
  });
});

describe('required signers', () => {
  const signed = (alice: TargetsBody | undefined, paths: readonly string[] = all): Tree => {
    const roles = tree({
      targets: body({}, [
        [RELEASES, all],
        ['targets/alice', paths],
        ['targets/bob', all],
      ]),
      [RELEASES]: body({ v1: A }),
      'targets/bob': body({ v1: A }),
    });
    return alice === undefined ? roles : new Map([...roles, ['targets/alice', alice]]);
  };

  it('must all have signed the digest that is published', () => {
    const roles = signed(body({ v1: A }));
    assert.equal(find(roles, 'v1', ['alice', 'bob']), 'aa from targets/releases');
    assert.equal(find(roles, 'v1', ['bob']), 'aa from targets/releases');
  });

  for (const [row, roles, code] of [
    ['published nothing', signed(undefined), 'required_signer_missing'],
    ['signed other tags only', signed(body({ v2: A })), 'required_signer_missing'],
    ['paths that do not cover the tag', signed(body({ v1: A }), ['w']), 'required_signer_missing'],
    ['no paths', signed(body({ v1: A }), []), 'required_signer_missing'],
    ['another digest', signed(body({ v1: B })), 'signer_conflict'],
    ['an unusable digest', signed(body({ v1: undefined })), 'signer_conflict'],
  ] as const) {
    it(`${row}: ${code}`, () => {
      for (const signers of [['alice'], ['bob', 'alice'], ['alice', 'bob']]) {
        const error = refuses(roles, code, signers);
        assert.deepEqual(error.detail, { tag: 'v1', role: 'targets/alice', signer: 'alice' });
      }
    });
  }

  it('who were never added are missing, whatever the server has in their name', () => {
    const roles = new Map([...signed(body({ v1: A })), ['targets/carol', body({ v1: A })]]);
    refuses(roles, 'required_signer_missing', ['carol']);
    refuses(roles, 'required_signer_missing', ['__proto__']);
  });

  it('do not make up for a tag that is not published', () => {
    const roles = tree({
      targets: body({}, [['targets/alice', all]]),
      'targets/alice': body({ v1: A }),
    });
    refuses(roles, 'tag_not_released', ['alice']);
  });
});

describe('listing tags', () => {
  const roles = tree({
    targets: body({ t1: A, both: A, broken: undefined }, [
      [RELEASES, ['r', 'both']],
      ['targets/alice', all],
    ]),
    [RELEASES]: body({ r1: B, both: B, x1: B }),
    'targets/alice': body({ t1: A, both: A, only: C }),
  });

  it('gives those that would be found', () => {
    assert.deepEqual(run(listTags([]), roles), ['t1', 'both', 'r1']);
  });

  it('gives those that all required signers agree on', () => {
    assert.deepEqual(run(listTags(['alice']), roles), ['t1']);
    assert.deepEqual(run(listTags(['nobody']), roles), []);
  });

  it('leaves out what a child of releases hides', () => {
    const hidden = tree({
      targets: body({ v1: A }, [[RELEASES, all]]),
      [RELEASES]: body({}, [['targets/releases/eu', all]]),
      'targets/releases/eu': body({ v1: B }),
    });
    assert.deepEqual(run(listTags([]), hidden), []);
  });

  it('does not ask for releases unless it is delegated', () => {
    const asked: RoleRequest[] = [];
    run(listTags([]), tree({ targets: body({}) }), asked);
    assert.deepEqual(asked, [{ role: 'targets', delegator: '', isNeeded: true }]);
  });

  it('gives nothing of nothing', () => {
    assert.deepEqual(run(listTags([]), tree({})), []);
    assert.deepEqual(run(listTags([]), tree({ targets: body({}, [[RELEASES, all]]) })), []);
  });

  it('fails as a whole when a role that is needed cannot be had', () => {
    const search = listTags([]);
    search.next();
    const failure = new TrustError('bad_signature', 'injected');
    assert.equal(search.next(roles.get('targets')).done, false);
    assert.throws(
      () => search.throw(failure),
      (error) => error === failure,
    );
    for (const thrown of [failure, new RangeError('defect')]) {
      const each = listTags([]);
      each.next();
      each.next(roles.get('targets'));
      each.next(roles.get(RELEASES));
      assert.throws(
        () => each.throw(thrown),
        (error) => error === thrown,
      );
    }
  });
});
