import assert from 'node:assert/strict';
import { request } from 'node:http';
import { it } from 'node:test';
import { RegistryUnderTest, until } from '../../support/registry-under-test.ts';

const FILE = 'docker.io/library/alpine/_trust/tuf/root.json';

for (const ending of ['an answer', 'an error'] as const) {
  it(`trust metadata: a client that went away before ${ending} is noted as that`, async () => {
    await using registry = await new RegistryUnderTest().start();
    const asked = Promise.withResolvers<void>();
    registry.pulls.trustFile = async (_repository, _file, { signal }) => {
      asked.resolve();
      await new Promise((resolve) => signal?.addEventListener('abort', resolve));
      if (ending === 'an error') signal?.throwIfAborted();
      return { verdict: 'pinned', bytes: Buffer.from('{}'), sha256: '0' };
    };
    const outgoing = request({ port: registry.port, path: `/v2/${FILE}`, agent: false });
    outgoing.on('error', () => undefined);
    outgoing.end();
    await asked.promise;
    outgoing.destroy();
    await until(() => registry.logged('request').length > 0);
    assert.equal(registry.logged('request')[0]?.['verdict'], 'cut');
  });
}
