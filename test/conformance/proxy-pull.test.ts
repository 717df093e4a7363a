import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { buildImage, buildIndex, type Image, signedContentOf } from '../support/images.ts';
import {
  type Publisher,
  REGISTRY_HOST,
  RunningPinnace,
  reasonOf,
  Surroundings,
} from '../support/running-pinnace.ts';

const APP = 'team/app';

describe('the whole proxy: pulls', () => {
  let around: Surroundings;
  let pinnace: RunningPinnace;
  let app: Publisher;
  const image = buildImage({ message: 'signed', bigLayerBytes: 300_000 });
  const docker = buildImage({ message: 'docker', format: 'docker' });

  before(async () => {
    around = await Surroundings.start();
    app = around.publisher(APP);
    app.release('1.0', image);
    app.release('docker', docker);
    pinnace = await RunningPinnace.start(await around.writeConfig());
  });
  after(async () => {
    await pinnace.stop();
    await around[Symbol.asyncDispose]();
  });

  for (const [tag, pulled] of [
    ['1.0', image],
    ['docker', docker],
  ] as const) {
    it(`gives out a signed image byte for byte: ${tag}`, async () => {
      const head = await pinnace.head(`${APP}/manifests/${tag}`);
      assert.equal(head.status, 200);
      assert.equal(head.headers['docker-content-digest'], pulled.manifest.digest);
      const path = `${APP}/manifests/${head.headers['docker-content-digest']}`;
      const manifest = await pinnace.get(path);
      assert.deepEqual(manifest.body, pulled.manifest.bytes);
      assert.equal(manifest.headers['content-type'], pulled.manifest.mediaType);
      assert.equal(manifest.headers['warning'], undefined);
      for (const blob of [pulled.config, ...pulled.layers]) {
        const answer = await pinnace.get(`${APP}/blobs/${blob.digest}`);
        assert.deepEqual([answer.status, answer.body], [200, blob.bytes]);
      }
    });
  }

  it('never asks the registry what a tag means', () => {
    const asked = around.registry.requests.map(({ path }) => path);
    assert.deepEqual(
      asked.filter((path) => path.includes('/manifests/') && !path.includes('sha256:')),
      [],
    );
    assert.deepEqual(
      asked.filter((path) => path.endsWith('/tags/list')),
      [],
    );
  });

  it('gives the signed digest when the tag was moved at the registry', async () => {
    const other = buildImage({ message: 'moved' });
    app.push('1.0', other);
    assert.equal(await pinnace.verdict(APP, '1.0'), image.manifest.digest);
    assert.equal(await pinnace.verdict(APP, other.manifest.digest), 'digest_not_vouched');
    for (const blob of [other.config, ...other.layers]) {
      const answer = await pinnace.get(`${APP}/blobs/${blob.digest}`);
      assert.deepEqual([answer.status, reasonOf(answer)], [403, 'digest_not_vouched']);
    }
  });

  it('refuses what is not signed, and HEAD like GET', async () => {
    app.push('unsigned', buildImage({ message: 'unsigned' }));
    for (const [path, status, reason] of [
      [`${APP}/manifests/unsigned`, 403, 'tag_not_signed'],
      [`${APP}/manifests/sha256:${'0'.repeat(64)}`, 403, 'digest_not_vouched'],
      [`${APP}/manifests/sha512:${'0'.repeat(128)}`, 403, 'digest_not_vouched'],
      [`${APP}/blobs/sha256:${'0'.repeat(64)}`, 403, 'digest_not_vouched'],
      ['team/unknown/manifests/1.0', 403, 'no_trust_data'],
      ['team/unknown/tags/list', 403, 'no_trust_data'],
    ] as const) {
      const get = await pinnace.get(path);
      assert.deepEqual([get.status, reasonOf(get)], [status, reason], path);
      const head = await pinnace.head(path);
      assert.deepEqual([head.status, reasonOf(head)], [status, reason], path);
      assert.equal(head.body.length, 0);
    }
  });

  it('lists the tags that would verify, and no others', async () => {
    const answer = await pinnace.get(`${APP}/tags/list`);
    assert.deepEqual(JSON.parse(answer.body.toString()), { name: APP, tags: ['1.0', 'docker'] });
  });

  it('serves a signed digest that was never pulled by its tag', async () => {
    const fresh = around.publisher('team/by-digest');
    const pulled = buildImage({ message: 'by digest' });
    fresh.release('9', pulled);
    assert.equal(
      await pinnace.verdict('team/by-digest', pulled.manifest.digest),
      pulled.manifest.digest,
    );
    const config = await pinnace.get(`team/by-digest/blobs/${pulled.config.digest}`);
    assert.deepEqual(config.body, pulled.config.bytes);
  });

  it('vouches within one repository only', async () => {
    const other = around.publisher('team/other');
    other.release('1', buildImage({ message: 'other' }));
    await pinnace.verdict(APP, '1.0');
    await pinnace.verdict('team/other', '1');
    // The registry has it under the other name too: it is the signature that is missing.
    around.registry.push('team/other', image, 'copy');
    for (const path of [
      `team/other/manifests/${image.manifest.digest}`,
      `team/other/blobs/${image.layers[0]?.digest}`,
    ]) {
      assert.equal(reasonOf(await pinnace.get(path)), 'digest_not_vouched', path);
    }
  });

  it('asks for the signatures that the rule names', async () => {
    const config = await around.writeConfig(
      {
        policy: [{ match: `${REGISTRY_HOST}/**`, trust: 'corp', signers: ['alice', 'bob'] }],
        more: { data: `${around.folder}/signers` },
      },
      'signers.yaml',
    );
    const publisher = around.publisher('team/signers');
    const [releases, alice, bob] = ['targets/releases', 'targets/alice', 'targets/bob'];
    for (const role of [releases, alice, bob]) publisher.trust.addDelegation(role);
    const good = buildImage({ message: 'both' });
    for (const role of [alice, bob, releases]) publisher.release('both', good, role);
    for (const role of [alice, releases]) publisher.release('one', good, role);
    for (const role of [alice, releases]) publisher.release('split', good, role);
    publisher.release('split', buildImage({ message: 'not the same' }), bob);
    for (const role of [alice, bob]) publisher.release('unreleased', good, role);
    publisher.release('owner', good);
    await using strict = await RunningPinnace.start(config);
    const verdicts = [];
    for (const tag of ['both', 'one', 'split', 'unreleased', 'owner']) {
      verdicts.push(await strict.verdict('team/signers', tag));
    }
    assert.deepEqual(verdicts, [
      good.manifest.digest,
      'required_signer_missing',
      'signer_conflict',
      'tag_not_released',
      'required_signer_missing',
    ]);
    const list = await strict.get('team/signers/tags/list');
    assert.deepEqual(JSON.parse(list.body.toString()).tags, ['both']);
  });
});

