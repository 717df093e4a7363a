import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { buildImage, type Image } from '../support/images.ts';
import type { Publisher } from '../support/running-pinnace.ts';
import { REGISTRY_HOST, reasonOf } from '../support/running-pinnace.ts';
import { publisherNow, WorkerFleet } from '../support/worker-fleet.ts';

const APP = 'team/app';
const TAG = `${APP}/manifests/1.0`;
/** So many connections reach every worker more than once. */
const TURNS = 8;

interface Scene extends AsyncDisposable {
  readonly fleet: WorkerFleet;
  readonly publisher: Publisher;
  readonly image: Image;
}

async function scene(settings: Parameters<typeof WorkerFleet.start>[1] = {}): Promise<Scene> {
  const image = buildImage({ message: 'first' });
  let publisher: Publisher | undefined;
  const fleet = await WorkerFleet.start((around) => {
    publisher = publisherNow(around, APP);
    publisher.release('1.0', image);
  }, settings);
  if (publisher === undefined) throw new Error('nothing was prepared');
  return { fleet, publisher, image, [Symbol.asyncDispose]: () => fleet[Symbol.asyncDispose]() };
}

describe('what workers answer by themselves', () => {
  it('is counted and logged once, whoever answers', async () => {
    await using at = await scene();
    for (let turn = 0; turn < TURNS; turn += 1) {
      const answer = await at.fleet.get(TAG);
      assert.deepEqual(answer.body, at.image.manifest.bytes);
      assert.equal((await at.fleet.get(TAG, { method: 'HEAD' })).status, 200);
    }
    await at.fleet.get(`${APP}/manifests/unsigned`);
    await at.fleet.get('');
    assert.equal(await at.fleet.metric('pinnace_requests_total'), 2 * TURNS + 2);
    await at.fleet.process.untilLogged('request', 2 * TURNS + 2);
    assert.equal(at.fleet.process.logged('request').length, 2 * TURNS + 2);
    assert.equal(await at.fleet.metric('pinnace_request_duration_seconds_count'), 2 * TURNS + 2);
    const ids = at.fleet.process.logged('request').map(({ requestId }) => String(requestId));
    // More than one prefix: workers answered, and gave the ids.
    assert.ok(new Set(ids.map((id) => id.split('-')[0])).size > 1);
  });

  it('is never older than what another worker has answered', async () => {
    await using at = await scene();
    const order = new Map([[at.image.manifest.digest, 0]]);
    let newest = 0;
    let isOver = false;
    const pulling = async (): Promise<number> => {
      let pulls = 0;
      for (; !isOver; pulls += 1) {
        const floor = newest;
        const answer = await at.fleet.get(TAG);
        const seen = order.get(String(answer.headers['docker-content-digest'])) ?? -1;
        assert.ok(seen >= floor, `image ${seen} after image ${floor}`);
        newest = Math.max(newest, seen);
      }
      return pulls;
    };
    const publishing = async (): Promise<void> => {
      for (let version = 1; version <= 12; version += 1) {
        const image = buildImage({ message: `version ${version}` });
        order.set(image.manifest.digest, version);
        at.publisher.release('1.0', image);
        assert.equal((await at.fleet.refresh()).status, 200);
        // Whoever was told that it is done gets the new one from any worker.
        for (let turn = 0; turn < 4; turn += 1) {
          assert.deepEqual((await at.fleet.get(TAG)).body, image.manifest.bytes);
        }
      }
      isOver = true;
    };
    const [pulls] = await Promise.all([
      ...Array.from({ length: 6 }, pulling),
      publishing().finally(() => {
        isOver = true;
      }),
    ]);
    assert.ok(Number(pulls) > 12);
    assert.ok((await at.fleet.metric('pinnace_cache_hits_total{cache="answer"}')) > 100);
  });

  it('is over when the trust server is proved bad', async () => {
    await using at = await scene();
    for (let turn = 0; turn < TURNS; turn += 1) await at.fleet.get(TAG);
    at.publisher.publish(new Map([['timestamp', { signatures: () => [] }]]));
    await at.fleet.refresh();
    for (let turn = 0; turn < TURNS; turn += 1) {
      assert.equal((await at.fleet.get(TAG)).status, 403);
    }
  });

  it('is over when another configuration is in force', async () => {
    await using at = await scene();
    for (let turn = 0; turn < TURNS; turn += 1) assert.equal((await at.fleet.get(TAG)).status, 200);
    await at.fleet.writeConfig({ policy: [{ match: `${REGISTRY_HOST}/other/**`, trust: 'corp' }] });
    at.fleet.process.kill('SIGHUP');
    await at.fleet.process.untilLogged('config.reloaded');
    for (let turn = 0; turn < TURNS; turn += 1) {
      assert.equal(reasonOf(await at.fleet.get(TAG)), 'no_rule');
    }
  });

  it('ends with a worker that does not say that it has forgotten', async () => {
    await using at = await scene();
    for (let turn = 0; turn < TURNS; turn += 1) await at.fleet.get(TAG);
    const [stuck = 0] = at.fleet.workers;
    process.kill(stuck, 'SIGSTOP');
    const image = buildImage({ message: 'newer' });
    at.publisher.release('1.0', image);
    assert.equal((await at.fleet.refresh()).status, 200);
    assert.deepEqual(
      at.fleet.process.logged('worker.silent').map(({ pid }) => pid),
      [stuck],
    );
    await at.fleet.process.untilLogged('worker.started', 3);
    for (let turn = 0; turn < TURNS; turn += 1) {
      assert.deepEqual((await at.fleet.get(TAG)).body, image.manifest.bytes);
    }
  });

  it('ends so before a reload is said to be in force', async () => {
    await using at = await scene();
    const [stuck = 0] = at.fleet.workers;
    process.kill(stuck, 'SIGSTOP');
    at.fleet.process.kill('SIGHUP');
    await at.fleet.process.untilLogged('config.reloaded');
    const { stdout } = at.fleet.process;
    const order = ['worker.silent', 'worker.died', 'config.reloaded'].map((event) =>
      stdout.indexOf(`"event":"${event}"`),
    );
    assert.ok(
      order.every((place, index) => place > (order[index - 1] ?? 0)),
      order.join(),
    );
  });

  it('is nothing that clients can forge, and nothing that they are told of', async () => {
    await using at = await scene();
    const forged = {
      'X-Pinnace-Front': `${'0'.repeat(64)} registry 10.0.0.1 tls file`,
      'X-Pinnace-Front-Certificate': 'AAAA',
      'X-Pinnace-Front-Keep': 'AAAA',
    };
    for (let turn = 0; turn < 4; turn += 1) {
      const answer = await at.fleet.get(TAG, { headers: forged });
      assert.equal(answer.status, 200);
      const told = Object.keys(answer.headers).filter((name) => name.startsWith('x-pinnace-front'));
      assert.deepEqual(told, []);
    }
    for (const { client } of at.fleet.process.logged('request')) assert.equal(client, '127.0.0.1');
  });
});
