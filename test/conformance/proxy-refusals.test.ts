import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { buildImage, signedContentOf } from '../support/images.ts';
import type { Answer } from '../support/registry-under-test.ts';
import {
  BriskClock,
  REGISTRY_HOST,
  RunningPinnace,
  reasonOf,
  Surroundings,
} from '../support/running-pinnace.ts';

const DAY_MS = 86_400_000;

interface Scene {
  readonly around: Surroundings;
  readonly clock: BriskClock;
}

/** What is to be asked for, as repository and tag, after the scene was set. */
type Asked = readonly [repository: string, tag: string];

interface Row {
  readonly reason: string;
  readonly status: number;
  readonly set: (scene: Scene) => Asked | Promise<Asked>;
  /** Happens after a pull of `team/good:1` went well. */
  readonly later?: (scene: Scene) => void | Promise<void>;
}

/** One row for each verdict that the whole proxy can be brought to. */
const ROWS: readonly Row[] = [
  { reason: 'tag_not_signed', status: 403, set: () => ['team/good', 'nothing'] },
  { reason: 'no_trust_data', status: 403, set: () => ['team/nobody', '1'] },
  { reason: 'no_rule', status: 403, set: () => ['free/app', '1'] },
  {
    reason: 'required_signer_missing',
    status: 403,
    set: () => ['strict/app', '1'],
  },
  {
    reason: 'pin_mismatch',
    status: 403,
    set: () => ['pinned/app', '1'],
  },
  {
    reason: 'manifest_missing',
    status: 404,
    set: ({ around }) => {
      around.registry.remove('team/good', GOOD.manifest.digest);
      return ['team/good', '1'];
    },
  },
  {
    reason: 'digest_mismatch',
    status: 403,
    set: ({ around }) => {
      around.registry.inject(/manifests/, { kind: 'corrupt' });
      return ['team/good', '1'];
    },
  },
  {
    reason: 'length_mismatch',
    status: 403,
    set: () => ['team/good', 'long'],
  },
  {
    reason: 'media_type_not_supported',
    status: 403,
    set: ({ around }) => {
      around.registry.putManifest('team/good', { ...GOOD.manifest, mediaType: 'text/html' });
      return ['team/good', '1'];
    },
  },
  {
    reason: 'upstream_denied',
    status: 403,
    set: ({ around }) => {
      around.registry.inject(/manifests/, { kind: 'status', status: 403 });
      return ['team/good', '1'];
    },
  },
  {
    reason: 'upstream_rate_limited',
    status: 429,
    set: ({ around }) => {
      around.registry.inject(/manifests/, { kind: 'status', status: 429 });
      return ['team/good', '1'];
    },
  },
  {
    reason: 'upstream_unreachable',
    status: 503,
    set: async ({ around }) => {
      await around.registry.down();
      return ['team/good', '1'];
    },
  },
  {
    reason: 'trust_server_unreachable',
    status: 503,
    set: async ({ around }) => {
      await around.notary.down();
      return ['team/good', '1'];
    },
  },
  {
    reason: 'trust_server_error',
    status: 503,
    set: ({ around }) => {
      around.notary.inject(/timestamp/, { kind: 'status', status: 500 });
      return ['team/good', '1'];
    },
  },
  {
    reason: 'trust_server_unauthorized',
    status: 503,
    set: ({ around }) => {
      around.notary.inject(/root/, { kind: 'status', status: 403 });
      return ['team/good', '1'];
    },
  },
  {
    reason: 'checksum_mismatch',
    status: 403,
    set: ({ around }) => {
      around.notary.inject(/snapshot/, { kind: 'corrupt', offset: 30 });
      return ['team/good', '1'];
    },
  },
  {
    reason: 'metadata_missing',
    status: 403,
    set: ({ around }) => {
      around.notary.inject(/targets/, { kind: 'status', status: 404 });
      return ['team/good', '1'];
    },
  },
  {
    reason: 'timestamp_expired',
    status: 403,
    set: () => ['team/good', '1'],
    later: ({ clock }) => clock.advance(15 * DAY_MS),
  },
  {
    reason: 'rollback',
    status: 403,
    set: () => ['team/good', '1'],
    later: ({ around, clock }) => {
      around.notary.serve(`${REGISTRY_HOST}/team/good`, OLD.files);
      clock.advance(61_000);
    },
  },
  {
    reason: 'trust_server_unreachable',
    status: 503,
    set: () => ['team/good', '1'],
    later: async ({ around, clock }) => {
      await around.notary.down();
      clock.advance(2 * 3_600_000);
    },
  },
  {
    reason: 'clock_went_back',
    status: 503,
    set: () => ['team/good', '1'],
    later: ({ clock }) => clock.setWallTime(new Date(clock.now() - 3_600_000)),
  },
];

const GOOD = buildImage({ message: 'good' });
/** What the trust server had before the latest publication. */
const OLD: { files: ReadonlyMap<string, Uint8Array> } = { files: new Map() };

