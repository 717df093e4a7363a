import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { buildImage, signedContentOf } from '../support/images.ts';
import { NotaryRepository } from '../support/notary-repository.ts';
import { Registry } from '../support/registry.ts';
import {
  BriskClock,
  REGISTRY_HOST,
  RunningPinnace,
  Surroundings,
} from '../support/running-pinnace.ts';

const APP = 'team/app';
const OTHER_HOST = 'slow.example.com';
const BIG = 300_000;

function basic(pair: string): string {
  return `Basic ${Buffer.from(pair).toString('base64')}`;
}

describe('the whole proxy: fallbacks', () => {
  it('serves what is signed while the registry is down, and says which server rests', async () => {
    await using around = await Surroundings.start();
    await using mirror = await new Registry().start();
    const image = buildImage({ message: 'mirrored', bigLayerBytes: BIG });
    around.publisher(APP).release('1', image);
    mirror.push(APP, image);
    await around.registry.down();
    const config = await around.writeConfig({
      upstream: { fallbacks: [{ url: mirror.url }], breaker: { failures: 1, open: '60s' } },
    });
    const clock = new BriskClock();
    await using pinnace = await RunningPinnace.start(config, { clock });
    assert.equal(await pinnace.verdict(APP, '1'), image.manifest.digest);
    for (const blob of [image.config, ...image.layers]) {
      const answer = await pinnace.get(`${APP}/blobs/${blob.digest}`);
      assert.deepEqual(answer.body, Buffer.from(blob.bytes));
    }
    const main = `{upstream="${REGISTRY_HOST}"}`;
    const fallback = `{upstream="${REGISTRY_HOST} (${new URL(mirror.url).host})"}`;
    assert.equal(await pinnace.metric(`pinnace_upstream_breaker_state${main}`), 2);
    assert.equal(await pinnace.metric(`pinnace_upstream_breaker_state${fallback}`), 0);
    const parts = 1 + 1 + image.layers.length;
    assert.equal(await pinnace.metric(`pinnace_upstream_fallbacks_total${main}`), parts);
    assert.equal(pinnace.logged('upstream.breaker_opened').length, 1);
    assert.match((await pinnace.admin('/')).body.toString(), /not for now: it failed/);

    await around.registry.up();
    clock.advance(60_000);
    const next = buildImage({ message: 'in the registry alone' });
    around.publisher('team/next').release('1', next);
    assert.equal(await pinnace.verdict('team/next', '1'), next.manifest.digest);
    assert.equal(pinnace.logged('upstream.breaker_closed').length, 1);
    assert.equal(await pinnace.metric(`pinnace_upstream_breaker_state${main}`), 0);
  });

  it('never serves a poisoned mirror, and finds the good one behind it', async () => {
    await using around = await Surroundings.start();
    await using poisoned = await new Registry().start();
    await using good = await new Registry().start();
    const image = buildImage({ message: 'good', bigLayerBytes: BIG });
    around.publisher(APP).release('1', image);
    poisoned.push(APP, image);
    good.push(APP, image);
    for (const digest of [image.manifest, image.config, ...image.layers].map(
      (part) => part.digest,
    )) {
      around.registry.remove(APP, digest);
    }
    poisoned.inject(/manifests|blobs/, { kind: 'corrupt' });
    const fallbacks = [{ url: poisoned.url }, { url: good.url }];
    const config = await around.writeConfig({ upstream: { fallbacks } });
    await using pinnace = await RunningPinnace.start(config);
    assert.equal(await pinnace.verdict(APP, '1'), image.manifest.digest);
    const small = await pinnace.get(`${APP}/blobs/${image.config.digest}`);
    assert.equal(small.status, 200);
    assert.deepEqual(small.body, Buffer.from(image.config.bytes));
    const big = image.layers.find(({ bytes }) => bytes.length >= BIG);
    assert.ok(big !== undefined);
    // Much of it is sent before its end shows that it is wrong: then the connection is cut, and the engine's next try is good.
    await assert.rejects(pinnace.get(`${APP}/blobs/${big.digest}`));
    assert.deepEqual(
      (await pinnace.get(`${APP}/blobs/${big.digest}`)).body,
      Buffer.from(big.bytes),
    );
    const name = `${REGISTRY_HOST} (${new URL(poisoned.url).host})`;
    assert.equal(await pinnace.metric(`pinnace_upstream_mismatches_total{upstream="${name}"}`), 3);
    assert.equal(pinnace.logged('upstream.mismatch').length, 3);
  });

  it('names every server and its reason in the refusal', async () => {
    await using around = await Surroundings.start();
    await using mirror = await new Registry({
      auth: { kind: 'basic', username: 'x', password: 'y' },
    }).start();
    around.publisher(APP).release('1', buildImage({ message: 'gone' }));
    around.registry.inject(/manifests/, { kind: 'status', status: 404 });
    const config = await around.writeConfig({ upstream: { fallbacks: [{ url: mirror.url }] } });
    await using pinnace = await RunningPinnace.start(config);
    const answer = await pinnace.get(`${APP}/manifests/1`);
    assert.equal(answer.headers['x-pinnace-reason'], 'upstream_denied');
    const cause = JSON.stringify(pinnace.logged('request'));
    for (const { url } of [around.registry, mirror]) assert.ok(cause.includes(new URL(url).host));
    assert.match(cause, /answered with status 404.*answered with status 401/);
  });
});

