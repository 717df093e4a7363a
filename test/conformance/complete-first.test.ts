import assert from 'node:assert/strict';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { buildImage, buildIndex, type Image } from '../support/images.ts';
import {
  type BriskClock,
  REGISTRY_HOST,
  RunningPinnace,
  reasonOf,
  Surroundings,
} from '../support/running-pinnace.ts';

const MIRROR = {
  address: '127.0.0.1:0',
  defaultRegistry: REGISTRY_HOST,
  refusal: 'hard-stop',
  completeFirst: true,
};

/** A Pinnace whose listener `registry` completes images first, and whose listener `plain` does not. */
async function complete(
  around: Surroundings,
  more: Readonly<Record<string, unknown>> = {},
): Promise<RunningPinnace> {
  const file = await around.writeConfig({
    listeners: {
      registry: { ...MIRROR, ...more },
      plain: { address: '127.0.0.1:0', defaultRegistry: REGISTRY_HOST },
    },
  });
  return await RunningPinnace.start(file);
}

function blobRequests(around: Surroundings): number {
  return around.registry.requests.filter(({ path }) => path.includes('/blobs/')).length;
}

/** What a tag comes to on a hard-stop listener, whose refusals have status 200. */
async function verdict(pinnace: RunningPinnace, method: 'GET' | 'HEAD' = 'GET'): Promise<string> {
  const answer = await pinnace.get('team/app/manifests/1', { method });
  assert.equal(answer.status, 200);
  return answer.headers['x-pinnace-reason'] === undefined
    ? String(answer.headers['docker-content-digest'])
    : reasonOf(answer);
}

const IMAGE = buildImage({ message: 'complete', bigLayerBytes: 300_000 });

