import assert from 'node:assert/strict';
import { it } from 'node:test';
import { buildImage } from '../support/images.ts';
import { ociError } from '../support/registry-under-test.ts';
import { REGISTRY_HOST, RunningPinnace, Surroundings } from '../support/running-pinnace.ts';

const OTHER = 'other.example.com';
const MANIFEST = 'team/app/manifests/1.0';

it('the whole proxy tells registries apart by the host that engines ask', async () => {
  await using around = await Surroundings.start();
  const image = buildImage({ message: 'by host' });
  around.publisher('team/app').release('1.0', image);
  const config = await around.writeConfig({
    listeners: {
      registry: {
        address: '127.0.0.1:0',
        defaultRegistry: OTHER,
        hosts: { 'corp.pinnace.test': REGISTRY_HOST, '[::1]': OTHER },
      },
      plain: { address: '127.0.0.1:0', defaultRegistry: OTHER },
    },
    more: {
      upstreams: {
        [REGISTRY_HOST]: { url: around.registry.url },
        [OTHER]: { url: around.registry.url },
      },
    },
  });
  await using pinnace = await RunningPinnace.start(config);
  const ask = async (host: string, path: string, listener = 'registry') =>
    await pinnace.get(path, { headers: { host }, listener });

  const named = await ask('Corp.Pinnace.test:8443', MANIFEST);
  assert.deepEqual([named.status, named.body], [200, image.manifest.bytes]);
  // The same path means a repository of the default under any other name, and no rule is for that.
  assert.equal((await ask('elsewhere.test', MANIFEST)).status, 403);
  assert.equal((await ask('[::1]:5000', MANIFEST)).status, 403);
  assert.equal((await ask('corp.pinnace.test', MANIFEST, 'plain')).status, 403);
  const differing = await ask('corp.pinnace.test', `${OTHER}/${MANIFEST}`);
  assert.equal(differing.status, 400);
  assert.equal(
    ociError(differing).message,
    `the host names ${REGISTRY_HOST}, but the path names ${OTHER}`,
  );
});