describe('the whole proxy: refusals', () => {
  let around: Surroundings;
  let runs = 0;

  before(async () => {
    around = await Surroundings.start();
  });
  after(() => around[Symbol.asyncDispose]());

  for (const row of ROWS) {
    const when = row.later === undefined ? 'at first' : 'later';
    it(`${row.reason} ${when}: denied or stopped hard, for HEAD as for GET`, async () => {
      const clock = new BriskClock();
      await reset(around);
      const data = `${around.folder}/data-${runs}`;
      runs += 1;
      const config = await around.writeConfig(settings(data));
      await using pinnace = await RunningPinnace.start(config, { clock });
      const [repository, tag] = await row.set({ around, clock });
      if (row.later !== undefined) {
        assert.equal(
          await pinnace.verdict(`${REGISTRY_HOST}/team/good`, '1'),
          GOOD.manifest.digest,
        );
        await row.later({ around, clock });
      }
      const path = `${REGISTRY_HOST}/${repository}/manifests/${tag}`;
      const get = await pinnace.get(path);
      const head = await pinnace.head(path);
      assert.deepEqual([reasonOf(get), get.status], [row.reason, row.status]);
      assert.deepEqual(
        [reasonOf(head), head.status, head.body.length],
        [row.reason, row.status, 0],
      );
      await assertStoppedHard(pinnace, path, row.reason);
      assert.ok(((await pinnace.metric('pinnace_decoys_issued_total')) ?? 0) >= 2);
    });
  }

  it('does not send a decoy for what is fine, nor for signatures beside an image', async () => {
    await reset(around);
    const config = await around.writeConfig(settings(`${around.folder}/data-fine`));
    await using pinnace = await RunningPinnace.start(config);
    const fine = await pinnace.get(`${REGISTRY_HOST}/team/good/manifests/1`, {
      listener: 'mirror',
    });
    assert.deepEqual(fine.body, GOOD.manifest.bytes);
    const companion = `sha256-${GOOD.manifest.digest.slice(7)}.sig`;
    const sig = await pinnace.get(`${REGISTRY_HOST}/team/good/manifests/${companion}`, {
      listener: 'mirror',
    });
    assert.equal(sig.status, 404);
    assert.equal(await pinnace.metric('pinnace_decoys_issued_total'), 0);
  });
});

/** The tag is answered, with an image that nobody can complete and that says why. */
async function assertStoppedHard(
  pinnace: RunningPinnace,
  path: string,
  reason: string,
): Promise<void> {
  const listener = 'mirror';
  const head = await pinnace.head(path, { listener });
  const get = await pinnace.get(path, { listener });
  for (const answer of [head, get]) {
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['x-pinnace-reason'], reason);
    assert.equal(answer.headers['docker-content-digest'], digestOf(get));
  }
  const decoy = JSON.parse(get.body.toString());
  assert.ok(decoy.layers[0].mediaType.startsWith('pinnace refused'), decoy.layers[0].mediaType);
  assert.ok(decoy.layers[0].mediaType.includes(`(${reason})`));
  const repository = path.slice(0, path.indexOf('/manifests/'));
  const byDigest = await pinnace.get(`${repository}/manifests/${digestOf(get)}`, { listener });
  assert.deepEqual(byDigest.body, get.body);
  for (const { digest } of [decoy.config, ...decoy.layers]) {
    const blob = await pinnace.get(`${repository}/blobs/${digest}`, { listener });
    assert.deepEqual([blob.status, reasonOf(blob)], [403, reason]);
  }
}

function digestOf(answer: Answer): string {
  return String(answer.headers['docker-content-digest']);
}

function settings(data: string): Parameters<Surroundings['writeConfig']>[0] {
  const other = `${REGISTRY_HOST}/pinned/*`;
  return {
    listeners: {
      registry: { address: '127.0.0.1:0' },
      mirror: { address: '127.0.0.1:0', refusal: 'hard-stop' },
    },
    trust: { anchors: [{ gun: other, rootKeys: ['0'.repeat(64)] }], outageGrace: '1h' },
    policy: [
      { match: `${REGISTRY_HOST}/team/*`, trust: 'corp' },
      { match: other, trust: 'corp' },
      { match: `${REGISTRY_HOST}/strict/*`, trust: 'corp', signers: ['alice'] },
    ],
    more: { data },
  };
}

/** Everything up, signed and well. */
async function reset(around: Surroundings): Promise<void> {
  await Promise.all([around.registry.up(), around.notary.up()]);
  around.registry.clearFaults();
  around.notary.clearFaults();
  around.registry.push('team/good', GOOD);
  const good = around.publisher('team/good');
  const { sha256, length } = signedContentOf(GOOD);
  good.trust.sign('1', { sha256, length });
  OLD.files = good.trust.publish();
  good.trust.sign('long', { sha256, length: length - 1 });
  good.publish();
  for (const path of ['strict/app', 'pinned/app']) around.publisher(path).release('1', GOOD);
}
