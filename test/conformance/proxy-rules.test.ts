import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { buildImage, buildIndex, signedContentOf } from '../support/images.ts';
import {
  BriskClock,
  type Publisher,
  REGISTRY_HOST,
  RunningPinnace,
  reasonOf,
  Surroundings,
} from '../support/running-pinnace.ts';

const APP = 'team/app';
const ALL = `${REGISTRY_HOST}/**`;
const DAY_MS = 86_400_000;
const ONE = buildImage({ message: 'one' });
const TWO = buildImage({ message: 'two' });
const SIGNERS = ['alice', 'bob', 'carol'];

type Policy = readonly Readonly<Record<string, unknown>>[];

/** A Pinnace over a repository for which alice, bob and carol can sign. */
class Scene implements AsyncDisposable {
  readonly around: Surroundings;
  readonly app: Publisher;
  readonly clock = new BriskClock();
  readonly #stack = new AsyncDisposableStack();

  private constructor(around: Surroundings) {
    this.around = this.#stack.use(around);
    this.app = around.publisher(APP);
    for (const signer of SIGNERS) this.app.trust.addDelegation(`targets/${signer}`);
  }

  static async make(): Promise<Scene> {
    return new Scene(await Surroundings.start());
  }

  /** Signs an image as `targets` and as each of `signers`. */
  release(tag: string, image: typeof ONE, ...signers: readonly string[]): void {
    for (const signer of signers) {
      this.app.trust.sign(tag, signedContentOf(image), `targets/${signer}`);
    }
    this.app.release(tag, image);
  }