describe('the whole proxy: a registry that hangs', () => {
  it('holds up its own pulls and nobody else’s, and its queue ends in a clear 503', async () => {
    await using around = await Surroundings.start();
    await using slow = await new Registry().start();
    const slowImage = buildImage({ message: 'slow' });
    slow.push(APP, slowImage, '1');
    slow.inject(/manifests/, { kind: 'hang' });
    const SLOW_PULLS = 6;
    const FAST_PULLS = 40;
    // Pulls of the same manifest would be one; these are as many as there are repositories.
    for (let index = 0; index < SLOW_PULLS; index += 1) {
      const path = `team/slow-${index}`;
      const trust = new NotaryRepository({ gun: `${OTHER_HOST}/${path}` });
      const image = buildImage({ message: path });
      slow.push(path, image);
      trust.sign('1', signedContentOf(image));
      around.notary.serve(trust.gun, trust.publish());
    }
    const images = Array.from({ length: FAST_PULLS }, (_, index) => {
      const image = buildImage({ message: `fast ${index}` });
      around.publisher(`team/fast-${index}`).release('1', image);
      return image;
    });
    const config = await around.writeConfig({
      more: {
        upstreams: {
          [REGISTRY_HOST]: { url: around.registry.url },
          [OTHER_HOST]: { url: slow.url, limits: { requests: 2, queue: 3 } },
        },
      },
      policy: [REGISTRY_HOST, OTHER_HOST].map((host) => ({ match: `${host}/**`, trust: 'corp' })),
    });
    await using pinnace = await RunningPinnace.start(config);
    const slowPulls = Array.from({ length: SLOW_PULLS }, (_, index) =>
      pinnace.get(`team/slow-${index}/manifests/1?ns=${OTHER_HOST}`),
    );
    let settled = 0;
    for (const pull of slowPulls) pull.then(() => (settled += 1)).catch(() => undefined);
    // Two are under way, three wait, and one is refused because of them.
    const refused = await Promise.race(slowPulls);
    assert.equal(refused.status, 503);
    assert.equal(refused.headers['x-pinnace-reason'], 'upstream_busy');
    assert.equal(refused.headers['retry-after'], '5');
    const series = (name: string): string => `pinnace_upstream_${name}{upstream="${OTHER_HOST}"}`;
    assert.equal(await pinnace.metric(series('in_flight')), 2);
    assert.equal(await pinnace.metric(series('queued')), 3);

    for (const [index, image] of images.entries()) {
      const verdict = await pinnace.verdict(`team/fast-${index}`, '1');
      assert.equal(verdict, image.manifest.digest);
      const blob = await pinnace.get(`team/fast-${index}/blobs/${image.config.digest}`);
      assert.equal(blob.status, 200);
    }
    assert.equal(settled, 1, 'the others still wait');
    assert.equal(slow.requestsTo(/manifests/).length, 2);
    assert.equal(around.registry.requestsTo(/manifests/).length, FAST_PULLS);

    slow.clearFaults();
    await slow.down();
    const ends = await Promise.all(slowPulls);
    assert.deepEqual(new Set(ends.map(({ status }) => status)), new Set([503]));
  });
});

