import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { buildImage, buildIndex } from '../support/images.ts';
import type { Answer } from '../support/registry-under-test.ts';
import {
  BriskClock,
  REGISTRY_HOST,
  RunningPinnace,
  reasonOf,
  Surroundings,
} from '../support/running-pinnace.ts';

const APP = 'team/app';
const ALL = `${REGISTRY_HOST}/**`;
const ONE = buildImage({ message: 'one' });
const TWO = buildImage({ message: 'two' });
const AUDIT = [{ match: ALL, trust: 'corp', audit: true }];
const ENFORCED = [{ match: ALL, trust: 'corp' }];
const HOUR_MS = 3_600_000;

async function pinnaceWith(
  around: Surroundings,
  settings: Parameters<Surroundings['writeConfig']>[0],
  clock = new BriskClock(),
): Promise<RunningPinnace> {
  return await RunningPinnace.start(await around.writeConfig(settings), { clock });
}

function blob(pinnace: RunningPinnace, digest: string | undefined, path = APP): Promise<Answer> {
  return pinnace.get(`${path}/blobs/${digest}`);
}

describe('a rule in audit', () => {
  it('serves what it would refuse as the registry has it, marked, counted and logged', async () => {
    await using around = await Surroundings.start();
    const app = around.publisher(APP);
    app.release('1', ONE);
    const index = buildIndex([TWO]);
    app.push('2', index);
    await using pinnace = await pinnaceWith(around, { policy: AUDIT });
    const warned = await pinnace.get(`${APP}/manifests/2`);
    assert.deepEqual([warned.status, warned.body], [200, index.manifest.bytes]);
    assert.equal(warned.headers['docker-content-digest'], index.manifest.digest);
    assert.equal(warned.headers['cache-control'], 'no-store');
    assert.equal(warned.headers['x-pinnace-reason'], 'tag_not_signed');
    assert.match(
      String(warned.headers['warning']),
      /^299 - "served unverified in audit.*not signed"$/,
    );
    const head = await pinnace.head(`${APP}/manifests/2`);
    assert.equal(head.headers['warning'], warned.headers['warning']);
    const counted = `{reason="tag_not_signed",rule="${ALL}"}`;
    assert.equal(await pinnace.metric(`pinnace_audited_refusals_total${counted}`), 2);
    const line = pinnace.logged('request').at(-1);
    assert.deepEqual(
      [line?.['verdict'], line?.['level'], line?.['code'], line?.['rule']],
      ['audit', 'warn', 'tag_not_signed', ALL],
    );
    // What the engine asks for next.
    assert.equal(await pinnace.verdict(APP, TWO.manifest.digest), TWO.manifest.digest);
    const layer = await blob(pinnace, TWO.layers[0]?.digest);
    assert.deepEqual([layer.status, layer.body], [200, TWO.layers[0]?.bytes]);
    assert.match(String(layer.headers['warning']), /in audit/);
    const ranged = await pinnace.get(`${APP}/blobs/${TWO.layers[0]?.digest}`, {
      headers: { range: 'bytes=1-3' },
    });
    assert.deepEqual([ranged.status, ranged.body], [206, TWO.layers[0]?.bytes.subarray(1, 4)]);

    const verified = await pinnace.get(`${APP}/manifests/1`);
    assert.deepEqual([verified.status, verified.headers['warning']], [200, undefined]);
    assert.equal(pinnace.logged('request').at(-1)?.['verdict'], 'pinned');
    const status = JSON.parse((await pinnace.admin('/api/v1/status')).body.toString());
    assert.deepEqual(status.rulesInAudit, [ALL]);
  });

  it('vouches for nothing: enforced again, all of it is refused, also after a restart', async () => {
    await using around = await Surroundings.start();
    around.publisher(APP).push('1', ONE);
    const pinnace = await pinnaceWith(around, { policy: AUDIT });
    for (const reference of ['1', ONE.manifest.digest]) {
      assert.equal(await pinnace.verdict(APP, reference), ONE.manifest.digest);
    }
    assert.equal((await blob(pinnace, ONE.layers[0]?.digest)).status, 200);
    const refused = async (proxy: RunningPinnace): Promise<void> => {
      assert.equal(await proxy.verdict(APP, '1'), 'no_trust_data');
      assert.equal(await proxy.verdict(APP, ONE.manifest.digest), 'no_trust_data');
      assert.equal(reasonOf(await blob(proxy, ONE.layers[0]?.digest)), 'digest_not_vouched');
    };
    await around.writeConfig({ policy: ENFORCED });
    await pinnace.reload();
    await refused(pinnace);
    await pinnace.stop();
    await using again = await pinnaceWith(around, { policy: ENFORCED });
    await refused(again);
  });

  it('does not change what another rule serves of the same repository’s neighbours', async () => {
    await using around = await Surroundings.start();
    around.publisher(APP).push('1', ONE);
    around.publisher('other/app').push('1', ONE);
    await using pinnace = await pinnaceWith(around, {
      policy: [...ENFORCED, { match: `${REGISTRY_HOST}/team/**`, trust: 'corp', audit: true }],
    });
    assert.equal(await pinnace.verdict(APP, '1'), ONE.manifest.digest);
    assert.equal((await blob(pinnace, ONE.layers[0]?.digest)).status, 200);
    assert.equal(await pinnace.verdict('other/app', '1'), 'no_trust_data');
    const lent = await blob(pinnace, ONE.layers[0]?.digest, 'other/app');
    assert.equal(reasonOf(lent), 'digest_not_vouched');
  });

  it('never serves bytes that are not what their digest says', async () => {
    await using around = await Surroundings.start();
    const app = around.publisher(APP);
    app.release('1', ONE);
    around.registry.putManifest(APP, { ...TWO.manifest, digest: ONE.manifest.digest });
    app.push('2', TWO);
    around.registry.putBlob(APP, { ...ONE.config, digest: String(TWO.layers[0]?.digest) });
    await using pinnace = await pinnaceWith(around, { policy: AUDIT });
    assert.equal(await pinnace.verdict(APP, '1'), 'digest_mismatch');
    assert.equal(await pinnace.verdict(APP, '2'), TWO.manifest.digest);
    const layer = await blob(pinnace, TWO.layers[0]?.digest).catch(() => undefined);
    assert.ok(layer === undefined || reasonOf(layer) === 'digest_mismatch');
  });

  it('does not lift a deny list, nor what is not there', async () => {
    await using around = await Surroundings.start();
    const app = around.publisher(APP);
    app.push('1', ONE);
    app.push('2-rc', TWO);
    const deny = { digests: [String(ONE.layers[0]?.digest)], tags: ['*-rc'] };
    await using pinnace = await pinnaceWith(around, { policy: AUDIT, more: { deny } });
    assert.equal(await pinnace.verdict(APP, '1'), 'denied_by_rule');
    assert.equal(await pinnace.verdict(APP, ONE.manifest.digest), 'denied_by_rule');
    assert.equal(await pinnace.verdict(APP, '2-rc'), 'denied_by_rule');
    assert.equal(await pinnace.verdict(APP, '3'), 'no_trust_data');
    assert.match(String(pinnace.logged('request').at(-1)?.['cause']), /cannot be let through/);
  });

  it('says that the registry cannot be reached when that is what stands in the way', async () => {
    await using around = await Surroundings.start();
    around.publisher(APP).push('1', ONE);
    await using pinnace = await pinnaceWith(around, { policy: AUDIT });
    around.registry.inject(/manifests/, { kind: 'status', status: 503 });
    assert.equal(await pinnace.verdict(APP, '1'), 'upstream_unreachable');
  });

  it('lists tags as the registry does where it could not list its own', async () => {
    await using around = await Surroundings.start();
    around.publisher(APP).push('1', ONE);
    await using pinnace = await pinnaceWith(around, { policy: AUDIT });
    const tags = await pinnace.get(`${APP}/tags/list`);
    assert.deepEqual(JSON.parse(tags.body.toString()).tags, ['1']);
  });
});

