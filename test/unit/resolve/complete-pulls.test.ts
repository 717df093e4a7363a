import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Digest, parseDigest, sha256Digest } from '../../../src/oci/digest.ts';
import { parseRepositoryName, parseTag } from '../../../src/oci/names.ts';
import type { Platform } from '../../../src/oci/platform.ts';
import { CompletePulls, type Completion } from '../../../src/resolve/complete-pulls.ts';
import type { Refusal, ServedManifest } from '../../../src/resolve/pull-service.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { FakePullService, refusalFor } from '../../support/fake-pull-service.ts';
import { buildImage, buildIndex, type Content, type Image } from '../../support/images.ts';

const NAME = 'registry.example.com/team/app';
const REPOSITORY = parseRepositoryName(NAME);
const TAG = parseTag('1.0');
const AMD64: Platform = { os: 'linux', architecture: 'amd64' };

/** A pull service in memory with an image, and a store that has what was opened, unless told otherwise. */
class Bench {
  readonly inner = new FakePullService();
  readonly clock = new FakeClock();
  readonly stored = new Set<Digest>();
  readonly ended: Completion[] = [];
  readonly inFlight: number[] = [];
  late = 0;
  capacityBytes = 1_000_000;
  /** What the store does not take. */
  readonly unstorable = new Set<string>();
  /** What storing waits for. */
  gate: Promise<void> = Promise.resolve();

  put(tag: string, pushed: { readonly manifest: Content }, images: readonly Image[]): void {
    const { manifest } = pushed;
    this.inner.addTag(NAME, tag, {
      body: manifest.bytes.toString(),
      mediaType: manifest.mediaType,
    });
    for (const image of images) {
      const body = image.manifest.bytes.toString();
      if (image.manifest !== manifest) {
        this.inner.addTag(NAME, `child-${image.manifest.digest.slice(7, 17)}`, {
          body,
          mediaType: image.manifest.mediaType,
        });
      }
      for (const part of [image.config, ...image.layers]) this.inner.addBlob(NAME, part.bytes);
    }
  }

  pulls(
    more: {
      readonly platforms?: readonly Platform[];
      readonly withinMs?: number;
      readonly appliesTo?: () => boolean;
    } = {},
  ): CompletePulls {
    return new CompletePulls({
      pulls: this.inner,
      held: {
        capacityBytes: this.capacityBytes,
        has: (digest) => this.stored.has(digest),
        settled: async (digest) => {
          await this.gate;
          if (!this.unstorable.has(digest)) this.stored.add(digest);
        },
      },
      clock: this.clock,
      events: {
        inFlight: (count) => this.inFlight.push(count),
        ended: (completion) => this.ended.push(completion),
        late: () => {
          this.late += 1;
        },
      },
      platforms: [],
      withinMs: 25_000,
      ...more,
    });
  }

  /** The digests of blobs that were opened. */
  opened(): readonly string[] {
    return this.inner.asked
      .map((line) => line.split(' ')[1] ?? '')
      .filter((reference) => this.stored.has(reference as Digest));
  }
}

function partsOf(...images: readonly Image[]): readonly string[] {
  return images.flatMap(({ config, layers }) => [config, ...layers].map(({ digest }) => digest));
}

function contentOf(mediaType: string, document: object): Content {
  const bytes = Buffer.from(JSON.stringify(document));
  return { mediaType, bytes, digest: sha256Digest(bytes) };
}

function descriptorOf({ mediaType, digest, bytes }: Content, platform?: object): object {
  return { mediaType, digest, size: bytes.length, ...(platform === undefined ? {} : { platform }) };
}

function verdictOf(answer: ServedManifest | Refusal): string {
  return answer.verdict === 'pinned' ? answer.digest : answer.reason;
}

