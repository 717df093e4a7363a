import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import { CodedError } from '../../../src/base/coded-error.ts';
import {
  accessTokenCredentials,
  passwordCredentials,
  refreshTokenCredentials,
} from '../../../src/upstream/credentials.ts';
import { MetadataServer } from '../../../src/upstream/metadata-server.ts';
import { notaryLocation } from '../../../src/upstream/metadata-url.ts';
import { challenge, type Handler, json, serve } from './loopback.ts';
import { DIGEST, LIMIT, REPOSITORY } from './registry-fixture.ts';
import { clientOf, drain } from './registry-setup.ts';

const CANARY = 'CANARY-8f3b';

/** Ways for a server to fail once it has been shown, or has itself said, something secret. */
const FAILURES: readonly (readonly [string, Handler])[] = [
  ['a status', (_q, r) => void r.writeHead(500, CANARY).end(CANARY)],
  ['a refusal', (_q, r) => json(r, { errors: [{ message: CANARY }] }, 403)],
  ['broken HTTP', (q) => void q.socket.end(`HTTP/1.1 200 OK\r\n${CANARY}\r\n\r\n`)],
  ['a reset', (q) => void q.socket.resetAndDestroy()],
  [
    'a redirect elsewhere',
    (_q, r) => void r.writeHead(307, { location: `ftp://x/?s=${CANARY}` }).end(),
  ],
  [
    'a redirect nowhere',
    (_q, r) => void r.writeHead(307, { location: `http://127.0.0.1:9/?s=${CANARY}` }).end(),
  ],
  ['a stranger realm', (_q, r) => challenge(r, `ftp://127.0.0.1/?s=${CANARY}`)],
  ['too much', (_q, r) => void r.end(CANARY.repeat(1000))],
  ['an encoding', (_q, r) => void r.setHeader('content-encoding', CANARY).end()],
  [
    'a short body',
    (q, r) => {
      r.writeHead(200, { 'content-length': 500 }).write(CANARY);
      setImmediate(() => q.socket.destroy());
    },
  ],
];

const CREDENTIALS = {
  password: passwordCredentials(CANARY, async () => CANARY),
  unreadable: passwordCredentials('ci', () => Promise.reject(new Error(CANARY))),
  'refresh token': refreshTokenCredentials(async () => CANARY),
  'access token': accessTokenCredentials(async () => CANARY),
  'unusable token': accessTokenCredentials(async () => `${CANARY}\n`),
};

describe('secrets in errors', () => {
  for (const [name, fail] of FAILURES) {
    for (const [kind, credentials] of Object.entries(CREDENTIALS)) {
      it(`are absent after ${name} with ${kind} credentials`, async (t) => {
        // First a token flow in which everything is secret, then the failure: at the registry, then at the token service.
        for (const failingPart of ['registry', 'token']) {
          const server = await serve(t, (request, response) => {
            const isToken = request.url?.startsWith('/token') === true;
            if (isToken && failingPart === 'registry') json(response, { token: CANARY });
            else if (!isToken && request.headers.authorization === undefined) {
              challenge(response, `${server.url}/token?secret=${CANARY}`);
            } else fail(request, response);
          });
          const retry = { tries: 2, baseDelayMs: 1 };
          const client = clientOf(t, { url: server.url, credentials }, { retry });
          const source = new MetadataServer({
            locate: notaryLocation,
            url: server.url,
            version: '1',
            credentials,
            retry,
          });
          t.after(() => source.close());
          const manifest = client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
          await assertSilent(manifest);
          await assert.rejects(manifest);
          await assertSilent(client.fetchBlob(REPOSITORY, DIGEST).then(({ body }) => drain(body)));
          await assertSilent(client.authorization(REPOSITORY).then((value) => assert.ok(value)));
          await assertSilent(source.fetch('a/b', 'root.json', LIMIT));
        }
      });
    }
  }
});

/** Asserts that if the work fails, then with a coded error in which the canary is nowhere to be found. */
async function assertSilent(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof CodedError, inspect(error));
    assert.ok(!inspect(error, { depth: 10, showHidden: true }).includes(CANARY), inspect(error));
    assert.ok(!JSON.stringify({ ...error, message: error.message }).includes(CANARY));
  }
}
