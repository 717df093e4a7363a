import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { buildImage, signedContentOf } from '../support/images.ts';
import { NotaryRepository } from '../support/notary-repository.ts';
import { PinnaceProcess } from '../support/pinnace-process.ts';
import { Registry } from '../support/registry.ts';
import { type Answer, ask, ociError } from '../support/registry-under-test.ts';
import {
  BriskClock,
  REGISTRY_HOST,
  RunningPinnace,
  reasonOf,
  Surroundings,
} from '../support/running-pinnace.ts';

const APP = 'team/app';

/** The value of a series of a process that runs. */
async function metricOf(port: number, series: string): Promise<number | undefined> {
  const text = (await ask(port, '/metrics')).body.toString();
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

/** Asks again and again until there is an answer. */
async function askedUntilAnswered(port: number, path: string): Promise<Answer> {
  for (let turn = 0; ; turn += 1) {
    try {
      const answer = await ask(port, path);
      if (answer.status !== 503 || turn > 200) return answer;
    } catch (error) {
      if (turn > 200) throw error;
    }
    await pause(25);
  }
}

const HANGING_HOST = 'slow.example.com';

describe('the whole proxy: a registry that hangs, and few blobs at a time', () => {
  it('leaves room for another registry, and what is at hand is answered all the while', async () => {
    await using around = await Surroundings.start();
    await using slow = await new Registry().start();
    slow.inject(/blobs/, { kind: 'hang' });
    const hanging = buildImage({ message: 'hanging' });
    const trust = new NotaryRepository({ gun: `${HANGING_HOST}/${APP}` });
    slow.push(APP, hanging, '1');
    trust.sign('1', signedContentOf(hanging));
    around.notary.serve(trust.gun, trust.publish());
    const image = buildImage({ message: 'quick', bigLayerBytes: 300_000 });
    around.publisher(APP).release('1', image);
    const config = await around.writeConfig({
      more: {
        upstreams: {
          [REGISTRY_HOST]: { url: around.registry.url },
          [HANGING_HOST]: { url: slow.url },
        },
        limits: { blobs: 2, blobQueueTimeout: '20s' },
      },
      policy: [REGISTRY_HOST, HANGING_HOST].map((host) => ({ match: `${host}/**`, trust: 'corp' })),
    });
    const clock = new BriskClock();
    await using pinnace = await RunningPinnace.start(config, { clock });
    const tag = await pinnace.get(`${APP}/manifests/1?ns=${HANGING_HOST}`);
    assert.equal(tag.headers['docker-content-digest'], hanging.manifest.digest);
    const blobs = [hanging.config, ...hanging.layers].map(({ digest }) => digest);
    assert.ok(blobs.length >= 2);
    const pulls = blobs.map((digest) => pinnace.get(`${APP}/blobs/${digest}?ns=${HANGING_HOST}`));
    const used = 'pinnace_limit_used{limit="blobs"}';
    const waiting = 'pinnace_limit_waiting{limit="blobs"}';
    while ((await pinnace.metric(waiting)) !== blobs.length - 1) await pause(5);
    assert.equal(await pinnace.metric(used), 1);

    assert.equal(await pinnace.verdict(APP, '1'), image.manifest.digest);
    for (const part of [image.config, ...image.layers]) {
      const answer = await pinnace.get(`${APP}/blobs/${part.digest}`);
      assert.deepEqual([answer.status, answer.body.length], [200, part.bytes.length]);
    }
    assert.equal(await pinnace.verdict(APP, '1'), image.manifest.digest);

    clock.advance(20_000);
    const refused = await Promise.race(pulls);
    assert.equal(refused.status, 503);
    assert.equal(refused.headers['retry-after'], '5');
    assert.equal(ociError(refused).detail['code'], 'overloaded');
    assert.match(ociError(refused).message, /limits\.blobs is 2/);
    await slow.stop();
    await Promise.allSettled(pulls);
    while ((await pinnace.metric(used)) !== 0) await pause(5);
    assert.equal(await pinnace.metric(waiting), 0);
  });
});

describe('the whole proxy: few requests at a time', () => {
  const LIMITS = { requests: 1, queue: 1, queueTimeout: '4s' };
  const listeners = {
    registry: { address: '127.0.0.1:0', defaultRegistry: REGISTRY_HOST },
    mirror: { address: '127.0.0.1:0', defaultRegistry: REGISTRY_HOST, refusal: 'hard-stop' },
  };

  it('refuses on one listener, waits and stops hard on the other, and never answers unverified', async () => {
    await using around = await Surroundings.start();
    const publisher = around.publisher(APP);
    const image = buildImage({ message: 'signed' });
    const unsigned = buildImage({ message: 'unsigned' });
    publisher.release('1', image);
    publisher.push('unsigned', unsigned);
    around.registry.moveTag(APP, '1', unsigned.manifest.digest);
    const slow = buildImage({ message: 'slow' });
    publisher.release('slow', slow);
    around.registry.inject(slow.manifest.digest, { kind: 'hang' });
    const clock = new BriskClock();
    const config = await around.writeConfig({ listeners, more: { limits: LIMITS } });
    await using pinnace = await RunningPinnace.start(config, { clock });
    const mirror = { listener: 'mirror' };
    const waiting = 'pinnace_limit_waiting{limit="requests"}';
    const used = 'pinnace_limit_used{limit="requests"}';
    const held = connect(pinnace.port(), '127.0.0.1');
    held.write(`GET /v2/${APP}/manifests/slow HTTP/1.1\r\nHost: x\r\n\r\n`);
    while ((await pinnace.metric(used)) !== 1) await pause(5);

    const refused = await pinnace.get(`${APP}/manifests/unsigned`);
    assert.equal(refused.status, 503);
    assert.equal(reasonOf(refused), 'overloaded');
    assert.equal((await pinnace.get('')).status, 200);
    assert.equal((await pinnace.admin('/healthz')).status, 200);
    const late = pinnace.get(`${APP}/manifests/1`, mirror);
    while ((await pinnace.metric(waiting)) !== 1) await pause(5);
    const crowded = await pinnace.get(`${APP}/manifests/1`, mirror);
    clock.advance(4_000);
    for (const stopped of [crowded, await late]) {
      assert.equal(stopped.status, 200);
      assert.equal(stopped.headers['x-pinnace-reason'], 'overloaded');
      const digest = stopped.headers['docker-content-digest'];
      assert.notEqual(digest, image.manifest.digest);
      assert.notEqual(digest, unsigned.manifest.digest);
    }
    const patient = pinnace.get(`${APP}/manifests/1`, mirror);
    while ((await pinnace.metric(waiting)) !== 1) await pause(5);
    held.destroy();
    assert.equal((await patient).headers['docker-content-digest'], image.manifest.digest);
    assert.equal(await pinnace.verdict(APP, '1'), image.manifest.digest);
    while ((await pinnace.metric(used)) !== 0) await pause(5);
    assert.equal(await pinnace.metric('pinnace_turned_away_total{limit="requests"}'), 3);
    assert.match((await pinnace.admin('/')).body.toString(), /3 turned away since the start/);
  });
});

describe('the whole proxy: no file descriptors left', () => {
  const skip = process.platform !== 'linux' && 'the limit of open files is read on Linux only';

  it('stands a crowd that the system has no descriptors for', { skip }, async () => {
    await using around = await Surroundings.start();
    const publisher = around.publisher(APP, { now: new Date() });
    const image = buildImage({ message: 'few descriptors' });
    publisher.release('1', image);
    await using served = await PinnaceProcess.serve(await around.writeConfig(), 90);
    const port = served.port();
    const path = `/v2/${APP}/manifests/1`;
    assert.equal((await ask(port, path)).status, 200);
    const warned = served.logged('config.warning').map((line) => line['path']);
    assert.ok(warned.includes('limits.connections'), String(warned));
    const most = await metricOf(served.port('admin'), 'pinnace_limit{limit="connections"}');
    assert.equal(most, 1);
    const crowd = Array.from({ length: 300 }, () => connect(port, '127.0.0.1'));
    for (const socket of crowd) socket.on('error', () => undefined);
    await Promise.all(crowd.map((socket) => once(socket, 'connect')));
    const turned = 'pinnace_turned_away_total{limit="connections"}';
    for (const socket of crowd) socket.destroy();
    const answer = await askedUntilAnswered(port, path);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['docker-content-digest'], image.manifest.digest);
    assert.ok(((await metricOf(served.port('admin'), turned)) ?? 0) > 0);
  });
});