describe('a tag whose image has to be whole', () => {
  it('is answered when every part is stored, and at once from then on', async () => {
    const bench = new Bench();
    const image = buildImage({ message: 'whole', bigLayerBytes: 1000 });
    bench.put('1.0', image, [image]);
    const pulls = bench.pulls();
    assert.equal(pulls.manifestByTagNow(REPOSITORY, TAG), undefined, 'nothing is known of it yet');
    const answer = await pulls.manifestByTag(REPOSITORY, TAG, {});
    assert.equal(verdictOf(answer), image.manifest.digest);
    assert.deepEqual([...bench.stored].sort(), [...partsOf(image)].sort());
    assert.ok(bench.inner.blobOptions.every(({ wholeFirst }) => wholeFirst === true));
    assert.equal(bench.inner.closedBlobs, 3);
    assert.equal(pulls.manifestByTagNow(REPOSITORY, TAG)?.digest, image.manifest.digest);
    const [completion] = bench.ended;
    assert.equal(completion?.parts, 3);
    assert.equal(completion?.reason, undefined);
    assert.deepEqual(bench.inFlight, [1, 0]);
    await pulls.manifestByTag(REPOSITORY, TAG, {});
    assert.equal(bench.ended.length, 1, 'not completed a second time');
  });

  it('is completed again when a part has been dropped', async () => {
    const bench = new Bench();
    const image = buildImage({ message: 'dropped' });
    bench.put('1.0', image, [image]);
    const pulls = bench.pulls();
    await pulls.manifestByTag(REPOSITORY, TAG, {});
    bench.stored.delete(parseDigest(image.config.digest));
    assert.equal(pulls.manifestByTagNow(REPOSITORY, TAG), undefined);
    await pulls.manifestByTag(REPOSITORY, TAG, {});
    assert.ok(bench.stored.has(parseDigest(image.config.digest)));
    assert.equal(bench.ended.length, 2);
  });

  it('is refused for the reason for which a part is', async () => {
    const bench = new Bench();
    const image = buildImage({ message: 'altered' });
    bench.put('1.0', image, [image]);
    const { blob } = bench.inner;
    bench.inner.blob = async (...asked) =>
      asked[1] === image.layers[0]?.digest
        ? refusalFor('digest_mismatch')
        : await blob.apply(bench.inner, asked);
    const pulls = bench.pulls();
    const answer = await pulls.manifestByTag(REPOSITORY, TAG, {});
    assert.equal(verdictOf(answer), 'digest_mismatch');
    assert.equal(bench.ended[0]?.reason, 'digest_mismatch');
    assert.equal(pulls.manifestByTagNow(REPOSITORY, TAG), undefined);
  });

  it('is refused when a child of its index is', async () => {
    const bench = new Bench();
    const images = [buildImage({ message: 'child' }), buildImage({ message: 'other' })];
    const index = buildIndex(images);
    bench.put('1.0', index, images.slice(0, 1));
    const answer = await bench.pulls().manifestByTag(REPOSITORY, TAG, {});
    assert.equal(verdictOf(answer), 'digest_not_vouched');
  });

  it('is refused when the cache cannot hold it, without fetching anything', async () => {
    const bench = new Bench();
    const image = buildImage({ message: 'large' });
    bench.put('1.0', image, [image]);
    bench.capacityBytes = 10;
    const answer = await bench.pulls().manifestByTag(REPOSITORY, TAG, {});
    assert.equal(verdictOf(answer), 'image_incomplete');
    assert.deepEqual(bench.inner.blobOptions, []);
  });

  it('is refused when a part was verified but could not be stored', async () => {
    const bench = new Bench();
    const image = buildImage({ message: 'unstorable' });
    bench.put('1.0', image, [image]);
    bench.unstorable.add(image.config.digest);
    const answer = await bench.pulls().manifestByTag(REPOSITORY, TAG, {});
    assert.equal(verdictOf(answer), 'image_incomplete');
  });

  it('does not wait for the store with content that is not verified as a whole', async () => {
    const bench = new Bench();
    const image = buildImage({ message: 'not held' });
    bench.put('1.0', image, [image]);
    for (const part of [image.config, ...image.layers]) {
      bench.inner.addBlob(NAME, part.bytes, { isVerified: false });
    }
    bench.gate = new Promise(() => undefined);
    const answer = await bench.pulls().manifestByTag(REPOSITORY, TAG, {});
    assert.equal(verdictOf(answer), 'image_incomplete');
  });

  it('is refused when time runs out, goes on, and is answered at the next try', async () => {
    const bench = new Bench();
    const image = buildImage({ message: 'slow' });
    bench.put('1.0', image, [image]);
    const open = Promise.withResolvers<void>();
    bench.gate = open.promise;
    const pulls = bench.pulls({ withinMs: 5_000 });
    const first = pulls.manifestByTag(REPOSITORY, TAG, {});
    await bench.clock.advance(4_999);
    assert.equal(bench.late, 0);
    await bench.clock.advance(1);
    assert.equal(verdictOf(await first), 'image_not_ready');
    assert.equal(bench.late, 1);
    const second = pulls.manifestByTag(REPOSITORY, TAG, {});
    open.resolve();
    assert.equal(verdictOf(await second), image.manifest.digest);
    assert.equal(bench.ended.length, 1, 'one completion served both');
  });

  it('is fetched once however many ask, and an engine that goes away does not stop the others', async () => {
    const bench = new Bench();
    const image = buildImage({ message: 'shared' });
    bench.put('1.0', image, [image]);
    const open = Promise.withResolvers<void>();
    bench.gate = open.promise;
    const pulls = bench.pulls();
    const gone = new AbortController();
    const first = pulls.manifestByTag(REPOSITORY, TAG, { signal: gone.signal });
    const second = pulls.manifestByTag(REPOSITORY, TAG, {});
    gone.abort();
    await assert.rejects(first, { name: 'AbortError' });
    open.resolve();
    assert.equal(verdictOf(await second), image.manifest.digest);
    assert.equal(bench.inner.blobOptions.length, 2);
  });

  it('passes its refusals on, and everything that is not a tag', async () => {
    const bench = new Bench();
    const image = buildImage({ message: 'through' });
    bench.put('1.0', image, [image]);
    const pulls = bench.pulls();
    bench.inner.refuseTag(NAME, 'bad', refusalFor('bad_signature'));
    const refused = await pulls.manifestByTag(REPOSITORY, parseTag('bad'), {});
    assert.equal(verdictOf(refused), 'bad_signature');
    assert.equal(pulls.treatment(REPOSITORY), 'verified');
    const digest = parseDigest(image.manifest.digest);
    assert.equal(verdictOf(await pulls.manifestByDigest(REPOSITORY, digest, {})), digest);
    const config = parseDigest(image.config.digest);
    assert.equal((await pulls.blob(REPOSITORY, config, {})).verdict, 'pinned');
    assert.equal((await pulls.tags(REPOSITORY, {})).verdict, 'pinned');
    assert.deepEqual(bench.ended, []);
  });

  it('may be of a repository that it does not apply to', async () => {
    const bench = new Bench();
    const image = buildImage({ message: 'other rule' });
    bench.put('1.0', image, [image]);
    const pulls = bench.pulls({ appliesTo: () => false });
    assert.equal(pulls.manifestByTagNow(REPOSITORY, TAG)?.digest, image.manifest.digest);
    assert.equal(verdictOf(await pulls.manifestByTag(REPOSITORY, TAG, {})), image.manifest.digest);
    assert.deepEqual(bench.ended, []);
  });
});

