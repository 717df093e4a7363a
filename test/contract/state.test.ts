import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TrustRecord } from '../../src/metadata/ports.ts';
import { IMPLEMENTATIONS, KEY, NOW } from './state-implementations.ts';
import { ALPINE, blobOf, bytes, digestOf, manifestOf, pinOf } from './state-samples.ts';

for (const [name, open] of IMPLEMENTATIONS) {
  describe(`${name}: trust records`, () => {
    it('knows nothing at first', async (t) => {
      const state = open(t);
      assert.equal(await state.load(KEY), undefined);
      assert.equal(await state.revision(KEY), 0);
      assert.deepEqual(await state.list(), []);
      assert.equal(await state.newestTimeSeen(), 0);
    });

    for (const [row, record] of records()) {
      it(`gives back exactly what was saved: ${row}`, async (t) => {
        const state = open(t);
        const revision = await state.save(KEY, record, 0);
        assert.deepEqual(comparable(await state.load(KEY)), comparable({ revision, record }));
      });
    }

    it('forgets the files that a newer record does not have', async (t) => {
      const state = open(t);
      const first = await state.save(KEY, recordOf({ targets: new Map([['a', bytes('1')]]) }), 0);
      const next = recordOf({ snapshot: undefined, targets: new Map([['b', bytes('1')]]) });
      const revision = await state.save(KEY, next, first ?? 0);
      assert.deepEqual(comparable(await state.load(KEY)), comparable({ revision, record: next }));
    });

    it('saves only over the revision that the writer has seen', async (t) => {
      const state = open(t);
      assert.equal(await state.save(KEY, recordOf({}), 7), undefined);
      const first = await state.save(KEY, recordOf({}), 0);
      assert.ok(first !== undefined && first > 0);
      assert.equal(await state.save(KEY, recordOf({ root: bytes('evil') }), 0), undefined);
      const second = await state.save(KEY, recordOf({ root: bytes('2') }), first);
      assert.ok(second !== undefined && second > first);
      assert.equal(await state.save(KEY, recordOf({ root: bytes('old') }), first), undefined);
      assert.deepEqual((await state.load(KEY))?.record.root, bytes('2'));
      assert.equal(await state.revision(KEY), second);
    });

    it('is not changed through bytes handed in or given out', async (t) => {
      const state = open(t);
      const record = recordOf({});
      await state.save(KEY, record, 0);
      record.root.fill(0);
      (await state.load(KEY))?.record.anchorRoot.fill(0);
      const { record: stored } = (await state.load(KEY)) ?? assert.fail('nothing stored');
      assert.deepEqual([stored.root, stored.anchorRoot], [bytes('root'), bytes('anchor')]);
    });

    it('keeps collections apart whatever their names', async (t) => {
      const state = open(t);
      const keys = [
        { source: 'a', gun: 'b/c' },
        { source: 'a/b', gun: 'c' },
        { source: '__proto__', gun: 'constructor' },
        { source: 'a', gun: 'b/c ' },
        { source: 'a', gun: "'; DROP TABLE trust_record; --" },
      ];
      for (const [index, key] of keys.entries()) {
        await state.save(key, recordOf({ root: bytes(`${index}`) }), 0);
      }
      for (const [index, key] of keys.entries()) {
        assert.deepEqual((await state.load(key))?.record.root, bytes(`${index}`));
      }
      const listed = (await state.list()).map((key) => JSON.stringify(key));
      assert.deepEqual(new Set(listed), new Set(keys.map((key) => JSON.stringify(key))));
      assert.deepEqual(
        (await state.list()).map((key) => key.source),
        ['__proto__', 'a', 'a', 'a', 'a/b'],
      );
    });

    it('refuses times it could not keep exactly', async (t) => {
      const state = open(t);
      for (const time of [1.5, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
        await assert.rejects(state.save(KEY, recordOf({ checkedAt: time }), 0), RangeError);
        await assert.rejects(state.save(KEY, recordOf({ admittedAt: time }), 0), RangeError);
        await assert.rejects(state.noteTime(time), RangeError);
      }
      assert.equal(await state.load(KEY), undefined);
    });
  });

  describe(`${name}: the newest time seen`, () => {
    it('only goes forward', async (t) => {
      const state = open(t);
      for (const [now, newest] of [
        [NOW, NOW],
        [NOW - 1, NOW],
        [NOW + 5, NOW + 5],
        [0, NOW + 5],
      ] as const) {
        await state.noteTime(now);
        assert.equal(await state.newestTimeSeen(), newest);
      }
    });

    it('is lowered to now on an operator’s word, which is remembered', async (t) => {
      const state = open(t);
      await state.noteTime(NOW + 1_000_000);
      assert.equal(await state.timeResets(), 0);
      assert.equal(await state.resetTime('the clock ran ahead'), NOW + 1_000_000);
      assert.equal(await state.newestTimeSeen(), NOW);
      assert.equal(await state.timeResets(), 1);
      assert.deepEqual((await state.events(1))[0], {
        kind: 'clock-reset',
        collection: undefined,
        reason: 'the clock ran ahead',
        at: NOW,
      });
      await state.noteTime(NOW + 7);
      assert.equal(await state.newestTimeSeen(), NOW + 7);
    });

    it('is never raised by a reset, and nothing is remembered then', async (t) => {
      const state = open(t);
      for (const time of [0, NOW - 5, NOW]) {
        await state.noteTime(time);
        assert.equal(await state.resetTime('for nothing'), undefined);
        assert.equal(await state.newestTimeSeen(), time);
      }
      assert.equal(await state.timeResets(), 0);
      assert.equal((await state.events(10)).length, 1);
    });
  });

  describe(`${name}: resets and events`, () => {
    it('forgets one collection, says why, and keeps what was vouched', async (t) => {
      const state = open(t);
      const other = { source: 'corp', gun: 'docker.io/library/busybox' };
      await state.save(KEY, recordOf({}), 0);
      await state.save(other, recordOf({}), 0);
      await state.recordPin(pinOf('3.20', digestOf('m'), NOW));
      await state.recordClosure(ALPINE, manifestOf('m'), [blobOf('layer')]);
      assert.equal(await state.reset(KEY, 'key ceremony of 12 May'), true);
      assert.equal(await state.revision(KEY), 0);
      assert.equal(await state.load(KEY), undefined);
      assert.deepEqual(await state.list(), [other]);
      assert.equal(await state.wasPinned(ALPINE, digestOf('m')), true);
      assert.deepEqual(
        (await state.vouched(ALPINE, digestOf('layer')))?.descriptor,
        blobOf('layer'),
      );
      assert.deepEqual((await state.events(1))[0], {
        kind: 'reset',
        collection: KEY,
        reason: 'key ceremony of 12 May',
        at: NOW,
      });
    });

    it('has nothing to reset where nothing is stored, and records nothing', async (t) => {
      const state = open(t);
      assert.equal(await state.reset(KEY, 'why not'), false);
      assert.deepEqual(
        (await state.events(10)).map((event) => event.kind),
        ['created'],
      );
    });

    it('does not let a writer from before a reset bring back what was forgotten', async (t) => {
      const state = open(t);
      const before = await state.save(KEY, recordOf({ root: bytes('forgotten') }), 0);
      await state.reset(KEY, 'compromised');
      await state.save(KEY, recordOf({ root: bytes('new') }), 0);
      assert.equal(await state.save(KEY, recordOf({}), before ?? 0), undefined);
      assert.deepEqual((await state.load(KEY))?.record.root, bytes('new'));
    });

    it('records each admission on first use once, and anchors never', async (t) => {
      const state = open(t);
      const tofu = recordOf({ admission: 'first-use', admittedAt: 5 });
      const first = await state.save(KEY, tofu, 0);
      await state.save(KEY, { ...tofu, checkedAt: 99 }, first ?? 0);
      await state.save({ ...KEY, source: 'other' }, recordOf({}), 0);
      await state.reset(KEY, 'again');
      await state.save(KEY, { ...tofu, admittedAt: 6 }, 0);
      const events = await state.events(10);
      assert.deepEqual(
        events.map(({ kind, at }) => [kind, at]),
        [
          ['first-use', 6],
          ['reset', NOW],
          ['first-use', 5],
          ['created', NOW],
        ],
      );
      assert.deepEqual(await state.events(2), events.slice(0, 2));
      assert.deepEqual(events[0]?.collection, KEY);
      assert.equal(events[3]?.collection, undefined);
    });
  });

  describe(`${name}: time and secrets`, () => {
    it('remembers the newest time it was told and never an older one', async (t) => {
      const state = open(t);
      for (const time of [5, NOW, 7, NOW - 1]) await state.noteTime(time);
      assert.equal(await state.newestTimeSeen(), NOW);
    });

    it('makes a secret once for each name', async (t) => {
      const state = open(t);
      const decoy = await state.secret('decoy');
      assert.equal(decoy.length, 32);
      const kept = Uint8Array.from(decoy);
      decoy.fill(0);
      assert.deepEqual(await state.secret('decoy'), kept);
      assert.notDeepEqual(await state.secret('constructor'), kept);
    });
  });
}

function records(): readonly (readonly [string, TrustRecord])[] {
  return [
    ['all files', recordOf({})],
    ['a root alone', recordOf({ timestamp: undefined, snapshot: undefined, targets: new Map() })],
    ['first use', recordOf({ admission: 'first-use' })],
    ['empty files', recordOf({ timestamp: new Uint8Array(), root: new Uint8Array() })],
    ['a view into a larger buffer', recordOf({ root: Buffer.from('xrootx').subarray(1, 5) })],
    ['a large file', recordOf({ targets: new Map([['targets', new Uint8Array(3_000_000)]]) })],
    [
      'roles with awkward names',
      recordOf({
        targets: new Map(
          ['__proto__', 'targets/\ud800', 'targets/\udfff', 'a\u0000b', '', 'root', 'ä"\\'].map(
            (role) => [role, bytes(`content of ${role.length}`)],
          ),
        ),
      }),
    ],
  ];
}

function recordOf(changes: Partial<TrustRecord>): TrustRecord {
  return {
    anchorRoot: bytes('anchor'),
    admission: 'anchor',
    admittedAt: NOW - 1000,
    root: bytes('root'),
    timestamp: bytes('timestamp'),
    snapshot: bytes('snapshot'),
    targets: new Map([
      ['targets', bytes('targets')],
      ['targets/releases', bytes('releases')],
    ]),
    checkedAt: NOW,
    ...changes,
  };
}

/** A record as a value that `deepEqual` compares by content: bytes as hex, roles in any order. */
function comparable(
  stored: { readonly revision: number | undefined; readonly record: TrustRecord } | undefined,
): unknown {
  if (stored === undefined) return undefined;
  const hex = (content: Uint8Array | undefined) => content && Buffer.from(content).toString('hex');
  const { anchorRoot, root, timestamp, snapshot, targets, ...rest } = stored.record;
  const files = [anchorRoot, root, timestamp, snapshot].map(hex);
  const roles = new Map([...targets].map(([role, content]) => [role, hex(content)]));
  return { ...rest, revision: stored.revision, files, roles };
}
