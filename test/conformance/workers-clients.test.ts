import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:http2';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { hashSync } from 'bcryptjs';
import { buildImage, type Image } from '../support/images.ts';
import { PinnaceProcess } from '../support/pinnace-process.ts';
import { type Answer, ask } from '../support/registry-under-test.ts';
import { REGISTRY_HOST, reasonOf, Surroundings } from '../support/running-pinnace.ts';
import { askTls } from '../support/tls-ask.ts';
import { publisherNow } from '../support/worker-fleet.ts';
import {
  type Certificate,
  issueServerCertificate,
  makeCertificate,
  makeTestCa,
} from '../support/x509.ts';

const APP = 'team/app';
const CROWDED = 'team/crowded';
const CA = makeTestCa();
const SERVER = issueServerCertificate(CA, ['localhost']);
const CLIENT_CA = makeTestCa('clients');
const NODE = makeCertificate({
  commonName: 'node-1',
  issuer: CLIENT_CA,
  extendedKeyUsages: ['clientAuth'],
});
const STRANGER = makeCertificate({
  commonName: 'node-1',
  issuer: makeTestCa('others'),
  extendedKeyUsages: ['clientAuth'],
});
const login = (password: string): { readonly authorization: string } => ({
  authorization: `Basic ${Buffer.from(`alice:${password}`).toString('base64')}`,
});

/** What is of the moment, or of the connection; everything else has to be the same whoever answers. */
const PASSING = new Set(['date', 'connection', 'keep-alive', 'x-pinnace-decision', ':status']);

/** The same configuration run by one process and by three, in folders of their own. */
interface Pair extends AsyncDisposable {
  readonly alone: PinnaceProcess;
  readonly fleet: PinnaceProcess;
  readonly image: Image;
  readonly around: Surroundings;
}

async function start(): Promise<Pair> {
  const around = await Surroundings.start();
  const image = buildImage({ message: 'for everybody', bigLayerBytes: 400_000 });
  publisherNow(around, APP).release('1', image);
  around.registry.push(APP, buildImage({ message: 'unsigned' }), 'unsigned');
  const files = { cert: 'cert.pem', key: 'key.pem', ca: 'ca.pem', users: 'htpasswd' };
  const at = (name: string): string => join(around.folder, name);
  await writeFile(at(files.cert), SERVER.certPem);
  await writeFile(at(files.key), SERVER.keyPem, { mode: 0o600 });
  await writeFile(at(files.ca), CLIENT_CA.certPem);
  await writeFile(at(files.users), `alice:${hashSync('wonderland', 4)}\n`);
  const plain = { address: '127.0.0.1:0', defaultRegistry: REGISTRY_HOST };
  const tls = { cert: at(files.cert), key: at(files.key) };
  const settings = (workers: number) => ({
    listeners: {
      registry: plain,
      mirror: { ...plain, refusal: 'hard-stop' },
      tls: { ...plain, tls },
      nodes: { ...plain, tls, clients: 'nodes' },
      staff: { ...plain, tls, clients: 'staff' },
    },
    more: {
      workers,
      data: at(`data-${workers}`),
      clients: {
        nodes: { kind: 'mtls', clientCa: at(files.ca) },
        staff: { kind: 'basic', htpasswd: at(files.users) },
      },
    },
  });
  const run = async (workers: number): Promise<PinnaceProcess> =>
    await PinnaceProcess.serve(await around.writeConfig(settings(workers), `${workers}.yaml`));
  const [alone, fleet] = [await run(1), await run(3)];
  return {
    ...{ alone, fleet, image, around },
    async [Symbol.asyncDispose]() {
      await alone[Symbol.asyncDispose]();
      await fleet[Symbol.asyncDispose]();
      await around[Symbol.asyncDispose]();
    },
  };
}

/** What engines ask for, and what they had better not. */
function requestsOf({ manifest, config, layers }: Image): readonly (readonly [string, object?])[] {
  const layer = layers.at(-1)?.digest ?? '';
  return [
    [''],
    [`${APP}/manifests/1`],
    [`${APP}/manifests/1`, { 'if-none-match': `"${manifest.digest}"` }],
    [`${APP}/manifests/1`, { accept: 'text/html' }],
    [`${APP}/manifests/${manifest.digest}`],
    [`${APP}/manifests/unsigned`],
    [`${APP}/manifests/sha256:${'0'.repeat(64)}`],
    [`${APP}/blobs/${config.digest}`],
    [`${APP}/blobs/${layer}`],
    [`${APP}/blobs/${layer}`, { range: 'bytes=1000-70000' }],
    [`${APP}/blobs/${layer}`, { range: 'bytes=900000-' }],
    [`${APP}/blobs/sha256:${'0'.repeat(64)}`],
    [`${APP}/tags/list`],
    [`${APP}/manifests/..%2f`],
    [`other.example.com/${APP}/manifests/1`],
  ];
}

