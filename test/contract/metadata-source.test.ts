import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { TrustServerError } from '../../src/metadata/errors.ts';
import type { MetadataSource } from '../../src/metadata/ports.ts';
import { TrustError } from '../../src/trust/errors.ts';
import { MetadataServer } from '../../src/upstream/metadata-server.ts';
import { notaryLocation } from '../../src/upstream/metadata-url.ts';
import { MemoryMetadataSource } from '../support/memory-metadata-source.ts';
import { NotaryRepository } from '../support/notary-repository.ts';
import { NotaryServer } from '../support/notary-server.ts';
import { rejectsWithCode } from '../support/reject-with-code.ts';

const GUN = 'registry.example.test/team/app';
const LIMIT = { maxBytes: 64 * 1024 };

/** A source, and what a test does to the server behind it. */
interface Side {
  readonly source: MetadataSource;
  serve(gun: string, files: ReadonlyMap<string, Uint8Array>): void;
  fail(file: RegExp, status: 401 | 403 | 500 | 503): void;
  repair(): void;
}

const REASONS = {
  401: 'trust_server_unauthorized',
  403: 'trust_server_unauthorized',
  500: 'trust_server_error',
  503: 'trust_server_error',
} as const;

function inMemory(): Side {
  const source = new MemoryMetadataSource();
  return {
    source,
    serve: (gun, files) => source.serve(gun, files),
    fail: (file, status) => source.inject(file, REASONS[status]),
    repair: () => source.clearFaults(),
  };
}

async function overHttp(context: TestContext): Promise<Side> {
  const server = new NotaryServer();
  await server.start();
  const retry = { tries: 1, baseDelayMs: 1 };
  const source = new MetadataServer({
    locate: notaryLocation,
    url: server.url,
    version: '0',
    retry,
  });
  context.after(async () => {
    await source.close();
    await server.stop();
  });
  return {
    source,
    serve: (gun, files) => server.serve(gun, files),
    fail: (file, status) => server.inject(file, { kind: 'status', status }),
    repair: () => server.clearFaults(),
  };
}

for (const [name, open] of [
  ['MemoryMetadataSource', async () => inMemory()],
  ['MetadataServer', overHttp],
] as const) {
  describe(`${name}: a source of metadata`, () => {
    const repository = new NotaryRepository({ gun: GUN });
    repository.addDelegation('targets/releases');
    repository.sign('v1', { sha256: 'ab'.repeat(32), length: 5 }, 'targets/releases');
    const files = repository.publish();

    it('gives every published file byte for byte', async (t) => {
      const { source, serve } = await open(t);
      serve(GUN, files);
      for (const [file, bytes] of files) {
        const fetched = await source.fetch(GUN, file, LIMIT);
        assert.ok(Buffer.from(fetched ?? []).equals(bytes), file);
      }
    });

    it('says that there is none of a file, a version, a hash or a collection', async (t) => {
      const { source, serve } = await open(t);
      serve(GUN, files);
      for (const file of ['2.root.json', `snapshot.${'0'.repeat(64)}.json`, 'targets/alice.json']) {
        assert.equal(await source.fetch(GUN, file, LIMIT), undefined, file);
      }
      assert.equal(await source.fetch(`${GUN}/other`, 'root.json', LIMIT), undefined);
    });

    it('gives a file of just the length allowed, and refuses one byte more', async (t) => {
      const { source, serve } = await open(t);
      serve(GUN, files);
      const { length } = repository.bytes('timestamp');
      const fetched = await source.fetch(GUN, 'timestamp.json', { maxBytes: length });
      assert.equal(fetched?.length, length);
      const tooLong = source.fetch(GUN, 'timestamp.json', { maxBytes: length - 1 });
      await rejectsWithCode(tooLong, TrustError, 'length_exceeded');
    });

    it('tells an outage from an answer', async (t) => {
      const side = await open(t);
      side.serve(GUN, files);
      for (const status of [401, 403, 500, 503] as const) {
        side.fail(/timestamp/, status);
        const failed = side.source.fetch(GUN, 'timestamp.json', LIMIT);
        await rejectsWithCode(failed, TrustServerError, REASONS[status]);
        assert.ok((await side.source.fetch(GUN, 'root.json', LIMIT)) !== undefined);
        side.repair();
      }
      assert.ok((await side.source.fetch(GUN, 'timestamp.json', LIMIT)) !== undefined);
    });

    it('fails with the reason of a signal that has fired', async (t) => {
      const { source, serve } = await open(t);
      serve(GUN, files);
      const reason = new Error('not needed any more');
      const signal = AbortSignal.abort(reason);
      await assert.rejects(
        source.fetch(GUN, 'timestamp.json', { ...LIMIT, signal }),
        (error) => error === reason,
      );
    });
  });
}
