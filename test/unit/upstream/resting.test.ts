import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UpstreamError } from '../../../src/resolve/errors.ts';
import { attempt, type Call, type Work } from '../../../src/upstream/attempt.ts';
import { silentEvents } from '../../../src/upstream/events.ts';
import { RegistryUpstream } from '../../../src/upstream/registry-upstream.ts';
import { rejectsWithCode } from '../../support/reject-with-code.ts';
import { answers, asked, gives, hangs, RETRY, resets, sceneOf } from './fallback-scene.ts';
import { HurryingClock } from './hurrying-clock.ts';
import { type Handler, serve } from './loopback.ts';
import { BLOB_PATH, CONTENT, DIGEST, LIMIT, REGISTRY, REPOSITORY } from './registry-fixture.ts';
import { clientOf, drain } from './registry-setup.ts';

describe('a server that is given a rest', () => {
  const BREAKER = { failures: 2, openMs: 10_000 };

  it('is passed over for its fallback, until one request has tried', async (t) => {
    let isDown = true;
    const main: Handler = (request, response) => (isDown ? answers(500) : gives)(request, response);
    const { client, servers, told, clock } = await sceneOf(t, [main, gives], { breaker: BREAKER });
    for (let count = 0; count < 5; count += 1) {
      await client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
    }
    assert.deepEqual(asked(servers), [2, 5]);
    assert.equal(client.servers()[0]?.breaker, 'open');
    assert.equal(client.servers()[0]?.trialInMs, 10_000);
    isDown = false;
    clock.advance(10_000);
    await client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
    assert.deepEqual(asked(servers), [3, 5]);
    assert.deepEqual(
      told.filter((event) => !event.endsWith('fell back')),
      [`${REGISTRY} open`, `${REGISTRY} closed`],
    );
  });

  it('is not asked at all without one, and the refusal says until when', async (t) => {
    const { client, servers, clock } = await sceneOf(t, [resets], { breaker: BREAKER });
    for (let count = 0; count < 2; count += 1) {
      await assert.rejects(client.fetchManifest(REPOSITORY, DIGEST, LIMIT));
    }
    clock.advance(2_000);
    const call = client.fetchBlob(REPOSITORY, DIGEST);
    await rejectsWithCode(call, UpstreamError, 'upstream_unreachable');
    await call.catch((error: UpstreamError) => assert.equal(error.retryAfterSeconds, 8));
    assert.deepEqual(asked(servers), [2]);
  });

  it('counts a request that was tried again as one failure', async (t) => {
    const server = await serve(t, answers(500));
    const options = { url: server.url, breaker: BREAKER };
    const client = clientOf(t, options, { retry: { tries: 3, baseDelayMs: 1 } });
    await assert.rejects(client.fetchManifest(REPOSITORY, DIGEST, LIMIT));
    assert.equal(server.requests.length, 3);
    assert.equal(client.servers()[0]?.breaker, 'closed');
    await assert.rejects(client.fetchManifest(REPOSITORY, DIGEST, LIMIT));
    assert.equal(client.servers()[0]?.breaker, 'open');
    // The second request was not tried again once that had opened the breaker.
    assert.equal(server.requests.length, 4);
  });

  const harmless = [404, 401, 403, 429, 400];
  for (const status of harmless) {
    it(`does not get one for ${status}`, async (t) => {
      const { client, servers } = await sceneOf(t, [answers(status)], { breaker: BREAKER });
      for (let count = 0; count < 4; count += 1) {
        await assert.rejects(client.fetchManifest(REPOSITORY, DIGEST, LIMIT));
      }
      assert.deepEqual(asked(servers), [4]);
    });
  }

  for (const status of [404, 401, 429]) {
    it(`is asked by all again when it answers ${status} to the one that tries`, async (t) => {
      let now = 500;
      const handler: Handler = (request, response) => answers(now)(request, response);
      const { client, servers, clock } = await sceneOf(t, [handler], { breaker: BREAKER });
      const ask = (): Promise<unknown> => client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
      for (let count = 0; count < 2; count += 1) await assert.rejects(ask());
      now = status;
      clock.advance(10_000);
      await assert.rejects(ask());
      assert.equal(client.servers()[0]?.breaker, 'closed');
      assert.deepEqual(asked(servers), [3]);
    });
  }

  it('is asked by all again once the head of a blob has come', async (t) => {
    let isDown = true;
    const handler: Handler = (request, response) => {
      if (isDown) answers(500)(request, response);
      else if (request.url === BLOB_PATH) response.write('x');
      else gives(request, response);
    };
    const { client, clock } = await sceneOf(t, [handler], { breaker: BREAKER });
    for (let count = 0; count < 2; count += 1) {
      await assert.rejects(client.fetchBlob(REPOSITORY, DIGEST));
    }
    isDown = false;
    clock.advance(10_000);
    const going = new AbortController();
    await client.fetchBlob(REPOSITORY, DIGEST, { signal: going.signal });
    await client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
    going.abort();
  });

  it('starts counting anew after a blob that came whole', async (t) => {
    let isDown = true;
    const handler: Handler = (request, response) =>
      (isDown ? answers(500) : gives)(request, response);
    const { client } = await sceneOf(t, [handler], { breaker: BREAKER });
    await assert.rejects(client.fetchBlob(REPOSITORY, DIGEST));
    isDown = false;
    await drain((await client.fetchBlob(REPOSITORY, DIGEST)).body);
    isDown = true;
    await assert.rejects(client.fetchBlob(REPOSITORY, DIGEST));
    assert.equal(client.servers()[0]?.breaker, 'closed');
  });

  it('rests anew when the trial fails, although its request had failed before', async (t) => {
    const server = await serve(t, answers(500));
    const clock = new HurryingClock();
    const context = { clock, events: silentEvents, userAgent: 'test', retry: RETRY };
    const options = { url: server.url, breaker: { failures: 1, openMs: 10_000 } };
    const upstream = new RegistryUpstream('registry.test', options, context);
    t.after(() => upstream.close());
    const work: Work<unknown> = (each, { signal }) =>
      each.get({ path: 'x', scope: 'y', accept: '*/*', signal });
    const call: Call = { signal: new AbortController().signal, blamed: new Set() };
    await assert.rejects(attempt(upstream, call, work));
    clock.advance(10_000);
    await assert.rejects(attempt(upstream, call, work));
    assert.equal(upstream.admission.breaker.waitMs(), 10_000);
  });

  it('gets one for bodies that break off again and again', async (t) => {
    const breaksOff: Handler = (request, response) => {
      response.writeHead(200, { 'content-length': 500 }).write(CONTENT);
      setImmediate(() => request.socket.destroy());
    };
    const { client } = await sceneOf(t, [breaksOff], { breaker: BREAKER });
    for (let count = 0; count < 2; count += 1) {
      const { body } = await client.fetchBlob(REPOSITORY, DIGEST);
      await assert.rejects(drain(body));
    }
    assert.equal(client.servers()[0]?.breaker, 'open');
  });

  it('gets none for a caller who goes away', async (t) => {
    const { client, servers } = await sceneOf(t, [hangs], { breaker: BREAKER });
    for (let count = 0; count < 3; count += 1) {
      const going = new AbortController();
      const call = client.fetchBlob(REPOSITORY, DIGEST, { signal: going.signal });
      while ((servers[0]?.requests.length ?? 0) <= count) await new Promise(setImmediate);
      going.abort(new Error('gone'));
      await assert.rejects(call, /gone/);
    }
    const [state] = client.servers();
    assert.deepEqual([state?.breaker, state?.inFlight], ['closed', 0]);
  });
});

