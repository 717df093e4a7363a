import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseTag } from '../../../src/oci/names.ts';
import { UpstreamError } from '../../../src/resolve/errors.ts';
import { passwordCredentials } from '../../../src/upstream/credentials.ts';
import { rejectsWithCode } from '../../support/reject-with-code.ts';
import {
  answers,
  asked,
  gives,
  notHttp,
  poisons,
  RETRY,
  resets,
  sceneOf,
} from './fallback-scene.ts';
import { type Handler, serve } from './loopback.ts';
import {
  BLOB_PATH,
  CONTENT,
  DIGEST,
  LIMIT,
  MANIFEST_PATH,
  REGISTRY,
  REPOSITORY,
} from './registry-fixture.ts';
import { clientOf, drain } from './registry-setup.ts';

const FAILINGS: readonly (readonly [string, Handler, UpstreamError['code']])[] = [
  ['fails', answers(503), 'upstream_unreachable'],
  ['does not have it', answers(404), 'manifest_missing'],
  ['refuses', answers(401), 'upstream_denied'],
  ['forbids', answers(403), 'upstream_denied'],
  ['limits the rate', answers(429, { 'retry-after': '7' }), 'upstream_rate_limited'],
  ['redirects nowhere', answers(302), 'upstream_unreachable'],
  ['calls the request bad', answers(400), 'upstream_unreachable'],
  ['cuts the connection', resets, 'upstream_unreachable'],
  ['speaks no HTTP', notHttp, 'upstream_unreachable'],
  ['sends something else', poisons, 'digest_mismatch'],
  ['sends too much', (_q, r) => void r.end('x'.repeat(2000)), 'upstream_unreachable'],
];

describe('fallbacks', () => {
  for (const [what, handler, code] of FAILINGS) {
    it(`give the manifest when the first server ${what}; alone, that is ${code}`, async (t) => {
      const { client, servers, told } = await sceneOf(t, [handler, gives]);
      const { bytes } = await client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
      assert.deepEqual(Buffer.from(bytes), CONTENT);
      assert.deepEqual(asked(servers), [1, 1]);
      assert.deepEqual(
        told.filter((event) => event.endsWith('fell back')),
        [`${REGISTRY} fell back`],
      );
      const alone = await sceneOf(t, [handler]);
      const call = alone.client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
      await rejectsWithCode(call, UpstreamError, code);
    });
  }

  it('give the blob likewise, and are not asked when the first server has it', async (t) => {
    const { client, servers } = await sceneOf(t, [answers(404), gives]);
    const { body } = await client.fetchBlob(REPOSITORY, DIGEST);
    assert.deepEqual(await drain(body), CONTENT);
    assert.deepEqual(
      servers.map(({ requests }) => requests[0]?.url),
      [BLOB_PATH, BLOB_PATH],
    );
    const better = await sceneOf(t, [gives, gives]);
    await better.client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
    assert.deepEqual(asked(better.servers), [1, 0]);
    assert.deepEqual(better.told, []);
  });

  it('are asked in their order, below their own paths', async (t) => {
    const seen: string[] = [];
    const noting =
      (name: string, handler: Handler): Handler =>
      (request, response) => {
        seen.push(`${name} ${request.url}`);
        handler(request, response);
      };
    const one = await serve(t, noting('one', answers(500)));
    const two = await serve(t, noting('two', answers(500)));
    const three = await serve(t, noting('three', gives));
    const fallbacks = [{ url: `${two.url}/hub/` }, { url: three.url }];
    const client = clientOf(t, { url: one.url, fallbacks }, { retry: RETRY });
    await client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
    assert.deepEqual(seen, [
      `one ${MANIFEST_PATH}`,
      `two /hub${MANIFEST_PATH}`,
      `three ${MANIFEST_PATH}`,
    ]);
  });

  const verdicts: readonly (readonly [string, readonly Handler[], UpstreamError['code']])[] = [
    ['all say that it is missing', [answers(404), answers(404)], 'manifest_missing'],
    ['one is missing it and one refuses', [answers(404), answers(401)], 'upstream_denied'],
    ['one refuses and one is missing it', [answers(403), answers(404)], 'upstream_denied'],
    ['one is missing it and one fails', [answers(404), answers(500)], 'upstream_unreachable'],
    ['one refuses and one fails', [answers(401), resets], 'upstream_unreachable'],
    ['one lies and one is missing it', [poisons, answers(404)], 'digest_mismatch'],
    ['one lies and one refuses', [poisons, answers(401)], 'digest_mismatch'],
    ['one lies and one fails', [poisons, answers(502)], 'upstream_unreachable'],
    ['all lie', [poisons, poisons, poisons], 'digest_mismatch'],
    [
      'one limits the rate and one is missing it',
      [answers(429), answers(404)],
      'upstream_rate_limited',
    ],
  ];
  for (const [what, handlers, code] of verdicts) {
    it(`come to ${code} when ${what}, and the error names each`, async (t) => {
      const { client, servers } = await sceneOf(t, handlers);
      const call = client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
      await rejectsWithCode(call, UpstreamError, code);
      await call.catch((error: UpstreamError) => {
        for (const { host } of servers)
          assert.ok(error.message.includes(`${host}: `), error.message);
        assert.equal(Object(error.detail['tried']).length, handlers.length);
      });
    });
  }

  it('pass on the shortest time after which to try again', async (t) => {
    const handlers = [answers(429, { 'retry-after': '9' }), answers(503, { 'retry-after': '4' })];
    const { client } = await sceneOf(t, handlers);
    const call = client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
    await call.catch((error: UpstreamError) => assert.equal(error.retryAfterSeconds, 4));
    await rejectsWithCode(call, UpstreamError, 'upstream_unreachable');
  });

  it('are never asked what a tag means', async (t) => {
    const { client, servers } = await sceneOf(t, [answers(500), gives]);
    const call = client.fetchByTagUnverified(REPOSITORY, parseTag('1'), LIMIT);
    await rejectsWithCode(call, UpstreamError, 'upstream_unreachable');
    assert.deepEqual(asked(servers), [1, 0]);
  });

  it('do not learn the login of the first server, nor it theirs', async (t) => {
    const wants: Handler = (_request, response) => {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    };
    const main = await serve(t, wants);
    const other = await serve(t, wants);
    const silent = await serve(t, wants);
    const client = clientOf(t, {
      url: main.url,
      credentials: passwordCredentials('main', async () => 'm'),
      fallbacks: [
        { url: other.url, credentials: passwordCredentials('other', async () => 'o') },
        { url: silent.url },
      ],
    });
    const call = client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
    await rejectsWithCode(call, UpstreamError, 'upstream_denied');
    const sent = [main, other, silent].map(({ requests }) =>
      requests.map(({ headers }) => headers['authorization']),
    );
    const basic = (pair: string): string => `Basic ${Buffer.from(pair).toString('base64')}`;
    assert.deepEqual(sent, [
      [undefined, basic('main:m')],
      [undefined, basic('other:o')],
      [undefined],
    ]);
  });
});

