import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type ClientRequest, request } from 'node:http';
import { describe, it } from 'node:test';
import type { RequestLimits } from '../../../src/server/request-places.ts';
import {
  type Answer,
  ociError,
  RegistryUnderTest,
  until,
} from '../../support/registry-under-test.ts';

const NAME = 'library/alpine';
const REPOSITORY = `docker.io/${NAME}`;

/** A listener with few places, and a blob whose reader keeps one until it goes away. */
class Crowded implements AsyncDisposable {
  readonly registry: RegistryUnderTest;
  readonly blob: string;
  readonly #asking: ClientRequest[] = [];

  private constructor(registry: RegistryUnderTest) {
    this.registry = registry;
    this.blob = registry.pulls.addBlob(REPOSITORY, Buffer.alloc(5000), {
      failAfter: 100,
      hangs: true,
    });
    registry.pulls.addTag(REPOSITORY, '1', { body: '{"one":1}' });
  }

  static async start(
    refusal: 'deny' | 'hard-stop',
    places: Partial<RequestLimits> = {},
    more: { readonly hasHardStopRules?: boolean } = {},
  ): Promise<Crowded> {
    const options = { refusal, places: { requests: 1, ...places }, ...more };
    const registry = new RegistryUnderTest(options);
    return new Crowded(await registry.start());
  }

  /** Takes a place, and gives back what ends it. */
  async hold(): Promise<() => Promise<void>> {
    const { registry } = this;
    const before = registry.places.taken;
    const path = `/v2/${NAME}/blobs/${this.blob}`;
    const outgoing = request({ host: '127.0.0.1', port: registry.port, path, agent: false });
    outgoing.on('error', () => undefined);
    this.#asking.push(outgoing);
    outgoing.end();
    await once(outgoing, 'response');
    assert.equal(registry.places.taken, before + 1);
    return async () => {
      outgoing.destroy();
      await until(() => registry.places.taken <= before);
    };
  }

  tag(tag = '1'): Promise<Answer> {
    return this.registry.get(`/v2/${NAME}/manifests/${tag}`);
  }

  /** Begins a request that will wait, and resolves when it does. */
  async waiting(
    path: string,
  ): Promise<{ readonly outgoing: ClientRequest; answer: Promise<Answer> }> {
    const { registry } = this;
    const before = registry.places.waiting;
    const done = Promise.withResolvers<Answer>();
    const outgoing = request({ host: '127.0.0.1', port: registry.port, path, agent: false });
    outgoing.on('error', () => undefined);
    this.#asking.push(outgoing);
    outgoing.on('response', (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('end', () => {
        const { statusCode: status = 0, headers } = incoming;
        done.resolve({ status, headers, body: Buffer.concat(chunks) });
      });
    });
    outgoing.end();
    await until(() => registry.places.waiting > before);
    return { outgoing, answer: done.promise };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of this.#asking) each.destroy();
    await this.registry[Symbol.asyncDispose]();
  }
}

