import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import type { Fault } from '../support/http-faults.ts';
import { buildImage, buildIndex, type Content, type Image } from '../support/images.ts';
import {
  BriskClock,
  type Publisher,
  RunningPinnace,
  reasonOf,
  Surroundings,
  takeWhatComes,
} from '../support/running-pinnace.ts';

const APP = 'team/app';
const HELD_BACK = 64 * 1024;
const SCHEMA_1 = 'application/vnd.docker.distribution.manifest.v1+prettyjws';

/** What a registry may do instead of sending the manifest or blob asked for, and what Pinnace makes of it. */
const FAULTS: readonly (readonly [string, Fault, { manifest: string; blob: string }])[] = [
  ['not there', { kind: 'status', status: 404 }, both('manifest_missing', 'blob_missing')],
  ['login refused', { kind: 'status', status: 401 }, both('upstream_denied')],
  ['forbidden', { kind: 'status', status: 403 }, both('upstream_denied')],
  [
    'rate limited',
    { kind: 'status', status: 429, headers: { 'retry-after': '17' } },
    both('upstream_rate_limited'),
  ],
  ['broken', { kind: 'status', status: 500 }, both('upstream_unreachable')],
  ['overloaded', { kind: 'status', status: 503 }, both('upstream_unreachable')],
  ['silent', { kind: 'hang' }, both('upstream_unreachable')],
  ['cut at once', { kind: 'reset' }, both('upstream_unreachable')],
  ['cut in the body', { kind: 'reset', afterBytes: 100 }, both('upstream_unreachable')],
  ['stuck in the body', { kind: 'hang', afterBytes: 100 }, both('upstream_unreachable')],
  ['too short', { kind: 'truncate', bytes: 100 }, both('digest_mismatch')],
  ['too long', { kind: 'oversize', extraBytes: 10 }, both('digest_mismatch')],
  [
    'never ending',
    { kind: 'endless' },
    { manifest: 'upstream_unreachable', blob: 'digest_mismatch' },
  ],
  ['altered at the end', { kind: 'corrupt' }, both('digest_mismatch')],
  ['altered at the start', { kind: 'corrupt', offset: 0 }, both('digest_mismatch')],
  ['something else', { kind: 'replace', body: Buffer.from('{}') }, both('digest_mismatch')],
  [
    'redirected in circles',
    { kind: 'redirect', location: '/v2/team/app/blobs/manifests/again' },
    both('upstream_unreachable'),
  ],
];

const STATUS: Readonly<Record<string, number>> = {
  manifest_missing: 404,
  blob_missing: 404,
  upstream_denied: 403,
  upstream_rate_limited: 429,
  upstream_unreachable: 503,
  digest_mismatch: 403,
};

function both(manifest: string, blob = manifest): { manifest: string; blob: string } {
  return { manifest, blob };
}

