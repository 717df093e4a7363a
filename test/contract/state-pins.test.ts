import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { MAX_REFERRED } from '../../src/store/durable-state.ts';
import { IMPLEMENTATIONS, NOW } from './state-implementations.ts';
import { ALPINE, blobOf, digestOf, manifestOf, pinOf, repository } from './state-samples.ts';

for (const [name, open] of IMPLEMENTATIONS) {
  describe(`${name}: pins`, () => {
    it('keeps the first and the last verification of each pin', async (t) => {
      const state = open(t);
      const digest = digestOf('m');
      await state.recordPin({ ...pinOf('3.20', digest, NOW), verifiedAt: NOW });
      await state.recordPin({
        ...pinOf('3.20', digest, NOW),
        verifiedAt: NOW + 10,
        role: 'targets',
      });
      await state.recordPin({ ...pinOf('3.20', digest, NOW), verifiedAt: NOW - 10, length: 1 });
      await state.recordPin({ ...pinOf('latest', digest, NOW), verifiedAt: NOW + 5 });
      assert.deepEqual(await state.pins(ALPINE), [
        {
          ...pinOf('3.20', digest, NOW),
          role: 'targets',
          firstVerifiedAt: NOW - 10,
          verifiedAt: NOW + 10,
        },
        { ...pinOf('latest', digest, NOW), firstVerifiedAt: NOW + 5, verifiedAt: NOW + 5 },
      ]);
    });

    it('remembers every meaning a tag ever had, in its own repository only', async (t) => {
      const state = open(t);
      await state.recordPin(pinOf('latest', digestOf('old'), NOW));
      await state.recordPin(pinOf('latest', digestOf('new'), NOW));
      for (const content of ['old', 'new']) {
        assert.equal(await state.wasPinned(ALPINE, digestOf(content)), true);
      }
      assert.equal(await state.wasPinned(ALPINE, digestOf('other')), false);
      for (const stranger of [
        repository('docker.io', 'library/busybox'),
        repository('quay.io', 'library/alpine'),
      ]) {
        assert.equal(await state.wasPinned(stranger, digestOf('old')), false);
        assert.deepEqual(await state.pins(stranger), []);
      }
    });

    it('refuses lengths and times it could not keep exactly', async (t) => {
      const state = open(t);
      const pin = pinOf('latest', digestOf('m'), NOW);
      await assert.rejects(state.recordPin({ ...pin, length: 0.5 }), RangeError);
      await assert.rejects(state.recordPin({ ...pin, verifiedAt: -1 }), RangeError);
      assert.deepEqual(await state.pins(ALPINE), []);
    });
  });

  describe(`${name}: vouched content`, () => {
    it('knows which manifests name a part, in their repository only', async (t) => {
      const state = open(t);
      const [index, one, two] = [manifestOf('index'), manifestOf('one'), manifestOf('two')];
      const shared = blobOf('shared');
      await state.recordClosure(ALPINE, index, [one, two]);
      await state.recordClosure(ALPINE, one, [shared, shared]);
      await state.recordClosure(ALPINE, two, [shared]);
      await state.recordClosure(ALPINE, two, [shared]);
      const parents = async (digest: Descriptor['digest']): Promise<readonly string[]> =>
        (await state.parents(ALPINE, digest)).toSorted();
      assert.deepEqual(await parents(shared.digest), [one.digest, two.digest].toSorted());
      assert.deepEqual(await parents(one.digest), [index.digest]);
      assert.deepEqual(await parents(index.digest), []);
      const stranger = repository('quay.io', 'library/alpine');
      assert.deepEqual(await state.parents(stranger, one.digest), []);
    });

    it('knows the tags that were verified to mean a digest, and when', async (t) => {
      const state = open(t);
      await state.recordPin(pinOf('1', digestOf('m'), NOW));
      await state.recordPin(pinOf('2', digestOf('m'), NOW + 5));
      await state.recordPin(pinOf('2', digestOf('n'), NOW + 9));
      const pins = await state.pinsOf(ALPINE, digestOf('m'));
      const seen = pins.map(({ tag, verifiedAt }) => [tag, verifiedAt]);
      assert.deepEqual(seen.toSorted(), [
        ['1', NOW],
        ['2', NOW + 5],
      ]);
      assert.deepEqual(await state.pinsOf(ALPINE, digestOf('other')), []);
    });

    it('vouches for a manifest and its parts, in their repository only', async (t) => {
      const state = open(t);
      const parts = [{ ...manifestOf('amd64'), size: 11 }, blobOf('config'), blobOf('layer')];
      await state.recordClosure(ALPINE, manifestOf('index'), parts);
      await state.recordClosure(ALPINE, manifestOf('index'), parts);
      for (const descriptor of [manifestOf('index'), ...parts]) {
        assert.deepEqual(await state.vouched(ALPINE, descriptor.digest), { descriptor });
      }
      assert.equal(await state.vouched(ALPINE, digestOf('stranger')), undefined);
      const other = repository('docker.io', 'library/busybox');
      assert.equal(await state.vouched(other, digestOf('layer')), undefined);
    });

    it('does not vouch for a pin whose manifest was never seen', async (t) => {
      const state = open(t);
      await state.recordPin(pinOf('3.20', digestOf('m'), NOW));
      assert.equal(await state.vouched(ALPINE, digestOf('m')), undefined);
    });

    for (const [row, steps, expected] of disagreements()) {
      it(`settles disagreement: ${row}`, async (t) => {
        const state = open(t);
        for (const [manifest, parts] of steps) await state.recordClosure(ALPINE, manifest, parts);
        const vouched = await state.vouched(ALPINE, expected.digest);
        assert.deepEqual(vouched?.descriptor, expected);
      });
    }

    it('lists every manifest it vouched for, and only manifests, in order', async (t) => {
      const state = open(t);
      const other = repository('docker.io', 'library/busybox');
      const children = Array.from({ length: 1_100 }, (_, index) => manifestOf(`child ${index}`));
      await state.recordClosure(other, manifestOf('only'), [blobOf('config')]);
      await state.recordClosure(ALPINE, manifestOf('index'), [...children, blobOf('layer')]);
      await state.recordPin(pinOf('3.20', digestOf('never seen'), NOW));
      const all = await Readable.from(state.recordedManifests()).toArray();
      const expected = [manifestOf('index'), ...children].map(({ digest }) => digest).toSorted();
      assert.deepEqual(all, [
        ...expected.map((digest) => ({ repository: 'docker.io/library/alpine', digest })),
        { repository: 'docker.io/library/busybox', digest: digestOf('only') },
      ]);
      const wanted = new Set([digestOf('only'), digestOf('index'), digestOf('layer'), 'nonsense']);
      const some = await Readable.from(state.recordedManifests(wanted)).toArray();
      assert.deepEqual(some, [
        { repository: 'docker.io/library/alpine', digest: digestOf('index') },
        { repository: 'docker.io/library/busybox', digest: digestOf('only') },
      ]);
    });

    it('stores all of a closure or nothing', async (t) => {
      const state = open(t);
      const parts = [blobOf('fine'), { ...blobOf('bad'), size: 1.5 }];
      await assert.rejects(state.recordClosure(ALPINE, manifestOf('m'), parts), RangeError);
      assert.equal(await state.vouched(ALPINE, digestOf('m')), undefined);
      assert.equal(await state.vouched(ALPINE, digestOf('fine')), undefined);
    });
  });

  describe(`${name}: referrers`, () => {
    const signature = manifestOf('signature');
    const parts = [blobOf('payload'), blobOf('settings')];

    it('are remembered with their parts, in their repository only, and are never vouched for', async (t) => {
      const state = open(t);
      assert.equal(await state.recordReferrer(ALPINE, signature, parts), true);
      assert.equal(await state.recordReferrer(ALPINE, signature, parts), true);
      for (const descriptor of [signature, ...parts]) {
        assert.deepEqual(await state.referred(ALPINE, descriptor.digest), { descriptor });
        assert.equal(await state.vouched(ALPINE, descriptor.digest), undefined);
        const other = repository('docker.io', 'library/busybox');
        assert.equal(await state.referred(other, descriptor.digest), undefined);
      }
    });

    for (const isFirst of [true, false]) {
      it(`never take the place of what is vouched for, be they ${isFirst ? 'first' : 'last'}`, async (t) => {
        const state = open(t);
        const wrong = { ...blobOf('payload'), size: 999 };
        if (isFirst) await state.recordReferrer(ALPINE, signature, [wrong]);
        await state.recordClosure(ALPINE, manifestOf('image'), [blobOf('payload')]);
        await state.recordClosure(ALPINE, signature, []);
        if (!isFirst) await state.recordReferrer(ALPINE, signature, [wrong]);
        for (const descriptor of [signature, blobOf('payload')]) {
          assert.deepEqual(await state.vouched(ALPINE, descriptor.digest), { descriptor });
          assert.equal(await state.referred(ALPINE, descriptor.digest), undefined);
        }
      });
    }

    it('have a limit, beyond which what is there stays and what is vouched for has room', async (t) => {
      const state = open(t);
      const many = (from: number, count: number): readonly Descriptor[] =>
        Array.from({ length: count }, (_, index) => blobOf(`part ${from + index}`));
      assert.equal(await state.recordReferrer(ALPINE, signature, many(0, MAX_REFERRED - 1)), true);
      assert.equal(await state.recordReferrer(ALPINE, manifestOf('second'), []), false);
      assert.equal(await state.referred(ALPINE, digestOf('second')), undefined);
      assert.equal(await state.recordReferrer(ALPINE, signature, many(0, 3)), true);
      await state.recordClosure(ALPINE, manifestOf('image'), many(0, 2));
      assert.equal(await state.recordReferrer(ALPINE, manifestOf('second'), []), true);
      const other = repository('docker.io', 'library/busybox');
      assert.equal(await state.recordReferrer(other, manifestOf('second'), []), true);
    });
  });

  it(`${name}: names the repositories that have pins`, async (t) => {
    const state = open(t);
    assert.deepEqual(await state.pinnedRepositories(), []);
    await state.recordPin(pinOf('3.20', digestOf('m'), NOW));
    await state.recordPin(pinOf('3.21', digestOf('n'), NOW));
    const other = repository('localhost:5000', 'team/app');
    await state.recordPin({ ...pinOf('1', digestOf('o'), NOW), repository: other });
    const names = await state.pinnedRepositories();
    assert.deepEqual(names.toSorted(), ['docker.io/library/alpine', 'localhost:5000/team/app']);
  });
}

type Closure = readonly [Descriptor, readonly Descriptor[]];

function disagreements(): readonly (readonly [string, readonly Closure[], Descriptor])[] {
  const wrong = { ...manifestOf('child'), size: 999 };
  const asBlob: Descriptor = { ...manifestOf('child'), kind: 'blob' };
  const right = manifestOf('child');
  return [
    [
      'own bytes over an earlier claim',
      [
        [manifestOf('i'), [wrong]],
        [right, []],
      ],
      right,
    ],
    [
      'own bytes over a later claim',
      [
        [right, []],
        [manifestOf('i'), [wrong]],
      ],
      right,
    ],
    [
      'the later of two claims',
      [
        [manifestOf('i'), [wrong]],
        [manifestOf('j'), [right]],
      ],
      right,
    ],
    [
      'manifest over blob',
      [
        [manifestOf('i'), [right]],
        [manifestOf('j'), [asBlob]],
      ],
      right,
    ],
    ['within one closure', [[manifestOf('child'), [wrong, asBlob]]], right],
  ];
}
