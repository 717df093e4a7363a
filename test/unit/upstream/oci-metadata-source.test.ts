import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { TrustServerError } from '../../../src/metadata/errors.ts';
import { parseRegistryHost, parseRepositoryName, parseTag } from '../../../src/oci/names.ts';
import { TrustError } from '../../../src/trust/errors.ts';
import { OciMetadataSource } from '../../../src/upstream/oci-metadata-source.ts';
import { RegistryClient } from '../../../src/upstream/registry-client.ts';
import { Registry, type RegistryOptions } from '../../support/registry.ts';
import { rejectsWithCode } from '../../support/reject-with-code.ts';
import { type ArtifactChange, pushFiles } from '../../support/tuf-artifact.ts';

const PLACE = { repository: 'trust/vetted', tag: 'now' };
const HOST = 'registry.example.com';
const LIMIT = { maxBytes: 1000 };
const NOW = { ...LIMIT, bypassCaches: true };
const TIMESTAMP = new Uint8Array(Buffer.from('{"timestamp":1}'));
const FILES = new Map([
  ['timestamp.json', TIMESTAMP],
  ['1.snapshot.json', Buffer.from('{"snapshot":1}')],
  ['1.a%2Fb.json', Buffer.from('{}')],
]);

interface Setting {
  readonly registry: Registry;
  readonly source: OciMetadataSource;
  /** What the registry was asked for since the last call, manifests by their reference. */
  readonly asked: () => readonly string[];
}

async function setUp(t: TestContext, options: RegistryOptions = {}): Promise<Setting> {
  const registry = await new Registry(options).start();
  t.after(() => registry.stop());
  const client = new RegistryClient(new Map([[parseRegistryHost(HOST), { url: registry.url }]]), {
    version: '1',
    retry: { tries: 1, baseDelayMs: 1 },
  });
  t.after(() => client.close());
  const repository = parseRepositoryName(`${HOST}/${PLACE.repository}`);
  const source = new OciMetadataSource(client, { repository, tag: parseTag(PLACE.tag) });
  const asked = (): readonly string[] =>
    registry.requests.splice(0).flatMap(({ path }) => {
      const [, kind, reference] = /\/(manifests|blobs)\/(.+)$/.exec(path) ?? [];
      return kind === undefined ? [] : [kind === 'manifests' ? String(reference) : kind];
    });
  return { registry, source, asked };
}

