import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { buildImage } from '../support/images.ts';
import { PinnaceProcess } from '../support/pinnace-process.ts';
import { type Answer, ask } from '../support/registry-under-test.ts';
import { Surroundings } from '../support/running-pinnace.ts';

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