describe('the whole proxy: a registry that misbehaves', () => {
  let around: Surroundings;
  let pinnace: RunningPinnace;
  let app: Publisher;

  before(async () => {
    around = await Surroundings.start();
    app = around.publisher(APP);
    const timeouts = { connect: '1s', headers: '300ms', idle: '300ms' };
    pinnace = await RunningPinnace.start(await around.writeConfig({ upstream: { timeouts } }));
  });
  after(async () => {
    await pinnace.stop();
    await around[Symbol.asyncDispose]();
  });

  for (const [index, [name, fault, expected]] of FAULTS.entries()) {
    it(`refuses a manifest, for GET and HEAD alike, then recovers: ${name}`, async () => {
      const image = buildImage({ message: `manifest ${index}` });
      const tag = `manifest-${index}`;
      app.release(tag, image);
      await pinnace.refresh();
      around.registry.inject(/manifests/, spoiling(fault, image.manifest));
      const get = await pinnace.get(`${APP}/manifests/${tag}`);
      assert.deepEqual([reasonOf(get), get.status], outcome(expected.manifest));
      const isRateLimited = expected.manifest === 'upstream_rate_limited';
      if (isRateLimited) assert.equal(get.headers['retry-after'], '17');
      assert.equal(get.body.includes(image.config.digest), false);
      const head = await pinnace.head(`${APP}/manifests/${tag}`);
      assert.deepEqual([reasonOf(head), head.status], outcome(expected.manifest));
      around.registry.clearFaults();
      assert.equal(await pinnace.verdict(APP, tag), image.manifest.digest);
    });

    it(`refuses a blob that fits into what is held back: ${name}`, async () => {
      const image = buildImage({ message: `blob ${index}` });
      const tag = `blob-${index}`;
      app.release(tag, image);
      await pinnace.refresh();
      assert.equal(await pinnace.verdict(APP, tag), image.manifest.digest);
      around.registry.inject(/blobs/, spoiling(fault, image.config));
      const path = `${APP}/blobs/${image.config.digest}`;
      const get = await pinnace.get(path);
      assert.deepEqual([reasonOf(get), get.status], outcome(expected.blob));
      const head = await pinnace.head(path);
      assert.deepEqual([reasonOf(head), head.status], outcome(expected.blob));
      around.registry.clearFaults();
    });
  }

  it('refuses when the registry is gone', async () => {
    app.release('gone', buildImage({ message: 'gone' }));
    await pinnace.refresh();
    await around.registry.down();
    assert.equal(await pinnace.verdict(APP, 'gone'), 'upstream_unreachable');
    await around.registry.up();
  });
});