describe('an index that has to be whole', () => {
  const amd64 = buildImage({ message: 'a', architecture: 'amd64' });
  const arm64 = buildImage({ message: 'b', architecture: 'arm64' });

  const rows: readonly (readonly [string, readonly Platform[], readonly Image[]])[] = [
    ['all platforms unless some are named', [], [amd64, arm64]],
    ['the named platform alone', [AMD64], [amd64]],
    ['no platform but what is named', [{ os: 'windows', architecture: 'amd64' }], []],
  ];
  for (const [row, platforms, expected] of rows) {
    it(`has the parts fetched of ${row}`, async () => {
      const bench = new Bench();
      bench.put('1.0', buildIndex([amd64, arm64]), [amd64, arm64]);
      const answer = await bench.pulls({ platforms }).manifestByTag(REPOSITORY, TAG, {});
      assert.equal(answer.verdict, 'pinned');
      assert.deepEqual([...bench.opened()].sort(), [...partsOf(...expected)].sort());
    });
  }

  it('has what names no machine fetched in any case, and layers that are elsewhere in none', async () => {
    const bench = new Bench();
    const elsewhere = { ...arm64 };
    const document: { layers: object[] } = JSON.parse(arm64.manifest.bytes.toString());
    document.layers = document.layers.map((layer) => ({ ...layer, urls: ['https://x.example/'] }));
    const image: Image = {
      ...elsewhere,
      manifest: contentOf(arm64.manifest.mediaType, document),
    };
    const index = contentOf('application/vnd.oci.image.index.v1+json', {
      schemaVersion: 2,
      manifests: [
        descriptorOf(amd64.manifest, { architecture: 'unknown', os: 'unknown' }),
        descriptorOf(image.manifest),
      ],
    });
    bench.put('1.0', { manifest: index }, [amd64, image]);
    const answer = await bench.pulls({ platforms: [AMD64] }).manifestByTag(REPOSITORY, TAG, {});
    assert.equal(answer.verdict, 'pinned');
    const expected = [...partsOf(amd64), arm64.config.digest];
    assert.deepEqual([...bench.opened()].sort(), expected.sort());
  });
});
