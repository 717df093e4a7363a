import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { StateError } from '../../src/store/errors.ts';
import { SqliteState } from '../../src/store/sqlite-state.ts';
import { buildImage } from '../support/images.ts';
import { rejectsWithCode } from '../support/reject-with-code.ts';
import {
  BriskClock,
  REGISTRY_HOST,
  RunningPinnace,
  reasonOf,
  Surroundings,
} from '../support/running-pinnace.ts';

const APP = 'team/app';
const GUN = `${REGISTRY_HOST}/${APP}`;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

describe('the whole proxy: what operators see', () => {
  it('serves an earlier answer within the grace, says so everywhere, and then stops', async () => {
    await using around = await Surroundings.start();
    const image = buildImage();
    around.publisher(APP).release('1', image);
    const clock = new BriskClock();
    await using pinnace = await RunningPinnace.start(await around.writeConfig(), { clock });
    assert.equal(await pinnace.verdict(APP, '1'), image.manifest.digest);
    await around.notary.down();
    clock.advance(30_000);
    const fresh = await pinnace.get(`${APP}/manifests/1`);
    assert.deepEqual([fresh.status, fresh.headers['warning']], [200, undefined]);

    clock.advance(10 * MINUTE_MS);
    const stale = await pinnace.get(`${APP}/manifests/1`);
    assert.deepEqual([stale.status, stale.body], [200, image.manifest.bytes]);
    assert.match(String(stale.headers['warning']), /^110 - "pinnace could not ask .* 630 s/);
    assert.match(
      String((await pinnace.head(`${APP}/manifests/1`)).headers['warning']),
      /^110 - "pinnace could not ask .* 630 s/,
    );
    assert.equal(await pinnace.metric('pinnace_stale_answers_total'), 2);
    assert.equal(pinnace.logged('request').at(-1)?.['staleSeconds'], 630);
    const { repositories } = await status(pinnace);
    assert.equal(repositories[0]?.['graceEndsAt'], '2026-11-23T01:01:00.000Z');
    assert.match(String(repositories[0]?.['lastError']), /trust server|notary/i);

    clock.advance(HOUR_MS);
    assert.equal(await pinnace.verdict(APP, '1'), 'trust_server_unreachable');
    // What a digest means does not depend on anybody being there.
    assert.equal(await pinnace.verdict(APP, image.manifest.digest), image.manifest.digest);
    await around.notary.up();
    clock.advance(MINUTE_MS);
    const again = await pinnace.get(`${APP}/manifests/1`);
    assert.deepEqual([again.status, again.headers['warning']], [200, undefined]);
  });

  it('never lets the grace outlast a signed expiry', async () => {
    await using around = await Surroundings.start();
    const app = around.publisher(APP, { expiresAfterDays: { timestamp: 1 } });
    app.release('1', buildImage());
    const clock = new BriskClock();
    const config = await around.writeConfig({ trust: { outageGrace: '7d' } });
    await using pinnace = await RunningPinnace.start(config, { clock });
    await pinnace.verdict(APP, '1');
    await around.notary.down();
    clock.advance(23 * HOUR_MS);
    assert.equal((await pinnace.get(`${APP}/manifests/1`)).status, 200);
    clock.advance(2 * HOUR_MS);
    assert.equal(await pinnace.verdict(APP, '1'), 'timestamp_expired');
  });

  it('shows metrics, health and status', async () => {
    await using around = await Surroundings.start();
    const image = buildImage();
    around.publisher(APP).release('1', image);
    await using pinnace = await RunningPinnace.start(await around.writeConfig());
    await pinnace.verdict(APP, '1');
    await pinnace.verdict(APP, '1');
    await pinnace.verdict(APP, 'unsigned');
    await pinnace.get(`${APP}/blobs/${image.config.digest}`);
    // Sent is sooner than stored.
    while ((await pinnace.metric('pinnace_blobs_in_flight')) !== 0) await new Promise(setImmediate);
    await pinnace.get(`${APP}/blobs/${image.config.digest}`);
    const rule = `${REGISTRY_HOST}/**`;
    for (const [series, value] of [
      ['pinnace_requests_total{kind="manifest_tag",verdict="pinned"}', 2],
      ['pinnace_requests_total{kind="manifest_tag",verdict="refused"}', 1],
      ['pinnace_requests_total{kind="blob",verdict="pinned"}', 2],
      [`pinnace_refusals_total{reason="tag_not_signed",rule="${rule}",trust="corp"}`, 1],
      ['pinnace_cache_hits_total{cache="answer"}', 1],
      ['pinnace_cache_misses_total{cache="answer"}', 1],
      ['pinnace_cache_hits_total{cache="blob"}', 1],
      ['pinnace_cache_misses_total{cache="manifest"}', 1],
      [`pinnace_upstream_requests_total{upstream="${REGISTRY_HOST}",outcome="ok"}`, 2],
      ['pinnace_first_use_admissions_total{trust="corp"}', 1],
      [`pinnace_trust_metadata_age_seconds{rule="${rule}",trust="corp"}`, 0],
      ['pinnace_state_errors_total', 0],
    ] as const) {
      assert.equal(await pinnace.metric(series), value, series);
    }
    const expiry = `pinnace_trust_expires_in_seconds{rule="${rule}",trust="corp",role="timestamp"}`;
    assert.equal(await pinnace.metric(expiry), (14 * 24 * HOUR_MS) / 1000);
    for (const path of ['/healthz', '/readyz', '/']) {
      assert.equal((await pinnace.admin(path)).status, 200, path);
    }
    const { isReady, repositories } = await status(pinnace);
    assert.equal(isReady, true);
    assert.deepEqual(
      repositories.map(({ repository, trust, admission, lastRefusals }) => [
        repository,
        trust,
        admission,
        lastRefusals.map(({ reason, reference }) => [reason, reference]),
      ]),
      [[GUN, 'corp', 'first-use', [['tag_not_signed', 'unsigned']]]],
    );
    assert.equal(pinnace.logged('trust.first_use').length, 1);
    assert.equal(pinnace.logged('request').length, 5);
    await pinnace.stop();
    await assert.rejects(pinnace.admin('/readyz'));
  });

  it('refreshes what is covered by a rule, and says what failed', async () => {
    await using around = await Surroundings.start();
    around.publisher(APP).release('1', buildImage());
    const policy = [
      { match: `${REGISTRY_HOST}/team/*`, trust: 'corp' },
      { match: `${REGISTRY_HOST}/free/*`, allowUnverified: true, reason: 'a test' },
    ];
    await using pinnace = await RunningPinnace.start(await around.writeConfig({ policy }));
    const outcomes = [];
    for (const repository of [GUN, `${REGISTRY_HOST}/team/none`, `${REGISTRY_HOST}/free/x`, '..']) {
      outcomes.push((await pinnace.refresh(repository)).status);
    }
    assert.deepEqual(outcomes, [200, 502, 404, 404]);
    const all = await pinnace.refresh();
    assert.deepEqual(JSON.parse(all.body.toString()).refreshed, [GUN]);
  });

  it('keeps what is in use fresh by itself', async () => {
    await using around = await Surroundings.start();
    const app = around.publisher(APP);
    app.release('1', buildImage());
    const clock = new BriskClock();
    await using pinnace = await RunningPinnace.start(await around.writeConfig(), { clock });
    await pinnace.verdict(APP, '1');
    const image = buildImage({ message: 'newer' });
    app.release('1', image);
    const before = around.notary.requests.length;
    clock.advance(50_000);
    while (pinnace.logged('trust.changed').length < 2) await new Promise(setImmediate);
    assert.ok(around.notary.requests.length > before);
    assert.equal(await pinnace.verdict(APP, '1'), image.manifest.digest);
  });
});

describe('the whole proxy: clock and state', () => {
  it('refuses everything verified when the clock went back, until it is right or reset', async () => {
    await using around = await Surroundings.start();
    const image = buildImage();
    around.publisher(APP).release('1', image);
    const config = await around.writeConfig();
    const paths = [
      `${APP}/manifests/1`,
      `${APP}/manifests/${image.manifest.digest}`,
      `${APP}/blobs/${image.config.digest}`,
      `${APP}/tags/list`,
      `${REGISTRY_HOST}/${APP}/_trust/tuf/root.json`,
    ];
    const clock = new BriskClock();
    const start = clock.now();
    {
      await using pinnace = await RunningPinnace.start(config, { clock });
      for (const path of paths) assert.equal((await pinnace.get(path)).status, 200, path);
      clock.setWallTime(new Date(start + 2 * HOUR_MS));
      await pinnace.verdict(APP, '1');
      clock.setWallTime(new Date(start));
      for (const path of paths) {
        for (const answer of [await pinnace.get(path), await pinnace.head(path)]) {
          assert.deepEqual([answer.status, reasonOf(answer)], [503, 'clock_went_back'], path);
        }
      }
    }
    // A restart is no way round it.
    await using pinnace = await RunningPinnace.start(config, { clock });
    assert.equal(await pinnace.verdict(APP, '1'), 'clock_went_back');
    const state = SqliteState.open(join(around.folder, 'data'), { clock });
    assert.equal(await state.resetTime('the clock ran ahead'), start + 2 * HOUR_MS);
    state.close();
    for (const path of paths) assert.equal((await pinnace.get(path)).status, 200, path);
    clock.setWallTime(new Date(start - HOUR_MS));
    assert.equal(await pinnace.verdict(APP, '1'), 'clock_went_back');
  });

  it('takes a small correction of the clock for what it is', async () => {
    await using around = await Surroundings.start();
    around.publisher(APP).release('1', buildImage());
    const clock = new BriskClock();
    await using pinnace = await RunningPinnace.start(await around.writeConfig(), { clock });
    await pinnace.verdict(APP, '1');
    clock.setWallTime(new Date(clock.now() - 30_000));
    assert.equal((await pinnace.get(`${APP}/manifests/1`)).status, 200);
  });

  it('does not start with a state that cannot be read, and names the way out', async () => {
    await using around = await Surroundings.start();
    const config = await around.writeConfig();
    await (await RunningPinnace.start(config)).stop();
    const file = join(around.folder, 'data', 'state.sqlite');
    await writeFile(file, 'this is no database, however one looks at it'.repeat(200));
    const error = await rejectsWithCode(
      RunningPinnace.start(config),
      StateError,
      'state_unreadable',
    );
    assert.ok(error.message.includes(`move ${file} away`), error.message);
  });
});

describe('the whole proxy: repositories that are let through', () => {
  it('relays what a rule leaves unverified, and nothing else', async () => {
    await using around = await Surroundings.start();
    const image = buildImage({ message: 'scratch' });
    around.registry.push('scratch/app', image, 'latest');
    around.publisher(APP).push('1', image);
    const policy = [
      { match: `${REGISTRY_HOST}/scratch/**`, allowUnverified: true, reason: 'throw-away' },
      { match: `${REGISTRY_HOST}/team/**`, trust: 'corp' },
    ];
    await using pinnace = await RunningPinnace.start(await around.writeConfig({ policy }));
    const manifest = await pinnace.get('scratch/app/manifests/latest');
    assert.deepEqual(manifest.body, image.manifest.bytes);
    const head = await pinnace.head('scratch/app/manifests/latest');
    assert.equal(head.headers['docker-content-digest'], image.manifest.digest);
    const blob = await pinnace.get(`scratch/app/blobs/${image.config.digest}`);
    assert.deepEqual(blob.body, image.config.bytes);
    const list = await pinnace.get('scratch/app/tags/list');
    assert.deepEqual(JSON.parse(list.body.toString()).tags, ['latest']);
    assert.equal((await pinnace.get('scratch/app/manifests/none')).status, 404);
    assert.equal(await pinnace.verdict(APP, '1'), 'no_trust_data');
    const push = await pinnace.get('scratch/app/blobs/uploads/', { method: 'POST' });
    assert.equal(push.status, 405);
    assert.equal(await pinnace.metric('pinnace_relayed_requests_total{outcome="ok"}'), 5);
  });
});

async function status(pinnace: RunningPinnace): Promise<{
  readonly isReady: boolean;
  readonly repositories: readonly (Record<string, unknown> & {
    readonly lastRefusals: readonly Record<string, unknown>[];
  })[];
}> {
  return JSON.parse((await pinnace.admin('/api/v1/status')).body.toString());
}