describe('places among the requests to a server', () => {
  const LIMITS = { requests: 1, queue: 0 };

  it('are taken until the body of a blob is over, however that comes about', async (t) => {
    const { client } = await sceneOf(t, [gives], { limits: LIMITS });
    const inFlight = (): number | undefined => client.servers()[0]?.inFlight;
    const reading = await client.fetchBlob(REPOSITORY, DIGEST);
    assert.equal(inFlight(), 1);
    const busy = client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
    await rejectsWithCode(busy, UpstreamError, 'upstream_busy');
    await busy.catch((error: UpstreamError) => assert.equal(error.retryAfterSeconds, 5));
    await drain(reading.body);
    await freed(inFlight);
    for await (const _ of (await client.fetchBlob(REPOSITORY, DIGEST)).body) break;
    await freed(inFlight);
    const going = new AbortController();
    await client.fetchBlob(REPOSITORY, DIGEST, { signal: going.signal });
    going.abort();
    await freed(inFlight);
    await client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
    assert.equal(inFlight(), 0);
  });

  it('that are all taken send a request to the fallback', async (t) => {
    const { client, servers } = await sceneOf(t, [gives, gives], { limits: LIMITS });
    const reading = await client.fetchBlob(REPOSITORY, DIGEST);
    await client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
    assert.deepEqual(asked(servers), [1, 1]);
    await drain(reading.body);
  });
});

/** Waits until a place is free again, which is when the connection has ended. */
async function freed(inFlight: () => number | undefined): Promise<void> {
  while (inFlight() !== 0) await new Promise(setImmediate);
}
