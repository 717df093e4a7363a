import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { describe, it } from 'node:test';
import type { RelayOptions } from '../../../src/server/relay.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { RegistryUnderTest, until } from '../../support/registry-under-test.ts';

const NAME = 'docker.io/library/scratch';
const PATH = '/v2/library/scratch';

async function registryWith(relay: Partial<RelayOptions>): Promise<RegistryUnderTest> {
  const registry = new RegistryUnderTest({ relay });
  registry.pulls.leaveUnverified(NAME);
  return await registry.start();
}

describe('a relayed request', () => {
  it('is broken off when the upstream drips', async () => {
    const clock = new FakeClock();
    const upstream = createServer((_request, response) => {
      response.writeHead(200, { 'content-length': '100' });
      const drip = setInterval(() => {
        clock.advance(10_000);
        response.write('x');
      }, 5);
      response.once('close', () => clearInterval(drip));
    });
    upstream.listen(0, '127.0.0.1');
    await once(upstream, 'listening');
    const { port } = upstream.address() as AddressInfo;
    await using registry = await registryWith({
      originOf: () => ({ url: new URL(`http://127.0.0.1:${port}`), minRate: 1 }),
      ...{ clock, headersTimeoutMs: 3_600_000 },
    });
    await assert.rejects(registry.get(`${PATH}/blobs/sha256:${'a'.repeat(64)}`));
    await until(() => registry.logged('request').length > 0);
    assert.equal(await registry.metric('pinnace_relayed_requests_total{outcome="failed"}'), 1);
    upstream.closeAllConnections();
    upstream.close();
  });

  it('holds no place for a client that has gone while Pinnace waits to log in', async () => {
    const asked = Promise.withResolvers<void>();
    await using registry = await registryWith({
      originOf: () => ({ url: new URL('http://127.0.0.1:9') }),
      authorization: async () => {
        asked.resolve();
        return await new Promise<never>(() => undefined);
      },
    });
    const socket = connect(registry.port, '127.0.0.1');
    socket.write(`GET ${PATH}/manifests/latest HTTP/1.1\r\nHost: x\r\n\r\n`);
    await asked.promise;
    assert.equal(registry.places.taken, 1);
    socket.destroy();
    await until(() => registry.places.taken === 0);
    assert.equal(registry.places.taken, 0);
  });
});