describe('the whole proxy: content that is not what was signed', () => {
  let around: Surroundings;
  let pinnace: RunningPinnace;
  let app: Publisher;
  const clock = new BriskClock();

  before(async () => {
    around = await Surroundings.start();
    app = around.publisher(APP);
    pinnace = await RunningPinnace.start(await around.writeConfig(), { clock });
  });
  after(async () => {
    await pinnace.stop();
    await around[Symbol.asyncDispose]();
  });

  async function released(tag: string, image: Image): Promise<Image> {
    app.release(tag, image);
    await pinnace.refresh();
    assert.equal(await pinnace.verdict(APP, tag), image.manifest.digest);
    return image;
  }

  it('never sends the end of an altered layer, and remembers it for every form of asking', async () => {
    const options = { message: 'layer', bigLayerBytes: 1_000_000 };
    const image = await released('layer', buildImage(options));
    const layer = image.layers[1];
    assert.ok(layer !== undefined && layer.bytes.length > 4 * HELD_BACK);
    around.registry.inject(/blobs/, { kind: 'corrupt', offset: 500_000 });
    const path = `/v2/${APP}/blobs/${layer.digest}`;
    const taken = await takeWhatComes(pinnace.port(), path);
    assert.equal(taken.isComplete, false);
    assert.ok(taken.body.length <= layer.bytes.length - HELD_BACK, `${taken.body.length}`);
    around.registry.clearFaults();
    const before = around.registry.requests.length;
    for (const ask of [
      () => pinnace.get(`${APP}/blobs/${layer.digest}`),
      () => pinnace.head(`${APP}/blobs/${layer.digest}`),
      () => pinnace.get(`${APP}/blobs/${layer.digest}`, { headers: { range: 'bytes=900000-' } }),
      () => pinnace.get(`${APP}/blobs/${layer.digest}`, { headers: { range: 'bytes=0-9' } }),
    ]) {
      const answer = await ask();
      assert.deepEqual([reasonOf(answer), answer.status], ['digest_mismatch', 403]);
    }
    assert.equal(around.registry.requests.length, before);
    assert.equal((await pinnace.logged('request')).at(-5)?.['code'], 'digest_mismatch');
    clock.advance(61_000);
    const healed = await pinnace.get(`${APP}/blobs/${layer.digest}`);
    assert.deepEqual(healed.body, layer.bytes);
    const part = await pinnace.get(`${APP}/blobs/${layer.digest}`, {
      headers: { range: 'bytes=900000-' },
    });
    assert.deepEqual([part.status, part.body], [206, layer.bytes.subarray(900_000)]);
  });

  it('refuses a child whose size is not the one its index states, and again when asked again', async () => {
    const child = buildImage({ message: 'child' });
    const index = buildIndex([child]);
    const text = index.manifest.bytes.toString();
    const size = child.manifest.bytes.length;
    const lying = contentOf(text.replace(`"size": ${size}`, `"size": ${size + 1}`), index.manifest);
    around.registry.push(APP, child);
    await released('lying', { ...child, manifest: lying });
    for (let turn = 0; turn < 3; turn += 1) {
      assert.equal(await pinnace.verdict(APP, child.manifest.digest), 'digest_mismatch');
    }
    // Signed in its own right, what the index says of it no longer matters.
    await released('child', child);
    assert.equal(await pinnace.verdict(APP, child.manifest.digest), child.manifest.digest);
  });

  const untyped = buildImage({ message: 'untyped' });
  const withoutType = contentOf(
    untyped.manifest.bytes.toString().replace(/ *"mediaType": "[^"]*manifest[^"]*",\n/, ''),
    untyped.manifest,
  );
  for (const [name, manifest, sentType, expected] of [
    ['schema 1 by its type', contentOf('{"schemaVersion":1}', untyped.manifest), SCHEMA_1, ''],
    [
      'schema 1 by its content',
      contentOf('{"schemaVersion":1,"fsLayers":[]}', untyped.manifest),
      'application/json',
      '',
    ],
    ['an index by its type, an image by content', untyped.manifest, indexType(), ''],
    ['an index by its type alone', withoutType, indexType(), ''],
    ['a web page by its type', untyped.manifest, 'text/html', ''],
    ['plain text, which says nothing', untyped.manifest, 'text/plain', untyped.manifest.mediaType],
    ['the type with parameters', untyped.manifest, `${untyped.manifest.mediaType}; q=1`, ''],
    ['no type anywhere', withoutType, 'application/octet-stream', ''],
    ['the type in the header alone', withoutType, untyped.manifest.mediaType, ''],
  ] as const) {
    it(`takes care of the type of a manifest: ${name}`, async () => {
      const tag = name.replaceAll(/[^a-z0-9]+/g, '-');
      const sent = { ...manifest, mediaType: sentType };
      app.release(tag, { ...untyped, manifest: sent });
      await pinnace.refresh();
      const answer = await pinnace.get(`${APP}/manifests/${tag}`);
      const isServed = expected !== '' || sentType.startsWith(untyped.manifest.mediaType);
      if (isServed) {
        assert.equal(answer.status, 200);
        assert.equal(answer.headers['content-type'], untyped.manifest.mediaType);
        assert.deepEqual(answer.body, manifest.bytes);
        return;
      }
      assert.deepEqual([reasonOf(answer), answer.status], ['media_type_not_supported', 403]);
      assert.equal(await pinnace.verdict(APP, manifest.digest), 'media_type_not_supported');
    });
  }
});

function outcome(reason: string): readonly [string, number | undefined] {
  return [reason, STATUS[reason]];
}

/** A fault that leaves something to be spoiled in content of any length. */
function spoiling(fault: Fault, content: Content): Fault {
  return 'afterBytes' in fault
    ? { ...fault, afterBytes: Math.min(100, Math.floor(content.bytes.length / 2)) }
    : fault;
}

function indexType(): string {
  return 'application/vnd.oci.image.index.v1+json';
}

/** Other bytes under the media type of `like`, with their own digest. */
function contentOf(text: string, like: Content): Content {
  const bytes = Buffer.from(text);
  return { bytes, mediaType: like.mediaType, digest: digestOf(bytes) };
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
