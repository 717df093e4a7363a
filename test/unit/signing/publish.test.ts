import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { sha256Digest } from '../../../src/oci/digest.ts';
import { parseRepositoryName } from '../../../src/oci/names.ts';
import { renew } from '../../../src/signing/collection.ts';
import { SigningError } from '../../../src/signing/errors.ts';
import { type PublishTarget, publish } from '../../../src/signing/publish.ts';
import { loadRepository } from '../../../src/signing/repository.ts';
import { PublishFolder } from '../../../src/store/collection-publish.ts';
import { HttpPublishTarget, OciPublishTarget } from '../../../src/upstream/collection-publish.ts';
import { passwordCredentials } from '../../../src/upstream/credentials.ts';
import { PushClient, type PushClientOptions } from '../../../src/upstream/push-client.ts';
import { LoopbackServer, type SeenRequest } from '../../support/loopback-server.ts';
import { rejectsWithCode } from '../../support/reject-with-code.ts';
import { Desk, digestOf, temporaryFolder } from './desk.ts';

/** Something that files are published to, by name. */
type Place = (context: TestContext) => Promise<PublishTarget>;

function clientOf(
  context: TestContext,
  options: Pick<PushClientOptions, 'url' | 'credentials'>,
): PushClient {
  const client = new PushClient({ ...options, version: '1.2.3', clock: systemClock });
  context.after(() => client.close());
  return client;
}

/** A server that keeps what is put there. */
async function putServer(context: TestContext): Promise<LoopbackServer> {
  const files = new Map<string, string>();
  const server = await new LoopbackServer(({ method, path, body }) => {
    if (method === 'PUT') files.set(path, body);
    const there = files.get(path);
    if (method === 'PUT') return { status: 201 };
    return there === undefined ? { status: 404 } : { status: 200, body: Buffer.from(there) };
  }).start();
  context.after(() => server.stop());
  return server;
}

/** A registry that takes pushes from one user. @source OCI distribution 1.1 (#push) */
async function pushRegistry(context: TestContext): Promise<LoopbackServer> {
  const stored = new Map<string, string>();
  const server = await new LoopbackServer((request: SeenRequest) => {
    const { method, path, query, headers, body } = request;
    if (headers.authorization !== `Basic ${Buffer.from('ci:secret').toString('base64')}`) {
      return { status: 401, headers: { 'www-authenticate': 'Basic realm="test"' } };
    }
    if (method === 'POST') return { status: 202, headers: { location: '/upload/1?state=a' } };
    if (path === '/upload/1') {
      const digest = query.get('digest') ?? '';
      if (sha256Digest(Buffer.from(body)) !== digest) return { status: 400 };
      stored.set(`/v2/team/trust/blobs/${digest}`, body);
      return { status: 201 };
    }
    if (method === 'PUT') {
      stored.set(path, body);
      return { status: 201 };
    }
    const there = stored.get(path);
    return there === undefined ? { status: 404 } : { status: 200, body: Buffer.from(there) };
  }).start();
  context.after(() => server.stop());
  return server;
}

const places: ReadonlyMap<string, Place> = new Map<string, Place>([
  ['a folder', async (context) => new PublishFolder(join(await temporaryFolder(context), 'a'))],
  [
    'a server',
    async (context) => {
      const { url } = await putServer(context);
      return new HttpPublishTarget(clientOf(context, { url: `${url}/metadata/` }));
    },
  ],
  [
    'a registry',
    async (context) => {
      const { url } = await pushRegistry(context);
      const password = (): Promise<string> => Promise.resolve('secret');
      const client = clientOf(context, { url, credentials: passwordCredentials('ci', password) });
      return new OciPublishTarget(
        client,
        parseRepositoryName('registry.test/team/trust'),
        'latest',
      );
    },
  ],
]);

