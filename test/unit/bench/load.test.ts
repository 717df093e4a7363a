import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { coresOf } from '../../bench/cores.ts';
import { type Raw, troubleOf } from '../../bench/load.ts';

const FINE: Raw = {
  requests: 100,
  bytes: 120_000,
  micros: 1_000_000,
  p50: 10,
  p99: 20,
  connect: 0,
  read: 0,
  write: 0,
  status: 0,
  timeout: 0,
};

describe('a run of the load generator counts', () => {
  const cases: readonly (readonly [string, Partial<Raw>, string | undefined])[] = [
    ['when every request was answered', {}, undefined],
    ['not when nothing was answered', { requests: 0, bytes: 0 }, 'answered nothing'],
    ['not with another status', { status: 3 }, 'of 100 requests failed 3 by status'],
    [
      'not with a cut connection',
      { read: 1, timeout: 2 },
      'of 100 requests failed 1 by read, 2 by timeout',
    ],
    ['not with short answers', { bytes: 99_999 }, 'answered 100 times with less than 1000 bytes'],
  ];
  for (const [name, change, trouble] of cases) {
    it(name, () =>
      assert.equal(troubleOf({ ...FINE, ...change }, { answerBytes: 1_000 }), trouble),
    );
  }
});

describe('server and load have a core each', () => {
  it('of those that this process may use', () => {
    assert.deepEqual(coresOf('linux', '0-7', true), { kind: 'pinned', server: 0, load: 1 });
    assert.deepEqual(coresOf('linux', '3,6-7', true), { kind: 'pinned', server: 3, load: 6 });
  });

  const cases: readonly (readonly [string, Parameters<typeof coresOf>, RegExp])[] = [
    ['one core', ['linux', '2', true], /one core only/],
    ['no taskset', ['linux', '0-1', false], /util-linux/],
    ['another system', ['darwin', '', true], /darwin/],
  ];
  for (const [name, given, why] of cases) {
    it(`but not with ${name}, and says why`, () => {
      const cores = coresOf(...given);
      assert.match(cores.kind === 'shared' ? cores.why : '', why);
    });
  }
});
