import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ask, askRaw, ociError, RegistryUnderTest } from '../../support/registry-under-test.ts';

const NAME = 'library/alpine';
const LIMITS = { headersTimeoutMs: 50, requestTimeoutMs: 50 };

describe('hostile requests', () => {
  it('with long or strange names get an OCI error of the 400 class', async () => {
    await using registry = await new RegistryUnderTest().start();
    const rows: readonly string[] = [
      `/v2/${'a'.repeat(10_000)}/manifests/latest`,
      `/v2/${'a/'.repeat(5_000)}b/manifests/latest`,
      '/v2/library%2Falpine/manifests/latest',
      '/v2/../etc/passwd/manifests/latest',
      '/v2/library/../../x/manifests/latest',
      '/v2/a%00b/manifests/latest',
      '/v2/library/__proto__/manifests/latest',
      `/v2/${NAME}/manifests/${'t'.repeat(200)}`,
      `/v2/${NAME}/manifests/latest?ns=http://evil`,
      `/v2/${NAME}/manifests/latest?ns=a&ns=b`,
      '/v2//manifests/latest',
      'http://elsewhere/v2/x/manifests/latest',
      '*',
    ];
    for (const path of rows) {
      const answer = await registry.get(path);
      assert.ok(
        answer.status >= 400 && answer.status < 500,
        `${path.slice(0, 60)} ${answer.status}`,
      );
      assert.ok(ociError(answer).code.length > 0);
    }
  });

  it('that take names of object members are tags and repositories like others', async () => {
    await using registry = await new RegistryUnderTest().start();
    for (const name of ['constructor', 'toString', 'hasownproperty']) {
      const answer = await registry.get(`/v2/library/${name.toLowerCase()}/manifests/${name}`);
      assert.equal(answer.status, 403);
    }
  });

  const raw: readonly (readonly [string, string, RegExp])[] = [
    [
      'a NUL in the path',
      'GET /v2/a\0b/manifests/x HTTP/1.1\r\nHost: x\r\n\r\n',
      /^HTTP\/1\.1 400 /,
    ],
    ['no HTTP at all', '\x16\x03\x01\x02\0\x01hello', /^HTTP\/1\.1 400 /],
    ['an invented method', 'BREW /v2/ HTTP/1.1\r\nHost: x\r\n\r\n', /^HTTP\/1\.1 400 /],
    ['CONNECT', 'CONNECT evil:443 HTTP/1.1\r\nHost: evil\r\n\r\n', /^HTTP\/1\.1 405 /],
    ['headers without end', `GET /v2/ HTTP/1.1\r\nX: ${'a'.repeat(70_000)}`, /^HTTP\/1\.1 431 /],
    [
      'two lengths',
      'POST /v2/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
      /^HTTP\/1\.1 400 /,
    ],
    [
      'an upgrade',
      'GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: upgrade, close\r\nUpgrade: h2c\r\n\r\n',
      /^HTTP\/1\.1 200 /,
    ],
    [
      'an upload that waits for permission',
      'PUT /v2/a/b/manifests/x HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\nExpect: 100-continue\r\n\r\n',
      /^HTTP\/1\.1 405 /,
    ],
    ['an unknown expectation', 'GET /v2/ HTTP/1.0\r\nExpect: miracles\r\n\r\n', /^HTTP\/1\.1 200 /],
  ];
  for (const [name, bytes, expected] of raw) {
    it(`survives ${name}`, async () => {
      await using registry = await new RegistryUnderTest().start();
      assert.match(await askRaw(registry.port, bytes), expected);
      assert.equal((await registry.get('/v2/')).status, 200);
    });
  }

  it('answers pipelined requests in order', async () => {
    await using registry = await new RegistryUnderTest().start();
    const served = registry.pulls.addTag('docker.io/library/alpine', 'x', { body: '{"n":1}' });
    const answers = await askRaw(
      registry.port,
      `GET /v2/${NAME}/blobs/${served.digest} HTTP/1.1\r\nHost: x\r\n\r\n` +
        `GET /v2/${NAME}/manifests/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    );
    const statuses = [...answers.matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => match[1]);
    assert.deepEqual(statuses, ['403', '200']);
  });

  it('with a large body lose their connection, whether the target was met before or not', async () => {
    await using registry = await new RegistryUnderTest({ limits: LIMITS }).start();
    registry.pulls.addTag('docker.io/library/alpine', 'x', { body: '{"n":1}' });
    for (const turn of ['first', 'second']) {
      const answer = await askRaw(
        registry.port,
        `GET /v2/${NAME}/manifests/x HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n`,
      );
      const [head = ''] = answer.split('\r\n\r\n');
      assert.match(head, /^HTTP\/1\.1 200 [\s\S]*connection: close/i, turn);
    }
  });

  it('that drip are cut off', async () => {
    await using registry = await new RegistryUnderTest({ limits: LIMITS }).start();
    const answer = await askRaw(registry.port, 'GET /v2/ HTTP/1.1\r\nHost: x\r\nX-Slow');
    assert.match(answer, /^HTTP\/1\.1 408 /);
  });

  it('never get anything but an answer, whatever the path', async () => {
    await using registry = await new RegistryUnderTest().start();
    const part = fc.stringMatching(/^[!-~]{0,12}$/);
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 6 }), async (parts) => {
        const answer = await ask(registry.port, `/v2/${parts.join('/')}`);
        assert.ok(answer.status === 200 || (answer.status >= 400 && answer.status < 500));
      }),
      { numRuns: 200 },
    );
  });
});