for (const [name, make] of places) {
  describe(`publishing to ${name}`, () => {
    it('puts all there once, and then what is new', async (context) => {
      const desk = await Desk.begin(context);
      const target = await make(context);
      const first = await publish(await desk.files(), target);
      assert.deepEqual(first.at(-1), 'timestamp.json');
      assert.equal(first.length, 4);
      assert.deepEqual(await publish(await desk.files(), target), []);
      await desk.approve('1.0');
      assert.deepEqual(await publish(await desk.files(), target), [
        '2.snapshot.json',
        '2.targets.json',
        'timestamp.json',
      ]);
      const there = await loadRepository((file) => target.read(file), desk.clock.now());
      assert.equal(there.current.get('targets')?.version, 2);
    });

    it('does not let an old copy come after a newer one', async (context) => {
      const desk = await Desk.begin(context);
      const target = await make(context);
      const old = await desk.files();
      await renew(await desk.open(), { ring: desk.ring(), clock: desk.clock });
      await publish(await desk.files(), target);
      await rejectsWithCode(publish(old, target), SigningError, 'published_differs');
    });

    it('does not write over another collection', async (context) => {
      const [desk, other] = [await Desk.begin(context), await Desk.begin(context)];
      const target = await make(context);
      await publish(await desk.files(), target);
      const before = await target.read('timestamp.json');
      await rejectsWithCode(
        publish(await other.files(), target),
        SigningError,
        'published_differs',
      );
      assert.deepEqual(await target.read('timestamp.json'), before);
    });
  });
}

describe('places that do not work', () => {
  it('leaves nothing half-written in a folder', async (context) => {
    const desk = await Desk.begin(context);
    const folder = await temporaryFolder(context);
    await writeFile(join(folder, '1.targets.json'), 'something else');
    const publishing = publish(await desk.files(), new PublishFolder(folder));
    await rejectsWithCode(publishing, SigningError, 'published_differs');
    assert.deepEqual(await readdir(folder), ['1.targets.json']);
  });

  it('mends a timestamp that is none', async (context) => {
    const desk = await Desk.begin(context);
    const folder = await temporaryFolder(context);
    await writeFile(join(folder, 'timestamp.json'), '{');
    assert.equal((await publish(await desk.files(), new PublishFolder(folder))).length, 4);
  });

  it('says that nobody answers, or that it is not let in', async (context) => {
    const desk = await Desk.begin(context);
    const server = await putServer(context);
    const target = new HttpPublishTarget(clientOf(context, { url: server.url }));
    server.inject(/./, { kind: 'status', status: 403 }, { method: 'PUT' });
    await rejectsWithCode(publish(await desk.files(), target), SigningError, 'publish_failed');
    await server.down();
    await rejectsWithCode(publish(await desk.files(), target), SigningError, 'publish_failed');
  });

  it('does not replace an image by a collection', async (context) => {
    const desk = await Desk.begin(context);
    const { url } = await pushRegistry(context);
    const password = (): Promise<string> => Promise.resolve('secret');
    const client = clientOf(context, { url, credentials: passwordCredentials('ci', password) });
    await client.send({
      method: 'PUT',
      url: new URL(`${url}/v2/team/trust/manifests/latest`),
      scope: '',
      body: Buffer.from(JSON.stringify({ schemaVersion: 2, config: digestOf('x') })),
    });
    const repository = parseRepositoryName('registry.test/team/trust');
    const target = new OciPublishTarget(client, repository, 'latest');
    await rejectsWithCode(publish(await desk.files(), target), SigningError, 'published_differs');
  });

  it('can be ended between two files, and then the timestamp is the old one', async (context) => {
    const desk = await Desk.begin(context);
    const abort = new AbortController();
    const there = new Map<string, Uint8Array>();
    const target: PublishTarget = {
      name: 'a place',
      read: (file) => Promise.resolve(there.get(file)),
      write(file, bytes) {
        there.set(file, bytes);
        abort.abort();
        return Promise.resolve();
      },
    };
    await assert.rejects(publish(await desk.files(), target, abort.signal), { name: 'AbortError' });
    assert.equal(there.size, 1);
    assert.equal(there.has('timestamp.json'), false);
    there.clear();
    await assert.rejects(publish(await desk.files(), target, AbortSignal.abort()));
    assert.equal(there.size, 0);
  });
});