describe('OciMetadataSource', () => {
  it('gives back files by their titles, byte for byte', async (t) => {
    const { registry, source } = await setUp(t);
    pushFiles(registry, PLACE, FILES);
    for (const [name, bytes] of FILES) {
      assert.deepEqual(
        Buffer.from((await source.fetch('*', name, LIMIT)) ?? []),
        Buffer.from(bytes),
      );
    }
    assert.equal(await source.fetch('*', '2.root.json', LIMIT), undefined);
    await source.close();
  });

  it('logs in as for images', async (t) => {
    const { registry, source } = await setUp(t, { auth: { kind: 'bearer' } });
    pushFiles(registry, PLACE, FILES);
    assert.ok(await source.fetch('*', 'timestamp.json', LIMIT));
  });

  it('reads the manifest once until it is to ask anew, and the timestamp only when it changed', async (t) => {
    const { registry, source, asked } = await setUp(t);
    pushFiles(registry, PLACE, FILES);
    await source.fetch('*', 'timestamp.json', NOW);
    assert.deepEqual(asked(), ['now', 'blobs']);
    await source.fetch('*', '1.snapshot.json', LIMIT);
    assert.deepEqual(asked(), ['blobs']);
    await source.fetch('*', 'timestamp.json', NOW);
    assert.deepEqual(asked(), ['now']);
    const next = new Uint8Array(Buffer.from('{"timestamp":2}'));
    pushFiles(registry, PLACE, new Map([...FILES, ['timestamp.json', next]]));
    assert.deepEqual(await source.fetch('*', 'timestamp.json', LIMIT), TIMESTAMP);
    assert.deepEqual(asked(), []);
    assert.deepEqual(await source.fetch('*', 'timestamp.json', NOW), next);
    assert.deepEqual(asked(), ['now', 'blobs']);
  });

  it('has nothing when there is no such tag, and again when there is', async (t) => {
    const { registry, source } = await setUp(t);
    assert.equal(await source.fetch('*', 'timestamp.json', NOW), undefined);
    pushFiles(registry, PLACE, FILES);
    assert.deepEqual(await source.fetch('*', 'timestamp.json', NOW), TIMESTAMP);
    registry.moveTag(PLACE.repository, PLACE.tag, `sha256:${'0'.repeat(64)}`);
    assert.equal(await source.fetch('*', 'timestamp.json', NOW), undefined);
  });

  it('has nothing of a file whose blob is gone', async (t) => {
    const { registry, source } = await setUp(t);
    pushFiles(registry, PLACE, FILES);
    registry.inject(/\/blobs\//, { kind: 'status', status: 404 });
    assert.equal(await source.fetch('*', 'timestamp.json', LIMIT), undefined);
  });

  it('does not read files that are too long', async (t) => {
    const { registry, source, asked } = await setUp(t);
    pushFiles(registry, PLACE, FILES);
    const call = source.fetch('*', 'timestamp.json', { maxBytes: TIMESTAMP.length - 1 });
    await rejectsWithCode(call, TrustError, 'length_exceeded');
    assert.deepEqual(asked(), ['now']);
  });

  for (const [name, size] of [
    ['more bytes than it lists', 5],
    ['fewer bytes than it lists', 50],
  ] as const) {
    it(`does not take ${name}`, async (t) => {
      const { registry, source } = await setUp(t);
      const lie = (text: string): string =>
        text.replace(`"size":${TIMESTAMP.length}`, `"size":${size}`);
      pushFiles(registry, PLACE, new Map([['timestamp.json', TIMESTAMP]]), { text: lie });
      const call = source.fetch('*', 'timestamp.json', LIMIT);
      await rejectsWithCode(call, TrustServerError, 'trust_server_error');
    });
  }

  it('does not take other bytes than those of the digest', async (t) => {
    const { registry, source } = await setUp(t);
    pushFiles(registry, PLACE, FILES);
    registry.inject(/\/blobs\//, { kind: 'corrupt' });
    await rejectsWithCode(
      source.fetch('*', 'timestamp.json', LIMIT),
      TrustServerError,
      'trust_server_error',
    );
    registry.clearFaults();
    assert.deepEqual(await source.fetch('*', 'timestamp.json', LIMIT), TIMESTAMP);
  });

  const malformed: readonly (readonly [string, ArtifactChange])[] = [
    ['an index', { manifest: () => ({ schemaVersion: 2, manifests: [] }) }],
    ['no object', { manifest: () => [] }],
    ['no JSON', { text: () => 'hello' }],
    ['null', { text: () => 'null' }],
    ['layers that are no list', { manifest: (members) => ({ ...members, layers: {} }) }],
    ['a member twice', { text: (text) => text.replace('{"schema', '{"layers":[],"schema') }],
    ['a file twice', { text: (text) => text.replace('1.snapshot.json', 'timestamp.json') }],
    [
      'a size that is none',
      { text: (text) => text.replace(/"size":\d+,"annotations"/, '"size":-1,"annotations"') },
    ],
    ['a digest that is none', { text: (text) => text.replaceAll('sha256:', 'md5:') }],
  ];
  for (const [name, change] of malformed) {
    it(`cannot judge an artifact with ${name}`, async (t) => {
      const { registry, source } = await setUp(t);
      pushFiles(registry, PLACE, FILES, change);
      const call = source.fetch('*', 'timestamp.json', LIMIT);
      await rejectsWithCode(call, TrustServerError, 'trust_server_error');
    });
  }

  it('passes over layers without a title', async (t) => {
    const { registry, source } = await setUp(t);
    pushFiles(registry, PLACE, FILES, {
      manifest: (members) => ({ ...members, layers: [1, null, {}, ...Object(members['layers'])] }),
    });
    assert.deepEqual(await source.fetch('*', 'timestamp.json', LIMIT), TIMESTAMP);
  });

  const outages = [
    [{ kind: 'status', status: 403 }, 'trust_server_unauthorized'],
    [{ kind: 'status', status: 429 }, 'trust_server_error'],
    [{ kind: 'status', status: 500 }, 'trust_server_unreachable'],
    [{ kind: 'reset' }, 'trust_server_unreachable'],
  ] as const;
  for (const [fault, code] of outages) {
    for (const path of [/\/manifests\//, /\/blobs\//]) {
      it(`${code} when ${String(path)} gives ${JSON.stringify(fault)}`, async (t) => {
        const { registry, source } = await setUp(t);
        pushFiles(registry, PLACE, FILES);
        registry.inject(path, fault);
        await rejectsWithCode(source.fetch('*', 'timestamp.json', LIMIT), TrustServerError, code);
      });
    }
  }

  it('ends when its signal fires', async (t) => {
    const { registry, source } = await setUp(t);
    pushFiles(registry, PLACE, FILES);
    registry.inject(/\/blobs\//, { kind: 'hang' });
    const signal = AbortSignal.timeout(50);
    const error = await source
      .fetch('*', 'timestamp.json', { ...LIMIT, signal })
      .catch((reason: unknown) => reason);
    assert.equal(error, signal.reason);
  });
});