  async start(
    policy: Policy,
    more: Readonly<Record<string, unknown>> = {},
  ): Promise<RunningPinnace> {
    const { around, clock } = this;
    const file = await around.writeConfig({ policy, more });
    return this.#stack.use(await RunningPinnace.start(file, { clock }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

async function blobVerdict(pinnace: RunningPinnace, digest: string | undefined): Promise<string> {
  const answer = await pinnace.get(`${APP}/blobs/${digest}`);
  return answer.status === 200 ? 'served' : reasonOf(answer);
}

describe('rules for tags', () => {
  it('apply to their tags alone, and the rule for all others to the rest', async () => {
    await using scene = await Scene.make();
    scene.release('prod-1', ONE);
    scene.release('dev-1', TWO);
    const pinnace = await scene.start([
      { match: ALL, trust: 'corp' },
      { match: ALL, tags: ['prod-*'], trust: 'corp', signers: ['alice'] },
    ]);
    assert.equal(await pinnace.verdict(APP, 'dev-1'), TWO.manifest.digest);
    assert.equal(await pinnace.verdict(APP, 'prod-1'), 'required_signer_missing');
    const refusals = `pinnace_refusals_total{reason="required_signer_missing",rule="${ALL}:prod-*",trust="corp"}`;
    assert.equal(await pinnace.metric(refusals), 1);
    // By digest no rule stands for it either: the tag that has it is the other rule's.
    assert.equal(await pinnace.verdict(APP, ONE.manifest.digest), 'digest_not_vouched');
    assert.equal(await pinnace.verdict(APP, TWO.manifest.digest), TWO.manifest.digest);
    const tags = await pinnace.get(`${APP}/tags/list`);
    assert.deepEqual(JSON.parse(tags.body.toString()).tags, ['dev-1']);
  });

  it('leave what no rule is for without one', async () => {
    await using scene = await Scene.make();
    scene.release('prod-1', ONE);
    scene.release('dev-1', TWO);
    const pinnace = await scene.start([{ match: ALL, tags: ['prod-*'], trust: 'corp' }]);
    assert.equal(await pinnace.verdict(APP, 'prod-1'), ONE.manifest.digest);
    assert.equal(await blobVerdict(pinnace, ONE.layers[0]?.digest), 'served');
    assert.equal(await pinnace.verdict(APP, 'dev-1'), 'no_rule');
  });

  it('may relay tags of a repository whose other tags are verified, parts of them included', async () => {
    await using scene = await Scene.make();
    scene.release('prod-1', ONE);
    scene.app.push('dev-1', TWO);
    const pinnace = await scene.start([
      { match: ALL, trust: 'corp' },
      { match: ALL, tags: ['dev-*'], allowUnverified: true, reason: 'a test' },
    ]);
    assert.equal(await pinnace.verdict(APP, 'prod-1'), ONE.manifest.digest);
    const relayed = await pinnace.get(`${APP}/manifests/dev-1`);
    assert.equal(relayed.status, 200);
    assert.match(
      String(relayed.headers['warning']),
      /^299 - "pinnace has not verified this: the policy/,
    );
    assert.equal(await pinnace.verdict(APP, TWO.manifest.digest), TWO.manifest.digest);
    assert.equal(await blobVerdict(pinnace, TWO.layers[0]?.digest), 'served');
    assert.equal(pinnace.logged('request').at(-1)?.['verdict'], 'passed_through');
    scene.app.push('other', TWO);
    assert.equal(await pinnace.verdict(APP, 'other'), 'tag_not_signed');
  });
});

describe('signers by number', () => {
  for (const [signed, needed, verdict] of [
    [['alice', 'bob'], 2, ONE.manifest.digest],
    [['alice', 'carol'], 2, ONE.manifest.digest],
    [['carol'], 2, 'required_signer_missing'],
    [['carol'], 1, ONE.manifest.digest],
    [[], 1, 'required_signer_missing'],
    [['alice', 'bob'], 3, 'required_signer_missing'],
    [SIGNERS, 3, ONE.manifest.digest],
  ] as const) {
    it(`${needed} of ${SIGNERS} with ${signed.join(' and ') || 'nobody'}: ${verdict}`, async () => {
      await using scene = await Scene.make();
      scene.release('1', ONE, ...signed);
      const pinnace = await scene.start([
        { match: ALL, trust: 'corp', signers: SIGNERS, signersNeeded: needed },
      ]);
      assert.equal(await pinnace.verdict(APP, '1'), verdict);
      assert.equal(await pinnace.verdict(APP, '1'), verdict);
    });
  }

  it('count only for the digest that is served', async () => {
    await using scene = await Scene.make();
    const { trust } = scene.app;
    trust.sign('1', signedContentOf(TWO), 'targets/alice');
    trust.sign('1', signedContentOf(TWO), 'targets/bob');
    scene.release('1', ONE, 'carol');
    const pinnace = await scene.start([
      { match: ALL, trust: 'corp', signers: SIGNERS, signersNeeded: 2 },
    ]);
    assert.equal(await pinnace.verdict(APP, '1'), 'signer_conflict');
    assert.equal(await pinnace.verdict(APP, TWO.manifest.digest), 'digest_not_vouched');
  });
});

describe('a deny list', () => {
  const [layer] = ONE.layers;
  for (const [name, deny, isWholeRefused] of [
    ['its manifest', { digests: [ONE.manifest.digest] }, true],
    ['its config', { digests: [ONE.config.digest] }, true],
    ['one of its layers', { digests: [String(layer?.digest)] }, true],
    ['its tag', { tags: ['1'] }, false],
    ['a pattern for its tag', { tags: ['1*'] }, false],
    ['a signer of it', { signers: ['bob'] }, false],
  ] as const) {
    for (const [place, make] of [
      ['of the rule', () => [[{ match: ALL, trust: 'corp', deny }], {}] as const],
      ['for all rules', () => [[{ match: ALL, trust: 'corp' }], { deny }] as const],
    ] as const) {
      it(`${place} that has ${name} refuses the image, also once it was pulled`, async () => {
        await using scene = await Scene.make();
        scene.release('1', ONE, 'alice', 'bob');
        scene.release('2', TWO, 'alice');
        const before = await scene.start([{ match: ALL, trust: 'corp' }]);
        assert.equal(await before.verdict(APP, '1'), ONE.manifest.digest);
        assert.equal(await blobVerdict(before, layer?.digest), 'served');
        const [policy, more] = make();
        await scene.around.writeConfig({ policy, more });
        await before.reload();
        assert.equal(await before.verdict(APP, '1'), 'denied_by_rule');
        assert.equal(reasonOf(await before.head(`${APP}/manifests/1`)), 'denied_by_rule');
        assert.equal(await before.verdict(APP, '2'), TWO.manifest.digest);
        const tags = await before.get(`${APP}/tags/list`);
        if (isWholeRefused) {
          assert.equal(await before.verdict(APP, ONE.manifest.digest), 'denied_by_rule');
        } else {
          assert.deepEqual(JSON.parse(tags.body.toString()).tags, ['2']);
        }
        if (name === 'one of its layers') {
          assert.equal(await blobVerdict(before, layer?.digest), 'denied_by_rule');
        }
      });
    }
  }

  it('of a key refuses what is not verified without it, and only that', async () => {
    await using scene = await Scene.make();
    scene.release('1', ONE);
    const [key] = scene.app.trust.keys('targets');
    const denied = { deny: { keys: [key?.keyId] } };
    const pinnace = await scene.start([{ match: ALL, trust: 'corp' }], denied);
    assert.equal(await pinnace.verdict(APP, '1'), 'denied_by_rule');
    assert.equal(await pinnace.verdict(APP, ONE.manifest.digest), 'digest_not_vouched');
    scene.app.trust.rotateKey('targets');
    scene.app.publish();
    await pinnace.refresh();
    assert.equal(await pinnace.verdict(APP, '1'), ONE.manifest.digest);
  });

  it('counts a key by the ID of its certificate too', async () => {
    await using scene = await Scene.make();
    scene.release('1', ONE);
    for (const keys of [scene.app.trust.rootKeyIds, scene.app.trust.rootPublicKeyIds]) {
      await using pinnace = await scene.start([{ match: ALL, trust: 'corp' }], { deny: { keys } });
      assert.equal(await pinnace.verdict(APP, '1'), 'denied_by_rule');
      await pinnace.stop();
    }
  });

  it('holds for repositories that are relayed as they are', async () => {
    await using scene = await Scene.make();
    scene.app.push('1', ONE);
    scene.app.push('2', TWO);
    scene.app.push('2-rc', TWO);
    const relayed = [{ match: ALL, allowUnverified: true, reason: 'a test' }];
    const deny = { digests: [layer?.digest], tags: ['*-rc'] };
    const pinnace = await scene.start(relayed, { deny });
    assert.equal(await pinnace.verdict(APP, '1'), 'denied_by_rule');
    assert.equal(await pinnace.verdict(APP, ONE.manifest.digest), 'denied_by_rule');
    assert.equal(await blobVerdict(pinnace, layer?.digest), 'denied_by_rule');
    assert.equal(await pinnace.verdict(APP, '2-rc'), 'denied_by_rule');
    assert.equal(await pinnace.verdict(APP, '2'), TWO.manifest.digest);
    assert.equal(await pinnace.verdict(APP, TWO.manifest.digest), TWO.manifest.digest);
    assert.equal(await blobVerdict(pinnace, TWO.layers[0]?.digest), 'served');
    const missing = await pinnace.get(`${APP}/manifests/3`);
    assert.equal(reasonOf(missing), 'manifest_missing');
    assert.doesNotMatch(missing.body.toString(), /it is signed/);
    const tags = await pinnace.get(`${APP}/tags/list`);
    assert.equal(tags.status, 200);
  });
});

describe('by digest', () => {
  /** What is served of an image whose tag was signed anew, by days since then. */
  async function afterwards(
    rule: Readonly<Record<string, unknown>>,
    days: readonly number[],
  ): Promise<readonly string[]> {
    await using scene = await Scene.make();
    const index = buildIndex([ONE]);
    scene.app.release('1', index);
    const pinnace = await scene.start([{ match: ALL, trust: 'corp', ...rule }]);
    const digests = [index.manifest.digest, ONE.manifest.digest];
    const [layer] = ONE.layers;
    for (const reference of ['1', ...digests]) await pinnace.verdict(APP, reference);
    assert.equal(await blobVerdict(pinnace, layer?.digest), 'served');
    scene.release('1', TWO);
    await pinnace.refresh();
    const verdicts: string[] = [];
    for (const day of days) {
      scene.clock.advance(day * DAY_MS);
      scene.app.trust.now = new Date(scene.clock.now());
      scene.app.publish();
      await pinnace.refresh();
      assert.equal(await pinnace.verdict(APP, TWO.manifest.digest), TWO.manifest.digest);
      const served = await Promise.all([
        ...digests.map((digest) => pinnace.verdict(APP, digest)),
        blobVerdict(pinnace, layer?.digest),
      ]);
      const isAlike = served.every((each) => each === 'digest_not_vouched');
      verdicts.push(isAlike ? 'refused' : 'served');
    }
    return verdicts;
  }

  it('what was vouched for is served for ever unless the rule says otherwise', async () => {
    assert.deepEqual(await afterwards({}, [1, 400]), ['served', 'served']);
  });

  it('earlierDigests ends that after its time, for the parts of an image too', async () => {
    const verdicts = await afterwards({ earlierDigests: '30d' }, [1, 28, 2]);
    assert.deepEqual(verdicts, ['served', 'served', 'refused']);
  });

  it('earlierDigests does not count tags that a deny list has since', async () => {
    await using scene = await Scene.make();
    scene.release('1', ONE);
    const policy = [{ match: ALL, trust: 'corp', earlierDigests: '30d' }];
    const pinnace = await scene.start(policy);
    assert.equal(await pinnace.verdict(APP, '1'), ONE.manifest.digest);
    await scene.around.writeConfig({ policy, more: { deny: { tags: ['1'] } } });
    await pinnace.reload();
    assert.equal(await pinnace.verdict(APP, ONE.manifest.digest), 'digest_not_vouched');
  });

  it('signed-now does not count what a denied signer has signed too', async () => {
    await using scene = await Scene.make();
    scene.release('1', ONE, 'bob');
    const policy = [{ match: ALL, trust: 'corp', digests: 'signed-now' }];
    const pinnace = await scene.start(policy);
    assert.equal(await pinnace.verdict(APP, '1'), ONE.manifest.digest);
    assert.equal(await pinnace.verdict(APP, ONE.manifest.digest), ONE.manifest.digest);
    await scene.around.writeConfig({ policy, more: { deny: { signers: ['bob'] } } });
    await pinnace.reload();
    assert.equal(await pinnace.verdict(APP, ONE.manifest.digest), 'digest_not_vouched');
  });

  it('signed-now serves what a tag leads to now, and nothing else', async () => {
    assert.deepEqual(await afterwards({ digests: 'signed-now' }, [0]), ['refused']);
  });

  it('signed-now serves the parts of what is signed, and cannot without the trust server', async () => {
    await using scene = await Scene.make();
    const index = buildIndex([ONE, TWO]);
    scene.app.release('1', index);
    const pinnace = await scene.start([{ match: ALL, trust: 'corp', digests: 'signed-now' }]);
    assert.equal(await pinnace.verdict(APP, index.manifest.digest), index.manifest.digest);
    assert.equal(await pinnace.verdict(APP, TWO.manifest.digest), TWO.manifest.digest);
    assert.equal(await blobVerdict(pinnace, TWO.layers[0]?.digest), 'served');
    await scene.around.notary.down();
    scene.clock.advance(3 * 3_600_000);
    assert.equal(await blobVerdict(pinnace, TWO.layers[0]?.digest), 'trust_server_unreachable');
  });

  it('any serves what the registry has, with the right bytes only, and tags as ever', async () => {
    await using scene = await Scene.make();
    scene.release('1', ONE);
    scene.app.push('2', TWO);
    const pinnace = await scene.start([{ match: ALL, trust: 'corp', digests: 'any' }]);
    assert.equal(await pinnace.verdict(APP, '2'), 'tag_not_signed');
    const answer = await pinnace.get(`${APP}/manifests/${TWO.manifest.digest}`);
    assert.deepEqual([answer.status, answer.body], [200, TWO.manifest.bytes]);
    assert.equal(pinnace.logged('request').at(-1)?.['verdict'], 'passed_through');
    assert.equal(await blobVerdict(pinnace, TWO.layers[0]?.digest), 'served');
    assert.equal(await pinnace.verdict(APP, '1'), ONE.manifest.digest);
    scene.around.registry.putManifest(APP, {
      ...ONE.manifest,
      digest: `sha256:${'7'.repeat(64)}`,
    });
    assert.equal(await pinnace.verdict(APP, `sha256:${'7'.repeat(64)}`), 'digest_mismatch');
    // What was let through vouches for nothing once the rule is another one.
    await scene.around.writeConfig({ policy: [{ match: ALL, trust: 'corp' }] });
    await pinnace.reload();
    assert.equal(await pinnace.verdict(APP, TWO.manifest.digest), 'digest_not_vouched');
    assert.equal(await blobVerdict(pinnace, TWO.layers[0]?.digest), 'digest_not_vouched');
  });

  it('any does not lend what only another repository has', async () => {
    await using scene = await Scene.make();
    const secret = scene.around.publisher('team/secret');
    secret.release('1', TWO);
    scene.release('1', ONE);
    const pinnace = await scene.start([{ match: ALL, trust: 'corp', digests: 'any' }]);
    await pinnace.verdict('team/secret', '1');
    const [layer] = TWO.layers;
    assert.equal((await pinnace.get(`team/secret/blobs/${layer?.digest}`)).status, 200);
    assert.equal(await blobVerdict(pinnace, layer?.digest), 'blob_missing');
  });
});

describe('the form of refusals', () => {
  it('is that of the rule where it has one', async () => {
    await using scene = await Scene.make();
    const pinnace = await scene.start([
      { match: ALL, trust: 'corp' },
      { match: `${REGISTRY_HOST}/hard/**`, trust: 'corp', refusal: 'hard-stop' },
    ]);
    assert.equal((await pinnace.get('soft/app/manifests/1')).status, 403);
    const decoy = await pinnace.get('hard/app/manifests/1');
    assert.equal(decoy.status, 200);
    assert.equal(reasonOf(decoy), 'no_trust_data');
    const digest = String(decoy.headers['docker-content-digest']);
    assert.equal((await pinnace.get(`hard/app/manifests/${digest}`)).status, 200);
    const { config } = JSON.parse(decoy.body.toString());
    const part = await pinnace.get(`hard/app/blobs/${config.digest}`);
    assert.deepEqual([part.status, reasonOf(part)], [403, 'no_trust_data']);
  });
});