describe('break-glass', () => {
  const index = buildIndex([ONE]);
  const ENTRY = {
    image: `${REGISTRY_HOST}/${APP}:1`,
    digest: index.manifest.digest,
    approvedBy: 'Ann "the boss" Example',
    reason: 'INC-7: no signing',
    until: '2026-11-23T02:00:00Z',
  };

  it('serves exactly the approved digest, marked, until it ends by itself', async () => {
    await using around = await Surroundings.start();
    const app = around.publisher(APP);
    app.push('1', index);
    // The registry moves the tag: what was approved is served all the same.
    app.push('1', TWO);
    const clock = new BriskClock();
    const more = { breakGlass: [ENTRY] };
    await using pinnace = await pinnaceWith(around, { policy: ENFORCED, more }, clock);
    const served = await pinnace.get(`${APP}/manifests/1`);
    assert.deepEqual([served.status, served.body], [200, index.manifest.bytes]);
    assert.match(
      String(served.headers['warning']),
      /^299 - "served unverified by break-glass, approved by Ann 'the boss' Example until 2026-11-23T02:00:00.000Z: INC-7: no signing"$/,
    );
    assert.equal(served.headers['x-pinnace-reason'], 'no_trust_data');
    const line = pinnace.logged('request').at(-1);
    assert.deepEqual([line?.['verdict'], line?.['level']], ['break_glass', 'warn']);
    assert.match(String(line?.['cause']), /Ann .the boss. Example/);
    for (const reference of [index.manifest.digest, ONE.manifest.digest]) {
      assert.equal(await pinnace.verdict(APP, reference), reference);
    }
    assert.equal((await blob(pinnace, ONE.layers[0]?.digest)).status, 200);
    assert.equal((await blob(pinnace, ONE.config.digest)).status, 200);
    // Nothing else of the repository.
    assert.equal(await pinnace.verdict(APP, '2'), 'no_trust_data');
    assert.equal(await pinnace.verdict(APP, TWO.manifest.digest), 'no_trust_data');
    assert.equal(reasonOf(await blob(pinnace, TWO.layers[0]?.digest)), 'digest_not_vouched');

    assert.equal(await pinnace.metric('pinnace_break_glass_active'), 1);
    assert.equal(await pinnace.metric('pinnace_break_glass_ends_in_seconds'), 7200);
    const counted = 'pinnace_break_glass_answers_total{reason="no_trust_data"}';
    assert.equal(await pinnace.metric(counted), 3);
    const page = (await pinnace.admin('/')).body.toString();
    assert.match(page, /break-glass.*INC-7: no signing.*ends in 2 h 0 min/s);

    clock.advance(2 * HOUR_MS);
    assert.equal(await pinnace.verdict(APP, '1'), 'no_trust_data');
    assert.equal(await pinnace.verdict(APP, index.manifest.digest), 'no_trust_data');
    assert.equal(await pinnace.verdict(APP, ONE.manifest.digest), 'no_trust_data');
    assert.equal(reasonOf(await blob(pinnace, ONE.layers[0]?.digest)), 'digest_not_vouched');
    assert.equal(await pinnace.metric('pinnace_break_glass_active'), 0);
    assert.equal(await pinnace.metric('pinnace_break_glass_ends_in_seconds'), 0);
    assert.doesNotMatch((await pinnace.admin('/')).body.toString(), /INC-7/);
  });

  it('for a digest serves that digest, and no tag', async () => {
    await using around = await Surroundings.start();
    around.publisher(APP).push('1', ONE);
    const { digest: _, ...entry } = ENTRY;
    const image = `${REGISTRY_HOST}/${APP}@${ONE.manifest.digest}`;
    const more = { breakGlass: [{ ...entry, image }] };
    await using pinnace = await pinnaceWith(around, { policy: ENFORCED, more });
    assert.equal(await pinnace.verdict(APP, '1'), 'no_trust_data');
    assert.equal(await pinnace.verdict(APP, ONE.manifest.digest), ONE.manifest.digest);
    assert.equal((await blob(pinnace, ONE.layers[0]?.digest)).status, 200);
  });

  it('gives way to what is verified, and to a deny list', async () => {
    await using around = await Surroundings.start();
    const app = around.publisher(APP);
    app.push('1', index);
    app.release('1', TWO);
    app.push('2', ONE);
    const other = { ...ENTRY, image: `${REGISTRY_HOST}/${APP}:2`, digest: ONE.manifest.digest };
    const more = { breakGlass: [ENTRY, other], deny: { digests: [ONE.config.digest] } };
    await using pinnace = await pinnaceWith(around, { policy: ENFORCED, more });
    assert.equal(await pinnace.verdict(APP, '1'), TWO.manifest.digest);
    assert.equal(pinnace.logged('request').at(-1)?.['verdict'], 'pinned');
    assert.equal(await pinnace.verdict(APP, '2'), 'denied_by_rule');
    assert.equal(await pinnace.verdict(APP, ONE.manifest.digest), 'denied_by_rule');
  });

  it('does not pass off other bytes, nor what the registry does not have', async () => {
    await using around = await Surroundings.start();
    around.publisher(APP).push('2', TWO);
    const more = { breakGlass: [ENTRY] };
    await using pinnace = await pinnaceWith(around, { policy: ENFORCED, more });
    assert.equal(await pinnace.verdict(APP, '1'), 'no_trust_data');
    assert.match(String(pinnace.logged('request').at(-1)?.['cause']), /cannot be let through/);
    around.registry.putManifest(APP, { ...TWO.manifest, digest: index.manifest.digest });
    assert.equal(await pinnace.verdict(APP, '1'), 'digest_mismatch');
  });

  it('comes before audit, and goes on after a restart', async () => {
    await using around = await Surroundings.start();
    const app = around.publisher(APP);
    app.push('0', index);
    app.push('1', TWO);
    const settings = { policy: AUDIT, more: { breakGlass: [ENTRY] } };
    const pinnace = await pinnaceWith(around, settings);
    assert.equal(await pinnace.verdict(APP, '1'), index.manifest.digest);
    await pinnace.stop();
    await around.writeConfig({ policy: ENFORCED, more: { breakGlass: [ENTRY] } });
    await using again = await pinnaceWith(around, { ...settings, policy: ENFORCED });
    // An engine that was in the middle of its pull.
    assert.equal((await blob(again, ONE.layers[0]?.digest)).status, 200);
  });

  it('is taken back by a reload', async () => {
    await using around = await Surroundings.start();
    around.publisher(APP).push('1', index);
    const more = { breakGlass: [ENTRY] };
    await using pinnace = await pinnaceWith(around, { policy: ENFORCED, more });
    assert.equal(await pinnace.verdict(APP, '1'), index.manifest.digest);
    assert.equal((await blob(pinnace, ONE.layers[0]?.digest)).status, 200);
    await around.writeConfig({ policy: ENFORCED });
    await pinnace.reload();
    assert.equal(await pinnace.verdict(APP, '1'), 'no_trust_data');
    assert.equal(reasonOf(await blob(pinnace, ONE.layers[0]?.digest)), 'digest_not_vouched');
  });
});
