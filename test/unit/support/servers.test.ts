import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildImage, buildIndex, signedContentOf } from '../../support/images.ts';
import { NotaryRepository } from '../../support/notary-repository.ts';
import { NotaryServer } from '../../support/notary-server.ts';
import { Registry } from '../../support/registry.ts';
import { issueServerCertificate, makeTestCa } from '../../support/x509.ts';

const GUN = 'registry.example.test:5000/team/app';

test('the Notary server serves newest, versioned and checksum names and logs what was asked', async () => {
  const repository = new NotaryRepository({ gun: GUN });
  repository.sign('1.0', signedContentOf(buildImage()));
  const files = repository.publish();
  await using server = await new NotaryServer().start();
  server.serve(GUN, files);
  for (const [name, bytes] of files) {
    const answer = await fetch(`${server.url}/v2/${GUN}/_trust/tuf/${name}`);
    assert.deepEqual(Buffer.from(await answer.arrayBuffer()), bytes);
  }
  assert.deepEqual(server.filesAsked(GUN), [...files.keys()]);
  const missing = await fetch(`${server.url}/v2/${GUN}/_trust/tuf/2.root.json`);
  assert.equal(missing.status, 404);
  const error = (await missing.json()) as { errors: { code: string }[] };
  assert.equal(error.errors[0]?.code, 'METADATA_NOT_FOUND');
});

test('the Notary server wants a token for the collection when told to', async () => {
  await using server = await new NotaryServer({ auth: { kind: 'bearer' } }).start();
  server.serve(GUN, new NotaryRepository({ gun: GUN }).publish());
  const url = `${server.url}/v2/${GUN}/_trust/tuf/root.json`;
  const challenged = await fetch(url);
  const scope = `repository:${GUN}:pull`;
  assert.equal(challenged.status, 401);
  assert.ok(challenged.headers.get('www-authenticate')?.includes(`scope="${scope}"`));
  const issued = await fetch(`${server.url}/token?scope=${encodeURIComponent(scope)}`);
  const { token } = (await issued.json()) as { token: string };
  const answer = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
  assert.equal(answer.status, 200);
});

test('a server can go down, come back on its port, and misbehave a counted number of times', async () => {
  await using server = await new NotaryServer().start();
  const url = `${server.url}/v2/`;
  server.inject('/v2/', { kind: 'status', status: 503 }, { times: 1 });
  assert.equal((await fetch(url)).status, 503);
  assert.equal((await fetch(url)).status, 200);
  await server.down();
  await assert.rejects(fetch(url));
  await server.up();
  assert.equal((await fetch(url)).status, 200);
  server.inject('/v2/', { kind: 'reset' });
  await assert.rejects(fetch(url));
});

test('a server speaks TLS with a certificate it is given', async () => {
  const tls = issueServerCertificate(makeTestCa(), ['127.0.0.1']);
  await using server = await new NotaryServer({ tls }).start();
  assert.ok(server.url.startsWith('https://127.0.0.1:'));
});

test('the registry serves manifests, blobs and ranges, and redirects blobs when told to', async () => {
  const index = buildIndex([
    buildImage({ architecture: 'amd64', bigLayerBytes: 2_000_000 }),
    buildImage({ architecture: 'arm64', format: 'docker' }),
  ]);
  await using registry = await new Registry({ redirectBlobs: true }).start();
  registry.push('team/app', index, '1.0', '2.0', '3.0');
  const manifest = await fetch(`${registry.url}/v2/team/app/manifests/1.0`);
  assert.equal(manifest.headers.get('docker-content-digest'), index.manifest.digest);
  const layer = index.images[0]?.layers[1];
  assert.ok(layer !== undefined);
  const part = await fetch(`${registry.url}/v2/team/app/blobs/${layer.digest}`, {
    headers: { range: 'bytes=1000-1999' },
  });
  assert.equal(part.status, 206);
  assert.deepEqual(Buffer.from(await part.arrayBuffer()), layer.bytes.subarray(1000, 2000));
  assert.equal(registry.blobHost.requests.length, 1);
  const tags = await fetch(`${registry.url}/v2/team/app/tags/list?n=2`);
  assert.deepEqual(await tags.json(), { name: 'team/app', tags: ['1.0', '2.0'] });
  assert.ok(tags.headers.get('link')?.includes('last=2.0'));
});

test('the registry corrupts what it is told to', async () => {
  const image = buildImage();
  await using registry = await new Registry().start();
  registry.push('team/app', image, '1.0');
  const [layer] = image.layers;
  assert.ok(layer !== undefined);
  registry.inject(`blobs/${layer.digest}`, { kind: 'corrupt' });
  const answer = await fetch(`${registry.url}/v2/team/app/blobs/${layer.digest}`);
  const bytes = Buffer.from(await answer.arrayBuffer());
  assert.equal(bytes.length, layer.bytes.length);
  assert.notDeepEqual(bytes, layer.bytes);
});