describe('the whole proxy: indexes and restarts', () => {
  const images: readonly Image[] = [
    buildImage({ message: 'amd64', architecture: 'amd64' }),
    buildImage({ message: 'arm64', architecture: 'arm64' }),
  ];

  for (const format of ['oci', 'docker'] as const) {
    it(`serves children of a signed index by digest, also after a restart: ${format}`, async () => {
      await using around = await Surroundings.start();
      const index = buildIndex(images, format);
      around.publisher('team/multi').release('1', index);
      const config = await around.writeConfig();
      const [first, second] = images;
      assert.ok(first !== undefined && second !== undefined);
      {
        await using pinnace = await RunningPinnace.start(config);
        assert.equal(
          await pinnace.verdict('team/multi', first.manifest.digest),
          'digest_not_vouched',
        );
        assert.equal(await pinnace.verdict('team/multi', '1'), index.manifest.digest);
        assert.equal(
          await pinnace.verdict('team/multi', first.manifest.digest),
          first.manifest.digest,
        );
      }
      await around.notary.down();
      await using again = await RunningPinnace.start(config);
      for (const child of images) {
        const manifest = await again.get(`team/multi/manifests/${child.manifest.digest}`);
        assert.deepEqual(manifest.body, child.manifest.bytes);
        const layer = child.layers[0];
        const blob = await again.get(`team/multi/blobs/${layer?.digest}`);
        assert.deepEqual(blob.body, layer?.bytes);
      }
    });
  }

  it('serves all of a pulled image after a restart, registry and trust server down', async () => {
    await using around = await Surroundings.start();
    const image = buildImage({ message: 'kept' });
    around.publisher(APP).release('1', image);
    const config = await around.writeConfig();
    const paths = [
      `${APP}/manifests/1`,
      `${APP}/manifests/${image.manifest.digest}`,
      ...[image.config, ...image.layers].map((blob) => `${APP}/blobs/${blob.digest}`),
    ];
    {
      await using pinnace = await RunningPinnace.start(config);
      for (const path of paths) assert.equal((await pinnace.get(path)).status, 200, path);
    }
    await Promise.all([around.notary.down(), around.registry.down()]);
    await using again = await RunningPinnace.start(config);
    for (const path of paths) {
      const answer = await again.get(path);
      assert.equal(answer.status, 200, path);
      // By tag, it is an earlier answer, and says so; a digest means the same for ever.
      assert.equal(answer.headers['warning'] !== undefined, path.endsWith('/1'), path);
    }
  });

  it('makes a newly signed tag visible at once when told to refresh', async () => {
    await using around = await Surroundings.start();
    const app = around.publisher(APP);
    const [old, fresh] = images;
    assert.ok(old !== undefined && fresh !== undefined);
    app.release('latest', old);
    await using pinnace = await RunningPinnace.start(await around.writeConfig());
    assert.equal(await pinnace.verdict(APP, 'latest'), old.manifest.digest);
    app.release('latest', fresh);
    assert.equal(await pinnace.verdict(APP, 'latest'), old.manifest.digest);
    const answer = await pinnace.refresh(`${REGISTRY_HOST}/${APP}`);
    assert.equal(answer.status, 200);
    assert.deepEqual(JSON.parse(answer.body.toString()), {
      refreshed: [`${REGISTRY_HOST}/${APP}`],
      failed: [],
    });
    assert.equal(await pinnace.verdict(APP, 'latest'), fresh.manifest.digest);
    // What was signed once stays available by its digest.
    assert.equal(await pinnace.verdict(APP, old.manifest.digest), old.manifest.digest);
  });

  it('refuses a manifest whose length differs from the signed one, by tag and ever after', async () => {
    await using around = await Surroundings.start();
    const app = around.publisher(APP);
    const image = buildImage({ message: 'long' });
    app.push('1', image);
    const { sha256, length } = signedContentOf(image);
    app.trust.sign('1', { sha256, length: length + 1 });
    app.publish();
    await using pinnace = await RunningPinnace.start(await around.writeConfig());
    for (const reference of ['1', image.manifest.digest, '1', image.manifest.digest]) {
      assert.equal(await pinnace.verdict(APP, reference), 'length_mismatch', reference);
    }
    const blob = await pinnace.get(`${APP}/blobs/${image.config.digest}`);
    assert.equal(reasonOf(blob), 'digest_not_vouched');
  });
});