type AskOne = (
  at: PinnaceProcess,
  path: string,
  options: { readonly method: string; readonly headers: Record<string, string> },
) => Promise<Answer>;

const overTls =
  (listener: string, client?: Certificate, more: object = {}): AskOne =>
  async (at, path, { method, headers }) =>
    await askTls(path, {
      ...{ port: at.port(listener), ca: CA, method, headers: { ...headers, ...more } },
      ...(client === undefined ? {} : { client }),
    });

const overHttp2: AskOne = async (at, path, { method, headers }) => {
  const session = connect(`https://localhost:${at.port('tls')}`, { ca: CA.certPem });
  try {
    const stream = session.request({ ...headers, ':path': path, ':method': method });
    stream.end();
    const [received] = await once(stream, 'response');
    const body = Buffer.concat(await stream.toArray());
    return { status: Number(received[':status']), headers: received, body };
  } finally {
    session.close();
  }
};

const WAYS: readonly (readonly [string, AskOne])[] = [
  ['plain', async (at, path, options) => await ask(at.port(), path, options)],
  ['a mirror', async (at, path, options) => await ask(at.port('mirror'), path, options)],
  ['TLS', overTls('tls')],
  ['HTTP/2', overHttp2],
  ['a client certificate', overTls('nodes', NODE)],
  ['a client certificate of strangers', overTls('nodes', STRANGER)],
  ['no client certificate', overTls('nodes')],
  ['a login', overTls('staff', undefined, login('wonderland'))],
  ['a wrong login', overTls('staff', undefined, login('looking-glass'))],
];

/** An answer without what is of the moment: decisions have ids, and decoys are made up for each. */
function lasting(answer: Answer): object {
  const headers = Object.entries(answer.headers).filter(([name]) => !PASSING.has(name));
  const { status } = answer;
  const reason = reasonOf(answer);
  if (reason === undefined)
    return { status, headers: Object.fromEntries(headers), body: answer.body };
  return { status, reason, names: headers.map(([name]) => name) };
}

describe('clients of several workers', () => {
  let pair: Pair;
  before(async () => {
    pair = await start();
  });
  after(async () => await pair[Symbol.asyncDispose]());

  for (const [name, askOne] of WAYS) {
    it(`get over ${name} what one process alone gives, header by header and byte by byte`, async () => {
      for (const [path, headers = {}] of requestsOf(pair.image)) {
        for (const method of ['GET', 'HEAD']) {
          // The first answer is the core's, later ones may be those that workers keep.
          for (let turn = 0; turn < 3; turn += 1) {
            const options = { method, headers: { ...headers } };
            const alone = await askOne(pair.alone, `/v2/${path}`, options);
            const among = await askOne(pair.fleet, `/v2/${path}`, options);
            const what = `${method} /v2/${path} ${JSON.stringify(headers)}, ${turn}`;
            assert.deepEqual(lasting(among), lasting(alone), what);
          }
        }
      }
    });
  }

  it('are a crowd at a cold image: one read of each object, and what was signed for everybody', async () => {
    const image = buildImage({ message: 'a crowd', bigLayerBytes: 400_000 });
    const { manifest, config, layers } = image;
    publisherNow(pair.around, CROWDED).release('1', image);
    const port = pair.fleet.port();
    pair.around.registry.requests.length = 0;
    pair.around.notary.requests.length = 0;
    const engine = async (): Promise<void> => {
      const got = await ask(port, `/v2/${CROWDED}/manifests/1`);
      assert.deepEqual([got.status, got.body], [200, manifest.bytes]);
      for (const { digest, bytes } of [config, ...layers]) {
        const part = await ask(port, `/v2/${CROWDED}/blobs/${digest}`);
        assert.deepEqual([part.status, part.body.equals(bytes)], [200, true]);
      }
    };
    await Promise.all(Array.from({ length: 60 }, engine));
    const reads = pair.around.registry.requests
      .filter(({ method, path }) => method === 'GET' && path !== '/v2/')
      .map(({ path }) => path);
    assert.deepEqual(reads.toSorted(), [...new Set(reads)].toSorted());
    assert.ok(pair.around.notary.requests.length <= 6);
  });
});