describe('the whole proxy: relayed requests', () => {
  const policy = [{ match: `${REGISTRY_HOST}/**`, allowUnverified: true, reason: 'throw-away' }];

  it('log in anew once when a token was revoked, and pass nothing of it on', async () => {
    const credentials = { username: 'ci', password: 'right' };
    await using around = await Surroundings.start({
      registry: { auth: { kind: 'bearer', credentials } },
    });
    const image = buildImage({ message: 'relayed' });
    around.registry.push(APP, image, '1');
    const secret = join(around.folder, 'secret');
    await writeFile(secret, 'right');
    const config = await around.writeConfig({
      upstream: { credentials: { username: 'ci', passwordFile: secret } },
      policy,
    });
    await using pinnace = await RunningPinnace.start(config);
    assert.equal((await pinnace.get(`${APP}/manifests/1`)).status, 200);
    around.registry.revokeTokens();
    around.registry.requests.length = 0;
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => pinnace.get(`${APP}/manifests/1`)),
    );
    for (const { status, body } of answers) {
      assert.equal(status, 200);
      assert.deepEqual(body, Buffer.from(image.manifest.bytes));
    }
    assert.equal(around.registry.requestsTo('/token').length, 1);
    assert.ok(around.registry.requestsTo(/manifests/).length <= 10, 'twice each at most');
    // And only once for each: a registry that goes on refusing is left alone.
    around.registry.inject(/manifests/, {
      kind: 'status',
      status: 401,
      headers: { 'www-authenticate': `Bearer realm="${around.registry.url}/token",service="s"` },
    });
    around.registry.requests.length = 0;
    const refused = await pinnace.get(`${APP}/manifests/1`);
    assert.equal(refused.headers['x-pinnace-reason'], 'upstream_denied');
    assert.equal(around.registry.requestsTo(/manifests/).length, 2);
  });

  it('log in anew by Basic with what the file has now', async () => {
    await using around = await Surroundings.start({
      registry: { auth: { kind: 'basic', username: 'ci', password: 'new' } },
    });
    around.registry.push(APP, buildImage({ message: 'relayed' }), '1');
    const secret = join(around.folder, 'secret');
    await writeFile(secret, 'old');
    const config = await around.writeConfig({
      upstream: { credentials: { username: 'ci', passwordFile: secret } },
      policy,
    });
    await using pinnace = await RunningPinnace.start(config);
    const refused = await pinnace.get(`${APP}/manifests/1`);
    assert.equal(refused.headers['x-pinnace-reason'], 'upstream_denied');
    await writeFile(secret, 'new');
    assert.equal((await pinnace.get(`${APP}/manifests/1`)).status, 200);
    const sent = around.registry
      .requestsTo(/manifests/)
      .map(({ headers }) => headers.authorization);
    assert.deepEqual(sent, [basic('ci:old'), basic('ci:new')]);
  });

  it('fail at once while the registry rests, and fallbacks are not asked', async () => {
    await using around = await Surroundings.start();
    await using mirror = await new Registry().start();
    const image = buildImage({ message: 'relayed' });
    mirror.push(APP, image, '1');
    around.registry.inject(/manifests/, { kind: 'status', status: 502 });
    const config = await around.writeConfig({
      upstream: { fallbacks: [{ url: mirror.url }], breaker: { failures: 2, open: '30s' } },
      policy,
    });
    const clock = new BriskClock();
    await using pinnace = await RunningPinnace.start(config, { clock });
    for (let count = 0; count < 2; count += 1) {
      assert.equal((await pinnace.get(`${APP}/manifests/1`)).status, 502);
    }
    const refused = await pinnace.get(`${APP}/manifests/1`);
    assert.equal(refused.status, 503);
    assert.equal(refused.headers['retry-after'], '30');
    assert.equal(around.registry.requestsTo(/manifests/).length, 2);
    assert.equal(mirror.requests.length, 0);
    around.registry.clearFaults();
    around.registry.push(APP, image, '1');
    clock.advance(30_000);
    assert.equal((await pinnace.get(`${APP}/manifests/1`)).status, 200);
  });
});