describe('requests without a place on a deny listener', () => {
  it('hear at once what is full, and when to come again', async () => {
    await using crowded = await Crowded.start('deny');
    const { registry } = crowded;
    const release = await crowded.hold();
    for (const path of [`manifests/1`, `blobs/${crowded.blob}`, 'tags/list']) {
      const answer = await registry.get(`/v2/${NAME}/${path}`);
      assert.equal(answer.status, 503, path);
      assert.equal(answer.headers['retry-after'], '5');
      assert.equal(answer.headers['x-pinnace-reason'], 'overloaded');
      const { code, message, detail } = ociError(answer);
      assert.equal(code, 'UNAVAILABLE');
      assert.equal(detail['code'], 'overloaded');
      assert.ok(message.startsWith(`pinnace refused ${REPOSITORY}`), message);
      assert.ok(message.includes('limits.requests is 1'), message);
      const head = await registry.head(`/v2/${NAME}/${path}`);
      assert.equal(head.status, 503);
      assert.equal(head.headers['content-length'], answer.headers['content-length']);
    }
    assert.equal(registry.pulls.asked.length, 1, 'nothing was looked up for them');
    await release();
    assert.equal((await crowded.tag()).status, 200);
    assert.equal(registry.places.taken, 0);
    assert.equal(registry.places.turnedAway, 6);
  });

  it('are answered all the same when they ask /v2/ or nothing that could be', async () => {
    await using crowded = await Crowded.start('deny');
    await crowded.hold();
    const { registry } = crowded;
    assert.equal((await registry.get('/v2/')).status, 200);
    assert.equal((await registry.get('/v2/UPPER/manifests/1')).status, 400);
    assert.equal(
      (await registry.get(`/v2/${NAME}/blobs/uploads/`, { method: 'POST' })).status,
      405,
    );
    const catalog = await registry.get('/v2/_catalog');
    assert.equal(catalog.status, 503);
    assert.equal(catalog.headers['retry-after'], '5');
    assert.equal(ociError(catalog).detail['code'], 'overloaded');
    assert.equal(registry.places.taken, 1);
  });

  it('are counted each, and logged once a second', async () => {
    await using crowded = await Crowded.start('deny');
    await crowded.hold();
    const { registry } = crowded;
    for (let index = 0; index < 3; index += 1) await crowded.tag();
    registry.clock.advance(1_000);
    await crowded.tag();
    const lines = registry.logged('overload.turned_away');
    assert.deepEqual(
      lines.map(({ requests }) => requests),
      [1, 3],
    );
    assert.equal(lines[0]?.['limit'], 'limits.requests');
    assert.equal(registry.logged('request').length, 0, 'a flood must not fill the log');
    const refused = 'pinnace_refusals_total{reason="overloaded",rule="none",trust="none"}';
    assert.equal(await registry.metric(refused), 4);
    const kind = 'pinnace_requests_total{kind="manifest_tag",verdict="inconclusive"}';
    assert.equal(await registry.metric(kind), 4);
  });

  it('are let in again by a limit that has been raised', async () => {
    await using crowded = await Crowded.start('deny');
    await crowded.hold();
    assert.equal((await crowded.tag()).status, 503);
    crowded.registry.places.configure({ requests: 2, queue: 0, queueTimeoutMs: 0 });
    assert.equal((await crowded.tag()).status, 200);
  });

  it('are stopped hard where their rule says so', async () => {
    await using crowded = await Crowded.start('deny', { queue: 0 }, { hasHardStopRules: true });
    crowded.registry.rules.set(`${REPOSITORY}:1`, 'hard-stop');
    await crowded.hold();
    const stopped = await crowded.tag();
    assert.equal(stopped.headers['x-pinnace-reason'], 'overloaded');
    assert.equal(stopped.status, 200);
    assert.equal((await crowded.tag('2')).status, 503);
  });
});