describe('a listener with completeFirst', () => {
  for (const method of ['HEAD', 'GET'] as const) {
    it(`answers ${method} of a tag when the whole image is here, and a pull then needs nothing more`, async () => {
      await using around = await Surroundings.start();
      around.publisher('team/app').release('1', IMAGE);
      await using pinnace = await complete(around);
      assert.equal(await verdict(pinnace, method), IMAGE.manifest.digest);
      assert.equal(blobRequests(around), 3);
      for (const part of [IMAGE.config, ...IMAGE.layers]) {
        const blob = await pinnace.get(`team/app/blobs/${part.digest}`);
        assert.deepEqual(blob.body, part.bytes);
      }
      assert.equal(await verdict(pinnace, method), IMAGE.manifest.digest);
      assert.equal(blobRequests(around), 3);
      assert.equal(await pinnace.metric('pinnace_completed_bytes_total'), sizeOf(IMAGE));
      const whole = 'pinnace_completion_duration_seconds_count{outcome="whole"}';
      assert.equal(await pinnace.metric(whole), 1);
      assert.equal(await pinnace.metric('pinnace_completions_in_flight'), 0);
    });
  }

  const damages: readonly (readonly [
    row: string,
    reason: string,
    damage: (around: Surroundings) => void,
  ])[] = [
    [
      'an altered layer',
      'digest_mismatch',
      (around) => {
        const layer = IMAGE.layers[1];
        assert.ok(layer !== undefined);
        const bytes = Buffer.from(layer.bytes);
        bytes[7] = (bytes[7] ?? 0) ^ 1;
        around.registry.putBlob('team/app', { ...layer, bytes });
      },
    ],
    [
      'a missing layer',
      'blob_missing',
      (around) => around.registry.remove('team/app', IMAGE.layers[0]?.digest ?? ''),
    ],
    [
      'a missing config',
      'blob_missing',
      (around) => around.registry.remove('team/app', IMAGE.config.digest),
    ],
    [
      'a registry that fails',
      'upstream_unreachable',
      (around) => around.registry.inject(/\/blobs\//, { kind: 'status', status: 500 }),
    ],
  ];
  for (const [row, reason, damage] of damages) {
    it(`makes ${row} a hard stop of the tag, where another listener finds out too late`, async () => {
      await using around = await Surroundings.start();
      around.publisher('team/app').release('1', IMAGE);
      damage(around);
      await using pinnace = await complete(around);
      for (const method of ['HEAD', 'GET'] as const) {
        assert.equal(await verdict(pinnace, method), reason);
      }
      const [logged] = pinnace.logged('image.not_completed');
      assert.equal(logged?.['code'], reason);
      assert.equal(logged?.['repository'], `${REGISTRY_HOST}/team/app`);
      const plain = await pinnace.get('team/app/manifests/1', { listener: 'plain' });
      assert.equal(plain.headers['docker-content-digest'], IMAGE.manifest.digest);
    });
  }

  it('asks for all platforms of an index, or for those it is told', async () => {
    const images = (['amd64', 'arm64'] as const).map((architecture) =>
      buildImage({ message: `for ${architecture}`, architecture }),
    );
    for (const [platforms, expected] of [
      [[], 4],
      [['linux/arm64'], 2],
    ] as const) {
      await using around = await Surroundings.start();
      around.publisher('team/app').release('1', buildIndex(images));
      await using pinnace = await complete(around, { completePlatforms: platforms });
      await verdict(pinnace);
      assert.equal(blobRequests(around), expected);
    }
  });

  const decided: readonly (readonly [
    row: string,
    rule: boolean,
    listener: boolean,
    blobs: number,
  ])[] = [
    ['asks for what the listener leaves out', true, false, 3],
    ['leaves out what the listener asks for', false, true, 0],
  ];
  for (const [row, rule, listener, blobs] of decided) {
    it(`does as a rule says that ${row}`, async () => {
      await using around = await Surroundings.start();
      around.publisher('team/app').release('1', IMAGE);
      const file = await around.writeConfig({
        listeners: { registry: { ...MIRROR, completeFirst: listener } },
        policy: [
          { match: `${REGISTRY_HOST}/**`, trust: 'corp' },
          { match: `${REGISTRY_HOST}/team/app`, trust: 'corp', completeFirst: rule },
        ],
      });
      await using pinnace = await RunningPinnace.start(file);
      assert.equal(await verdict(pinnace), IMAGE.manifest.digest);
      assert.equal(blobRequests(around), blobs);
    });
  }

  it('completes an image again whose parts are gone from the disk', async () => {
    await using around = await Surroundings.start();
    around.publisher('team/app').release('1', IMAGE);
    const file = await around.writeConfig({ listeners: { registry: MIRROR } });
    const first = await RunningPinnace.start(file);
    assert.equal(await verdict(first), IMAGE.manifest.digest);
    await first.stop();
    const content = join(around.folder, 'data/content');
    for (const name of await readdir(content)) {
      await rm(join(content, name), { recursive: true, force: true });
    }
    around.registry.remove('team/app', IMAGE.config.digest);
    await using second = await RunningPinnace.start(file);
    assert.equal(await verdict(second), 'blob_missing');
  });

  it('after a restart looks at what is on the disk and asks nobody', async () => {
    await using around = await Surroundings.start();
    around.publisher('team/app').release('1', IMAGE);
    const file = await around.writeConfig({ listeners: { registry: MIRROR } });
    const first = await RunningPinnace.start(file);
    assert.equal(await verdict(first), IMAGE.manifest.digest);
    await first.stop();
    const before = blobRequests(around);
    await using second = await RunningPinnace.start(file);
    assert.equal(await verdict(second), IMAGE.manifest.digest);
    assert.equal(blobRequests(around), before);
  });

  it('refuses what its cache cannot hold', async () => {
    await using around = await Surroundings.start();
    around.publisher('team/app').release('1', IMAGE);
    const file = await around.writeConfig({
      listeners: { registry: MIRROR },
      more: { cache: { maxBytes: '100KB' } },
    });
    await using pinnace = await RunningPinnace.start(file);
    assert.equal(await verdict(pinnace), 'image_incomplete');
    assert.equal(blobRequests(around), 0);
  });

  it('refuses when time is up, fetches on, and answers the next try', async () => {
    await using around = await Surroundings.start();
    around.publisher('team/app').release('1', IMAGE);
    around.registry.inject(/\/blobs\//, { kind: 'hang' }, { times: 1 });
    const file = await around.writeConfig({
      listeners: { registry: { ...MIRROR, completeWithin: '20s' } },
      upstream: { timeouts: { headers: '2s' } },
    });
    await using pinnace = await RunningPinnace.start(file);
    const clock = pinnace.clock as BriskClock;
    const first = verdict(pinnace);
    while ((await pinnace.metric('pinnace_completions_in_flight')) !== 1) await tick();
    clock.advance(20_000);
    assert.equal(await first, 'image_not_ready');
    assert.equal(pinnace.logged('image.late').length, 1);
    assert.equal(await pinnace.metric('pinnace_completions_in_flight'), 1);
    // The request that hangs ends by the upstream's own limit; the next try fetches what is missing.
    while ((await pinnace.metric('pinnace_completions_in_flight')) !== 0) await tick();
    assert.equal(await verdict(pinnace), IMAGE.manifest.digest);
  });
});

function sizeOf({ config, layers }: Image): number {
  return [config, ...layers].reduce((sum, { bytes }) => sum + bytes.length, 0);
}

function tick(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
