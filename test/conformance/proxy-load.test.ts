import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { buildImage } from '../support/images.ts';
import { RunningPinnace, reasonOf, Surroundings } from '../support/running-pinnace.ts';

const APP = 'team/app';
const CLIENTS = 50;

describe('the whole proxy: many engines at once', () => {
  it('reads each object of a cold image once and asks at most six metadata files', async () => {
    await using around = await Surroundings.start();
    const app = around.publisher(APP);
    app.trust.addDelegation('targets/releases');
    const image = buildImage({ message: 'cold', bigLayerBytes: 2_000_000 });
    app.release('1', image, 'targets/releases');
    await using pinnace = await RunningPinnace.start(await around.writeConfig());

    const pulls = Array.from({ length: CLIENTS }, async () => {
      const head = await pinnace.head(`${APP}/manifests/1`);
      const digest = String(head.headers['docker-content-digest']);
      const manifest = await pinnace.get(`${APP}/manifests/${digest}`);
      assert.deepEqual(manifest.body, image.manifest.bytes);
      await Promise.all(
        [image.config, ...image.layers].map(async (blob) => {
          const answer = await pinnace.get(`${APP}/blobs/${blob.digest}`);
          assert.ok(answer.body.equals(blob.bytes));
        }),
      );
    });
    await Promise.all(pulls);

    for (const content of [image.manifest, image.config, ...image.layers]) {
      assert.equal(around.registry.requestsTo(content.digest).length, 1, content.mediaType);
    }
    const files = around.notary.filesAsked();
    assert.ok(files.length <= 6, files.join(' '));
    assert.equal(await pinnace.metric('pinnace_blobs_in_flight'), 0);
  });

  it('takes an engine that hangs up for what it is, and serves the others', async () => {
    await using around = await Surroundings.start();
    const image = buildImage({ message: 'left', bigLayerBytes: 500_000 });
    around.publisher(APP).release('1', image);
    const layer = image.layers[1];
    assert.ok(layer !== undefined);
    await using pinnace = await RunningPinnace.start(await around.writeConfig());
    const paths = [
      `${APP}/manifests/1`,
      `${APP}/tags/list`,
      `${APP}/manifests/${image.manifest.digest}`,
      `${APP}/blobs/${layer.digest}`,
    ];
    for (const [index, path] of paths.entries()) {
      const slow = { kind: 'delay', delayMs: 150 } as const;
      for (const server of [around.registry, around.notary]) server.inject(/./, slow);
      const asked = (): number => around.registry.requests.length + around.notary.requests.length;
      const before = asked();
      const leaving = connect(pinnace.port(), '127.0.0.1');
      leaving.write(`GET /v2/${path} HTTP/1.1\r\nHost: pinnace\r\n\r\n`);
      const stays = pinnace.get(path);
      const isUpstreamAsked = index === 0 || index === 3;
      while (isUpstreamAsked && asked() === before) await new Promise(setImmediate);
      leaving.destroy();
      assert.equal((await stays).status, 200, path);
      for (const server of [around.registry, around.notary]) server.clearFaults();
    }
    assert.deepEqual(pinnace.logged('request.failed'), []);
    const verdicts = pinnace.logged('request').map(({ verdict }) => verdict);
    assert.ok(verdicts.filter((verdict) => verdict === 'cut').length >= 2, verdicts.join(' '));
    assert.deepEqual(new Set(verdicts), new Set(['cut', 'pinned']));
  });

  it('asks the trust server once when everybody is refused at once', async () => {
    await using around = await Surroundings.start();
    await using pinnace = await RunningPinnace.start(await around.writeConfig());
    const answers = await Promise.all(
      Array.from({ length: CLIENTS }, () => pinnace.get(`${APP}/manifests/1`)),
    );
    assert.deepEqual(new Set(answers.map(reasonOf)), new Set(['no_trust_data']));
    assert.equal(around.notary.filesAsked().length, 1);
  });

  it('asks for one file when it looks again at an unchanged collection', async () => {
    await using around = await Surroundings.start();
    const image = buildImage();
    around.publisher(APP).release('1', image);
    const config = await around.writeConfig({ trust: { maxAge: '0s' } });
    await using pinnace = await RunningPinnace.start(config);
    await pinnace.verdict(APP, '1');
    const before = around.notary.filesAsked().length;
    assert.equal(await pinnace.verdict(APP, '1'), image.manifest.digest);
    assert.deepEqual(around.notary.filesAsked().slice(before), ['timestamp.json']);
  });
});