describe('requests without a place on a hard-stop listener', () => {
  it('wait for one, and are then answered as ever', async () => {
    await using crowded = await Crowded.start('hard-stop');
    const { registry } = crowded;
    const release = await crowded.hold();
    const one = await crowded.waiting(`/v2/${NAME}/manifests/1`);
    assert.equal(registry.places.waiting, 1);
    await release();
    const answer = await one.answer;
    assert.equal(answer.status, 200);
    assert.equal(answer.body.toString(), '{"one":1}');
    await until(() => registry.places.taken === 0);
    assert.deepEqual([registry.places.taken, registry.places.waiting], [0, 0]);
    assert.equal(registry.places.turnedAway, 0);
  });

  it('go in the order in which they came, pulls that have begun before new ones', async () => {
    await using crowded = await Crowded.start('hard-stop');
    const { registry } = crowded;
    registry.pulls.hasAnswersAtHand = false;
    const { digest } = registry.pulls.addTag(REPOSITORY, '2', { body: '{"two":2}' });
    const release = await crowded.hold();
    const order = ['manifests/1', 'manifests/2', `manifests/${digest}`];
    for (const path of order) await crowded.waiting(`/v2/${NAME}/${path}`);
    await release();
    await until(() => registry.pulls.asked.length === 4);
    assert.deepEqual(registry.pulls.asked.slice(1), [
      `${REPOSITORY} ${digest}`,
      `${REPOSITORY} 1`,
      `${REPOSITORY} 2`,
    ]);
  });

  it('are stopped hard when the wait is over: a tag for good, a digest with 503', async () => {
    await using crowded = await Crowded.start('hard-stop', { queueTimeoutMs: 3_000 });
    const { registry } = crowded;
    await crowded.hold();
    const tag = await crowded.waiting(`/v2/${NAME}/manifests/1`);
    const blob = await crowded.waiting(`/v2/${NAME}/blobs/${crowded.blob}`);
    registry.clock.advance(2_999);
    assert.equal(registry.places.waiting, 2);
    registry.clock.advance(1);
    const stopped = await tag.answer;
    assert.equal(stopped.status, 200, 'anything else would be gone round');
    assert.equal(stopped.headers['x-pinnace-reason'], 'overloaded');
    assert.notEqual(stopped.body.toString(), '{"one":1}');
    assert.ok(stopped.body.includes(`pinnace refused ${REPOSITORY}:1`));
    const refused = await blob.answer;
    assert.equal(refused.status, 503);
    assert.equal(refused.headers['retry-after'], '5');
    assert.equal(registry.places.waiting, 0);
    assert.equal(registry.places.turnedAway, 2);
    assert.equal(await registry.metric('pinnace_decoys_issued_total'), 1);
  });

  it('are stopped at once when as many wait already, each kind for itself', async () => {
    await using crowded = await Crowded.start('hard-stop', { queue: 1 });
    const { registry } = crowded;
    await crowded.hold();
    await crowded.waiting(`/v2/${NAME}/manifests/1`);
    const stopped = await crowded.tag();
    assert.equal(stopped.status, 200);
    assert.equal(stopped.headers['x-pinnace-reason'], 'overloaded');
    await crowded.waiting(`/v2/${NAME}/blobs/${crowded.blob}`);
    assert.equal(registry.places.waiting, 2);
    assert.equal((await registry.get(`/v2/${NAME}/blobs/${crowded.blob}`)).status, 503);
  });

  it('get the decoy they were given once more by its digest, place or not', async () => {
    await using crowded = await Crowded.start('hard-stop', { queue: 0 });
    const { registry } = crowded;
    await crowded.hold();
    const stopped = await crowded.tag();
    const digest = String(stopped.headers['docker-content-digest']);
    const again = await registry.get(`/v2/${NAME}/manifests/${digest}`);
    assert.equal(again.status, 200, 'an engine that is refused it asks the registry');
    assert.deepEqual(again.body, stopped.body);
  });

  it('are told as their rule says, when it says deny', async () => {
    await using crowded = await Crowded.start('hard-stop', { queue: 0 });
    crowded.registry.rules.set(`${REPOSITORY}:1`, 'deny');
    await crowded.hold();
    assert.equal((await crowded.tag()).status, 503);
  });

  it('leave the line when they hang up, and take nobody’s place', async () => {
    await using crowded = await Crowded.start('hard-stop');
    const { registry } = crowded;
    const release = await crowded.hold();
    const gone = await crowded.waiting(`/v2/${NAME}/manifests/1`);
    const next = await crowded.waiting(`/v2/${NAME}/manifests/1`);
    gone.outgoing.destroy();
    await until(() => registry.places.waiting === 1);
    assert.equal(registry.places.waiting, 1);
    await release();
    assert.equal((await next.answer).status, 200);
    await until(() => registry.places.taken === 0);
    assert.equal(registry.places.taken, 0);
    await registry.requests.idle();
  });
});