describe('fallbacks: a server that sends something else', () => {
  it('is told of, and not asked for that digest for a minute', async (t) => {
    const { client, servers, told, clock } = await sceneOf(t, [poisons, gives]);
    for (let count = 0; count < 3; count += 1) {
      await client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
    }
    assert.deepEqual(asked(servers), [1, 3]);
    assert.equal(told.filter((event) => event === `${REGISTRY} mismatch`).length, 1);
    clock.advance(60_001);
    await client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
    assert.deepEqual(asked(servers), [2, 4]);
  });

  it('is named after the upstream and its own address when it is a fallback', async (t) => {
    const { client, servers, told } = await sceneOf(t, [answers(404), poisons]);
    await assert.rejects(client.fetchManifest(REPOSITORY, DIGEST, LIMIT));
    assert.deepEqual(told, [`${REGISTRY} (${servers[1]?.host}) mismatch`]);
  });

  it('is asked again where there is nobody else', async (t) => {
    const { client, servers } = await sceneOf(t, [poisons]);
    for (let count = 0; count < 2; count += 1) {
      const call = client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
      await rejectsWithCode(call, UpstreamError, 'digest_mismatch');
    }
    assert.deepEqual(asked(servers), [2]);
  });

  it('gives way for a blob once its reader has said so', async (t) => {
    const { client, servers, told } = await sceneOf(t, [poisons, gives]);
    const first = await client.fetchBlob(REPOSITORY, DIGEST);
    await drain(first.body);
    assert.equal(first.reportWrong?.(), true);
    const second = await client.fetchBlob(REPOSITORY, DIGEST);
    assert.deepEqual(await drain(second.body), CONTENT);
    assert.equal(second.reportWrong?.(), false, 'nobody is left');
    assert.deepEqual(asked(servers), [1, 1]);
    assert.equal(told.filter((event) => event.endsWith('mismatch')).length, 2);
    const alone = await sceneOf(t, [poisons]);
    const only = await alone.client.fetchBlob(REPOSITORY, DIGEST);
    await drain(only.body);
    assert.equal(only.reportWrong?.(), false);
  });

  it('is asked last after it broke off within a blob', async (t) => {
    const breaksOff: Handler = (request, response) => {
      response.writeHead(200, { 'content-length': 500 }).write(CONTENT);
      setImmediate(() => request.socket.destroy());
    };
    const { client, servers } = await sceneOf(t, [breaksOff, gives]);
    const { body } = await client.fetchBlob(REPOSITORY, DIGEST);
    await rejectsWithCode(drain(body), UpstreamError, 'upstream_unreachable');
    await drain((await client.fetchBlob(REPOSITORY, DIGEST)).body);
    assert.deepEqual(asked(servers), [1, 1]);
    const last = await sceneOf(t, [breaksOff, answers(404)]);
    for (let count = 0; count < 2; count += 1) {
      const again = await last.client.fetchBlob(REPOSITORY, DIGEST);
      await assert.rejects(drain(again.body));
    }
    assert.deepEqual(asked(last.servers), [2, 1], 'the second time after the other');
  });

  it('and others are asked once more when one of them failed for the moment', async (t) => {
    let count = 0;
    const recovers: Handler = (request, response) => {
      count += 1;
      (count === 1 ? answers(503) : gives)(request, response);
    };
    const main = await serve(t, recovers);
    const other = await serve(t, answers(404));
    const upstream = { url: main.url, fallbacks: [{ url: other.url }] };
    const client = clientOf(t, upstream, { retry: { tries: 2, baseDelayMs: 1 } });
    await client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
    assert.deepEqual(asked([main, other]), [2, 1]);
  });
});
