import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Caller } from '../../../src/base/caller.ts';
import { CallerList, parseCallerPattern } from '../../../src/policy/callers.ts';

function caller(source: string, name: string, ...groups: readonly string[]): Caller {
  return { source, name, groups: new Set(groups) };
}

const ALICE = caller('staff', 'alice', 'ops', 'web');

const ROWS: readonly (readonly [string, readonly string[], Caller | undefined, boolean])[] = [
  ['a name', ['staff/alice'], ALICE, true],
  ['another name', ['staff/bob'], ALICE, false],
  ['the same name elsewhere', ['nodes/alice'], ALICE, false],
  ['everybody of a source', ['staff/*'], ALICE, true],
  ['everybody of another source', ['nodes/*'], ALICE, false],
  ['a group', ['staff/@web'], ALICE, true],
  ['one of two groups', ['staff/@db', 'staff/@ops'], ALICE, true],
  ['a group that is called so elsewhere', ['nodes/@ops'], ALICE, false],
  ['a group by the name of a caller', ['staff/@alice'], ALICE, false],
  ['a caller by the name of a group', ['staff/ops'], ALICE, false],
  ['nobody known', ['staff/*', 'staff/alice'], undefined, false],
  ['an empty list', [], ALICE, false],
  ['words that are no pattern', ['alice', 'staff/', '/alice', 'staff/@', '*/*'], ALICE, false],
];

describe('a list of callers', () => {
  for (const [name, patterns, asking, isIncluded] of ROWS) {
    it(`with ${name}: ${isIncluded ? 'yes' : 'no'}`, () => {
      assert.equal(new CallerList(patterns).includes(asking), isIncluded);
    });
  }
});

describe('a pattern for callers', () => {
  it('is read into its kind', () => {
    assert.deepEqual(parseCallerPattern('staff/alice'), {
      ...{ kind: 'caller', source: 'staff', name: 'alice' },
    });
    assert.deepEqual(parseCallerPattern('staff/@ops'), {
      ...{ kind: 'group', source: 'staff', name: 'ops' },
    });
    assert.deepEqual(parseCallerPattern('staff/*'), { kind: 'everyone', source: 'staff' });
  });

  for (const text of ['', 'staff', 'staff/', '/alice', 'staff/@', 'sta ff/alice', 'staff/a\nb']) {
    it(`is none: ${JSON.stringify(text)}`, () => {
      assert.equal(parseCallerPattern(text), undefined);
    });
  }
});
