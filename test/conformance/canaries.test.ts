import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { makeCanaryImage } from '../../src/oci/canary.ts';
import { buildImage } from '../support/images.ts';
import { ociError } from '../support/registry-under-test.ts';
import {
  REGISTRY_HOST,
  RunningPinnace,
  reasonOf,
  Surroundings,
} from '../support/running-pinnace.ts';

const NONCE = '00112233445566778899aabbccddeeff';
const SIGNED = 'pinnace-canary/signed';
const LISTENERS = {
  registry: { address: '127.0.0.1:0', defaultRegistry: REGISTRY_HOST },
  mirror: { address: '127.0.0.1:0', defaultRegistry: REGISTRY_HOST, refusal: 'hard-stop' },
} as const;

function imageOf(kind: 'signed' | 'tampered', listener: keyof typeof LISTENERS, nonce = NONCE) {
  const refusal = listener === 'mirror' ? 'hard-stop' : 'deny';
  return makeCanaryImage({ kind, nonce, registry: REGISTRY_HOST, listener, refusal });
}

describe('the canaries of pinnace doctor', () => {
  it('serves the signed one whole, for HEAD and GET, at every listener with that listener’s facts', async () => {
    await using around = await Surroundings.start();
    const config = await around.writeConfig({ listeners: LISTENERS });
    await using pinnace = await RunningPinnace.start(config);
    for (const listener of ['registry', 'mirror'] as const) {
      const image = imageOf('signed', listener);
      const head = await pinnace.head(`${SIGNED}/manifests/${NONCE}`, { listener });
      const tag = await pinnace.get(`${SIGNED}/manifests/${NONCE}`, { listener });
      assert.equal(head.headers['docker-content-digest'], image.index.digest);
      assert.equal(head.headers['content-length'], String(image.index.bytes.length));
      assert.deepEqual([tag.status, tag.body], [200, image.index.bytes]);
      for (const { digest, bytes, mediaType } of [image.index, ...image.manifests]) {
        const answer = await pinnace.get(`${SIGNED}/manifests/${digest}`, { listener });
        assert.deepEqual([answer.status, answer.body], [200, bytes]);
        assert.equal(answer.headers['content-type'], mediaType);
      }
      for (const { digest, bytes } of image.blobs) {
        const answer = await pinnace.get(`${SIGNED}/blobs/${digest}`, { listener });
        assert.deepEqual([answer.status, answer.body], [200, bytes]);
        const range = { headers: { range: 'bytes=2-4' }, listener };
        const part = await pinnace.get(`${SIGNED}/blobs/${digest}`, range);
        assert.deepEqual([part.status, part.body], [206, bytes.subarray(2, 5)]);
      }
    }
    // Nobody was asked: neither the registry nor the trust server has anything to do with it.
    assert.deepEqual(around.registry.requests, []);
    assert.deepEqual(around.notary.requests, []);
  });

  it('refuses the unsigned one like other unsigned tags: told, or stopped', async () => {
    await using around = await Surroundings.start();
    const config = await around.writeConfig({ listeners: LISTENERS });
    await using pinnace = await RunningPinnace.start(config);
    const path = `pinnace-canary/unsigned/manifests/${NONCE}`;
    const told = await pinnace.get(path);
    assert.deepEqual([told.status, reasonOf(told)], [403, 'canary']);
    const sentence = `pinnace refused ${REGISTRY_HOST}/pinnace-canary/unsigned:${NONCE}: `;
    assert.ok(ociError(told).message.startsWith(sentence), ociError(told).message);
    const stopped = await pinnace.get(path, { listener: 'mirror' });
    assert.deepEqual([stopped.status, reasonOf(stopped)], [200, 'canary']);
    const decoy = JSON.parse(stopped.body.toString());
    assert.ok(decoy.layers[0].mediaType.startsWith(sentence));
    const blob = `pinnace-canary/unsigned/blobs/${decoy.layers[0].digest}`;
    const refused = await pinnace.get(blob, { listener: 'mirror' });
    assert.equal(refused.status, 403);
    assert.ok(ociError(refused).message.includes(sentence));
    assert.deepEqual(around.notary.requests, []);
    assert.equal(
      await pinnace.metric('pinnace_refusals_total{reason="canary",rule="none",trust="none"}'),
      2,
    );
  });

  it('serves the tampered one up to its layer, which it refuses as it refuses altered content', async () => {
    await using around = await Surroundings.start();
    await using pinnace = await RunningPinnace.start(await around.writeConfig());
    const { manifests, blobs } = imageOf('tampered', 'registry');
    const folder = 'pinnace-canary/tampered';
    assert.equal((await pinnace.get(`${folder}/manifests/${NONCE}`)).status, 200);
    const manifest = await pinnace.get(`${folder}/manifests/${manifests[0]?.digest}`);
    const { config, layers } = JSON.parse(manifest.body.toString());
    assert.equal(config.digest, blobs[0]?.digest);
    assert.equal((await pinnace.get(`${folder}/blobs/${config.digest}`)).status, 200);
    const layer = await pinnace.get(`${folder}/blobs/${layers[0].digest}`);
    assert.deepEqual([layer.status, reasonOf(layer)], [403, 'canary']);
  });

  it('refuses the tag of the tampered one where whole images are verified first', async () => {
    await using around = await Surroundings.start();
    const complete = { ...LISTENERS.mirror, completeFirst: true };
    const config = await around.writeConfig({ listeners: { ...LISTENERS, complete } });
    await using pinnace = await RunningPinnace.start(config);
    const tampered = `pinnace-canary/tampered/manifests/${NONCE}`;
    assert.equal(reasonOf(await pinnace.get(tampered, { listener: 'complete' })), 'canary');
    assert.equal(
      (await pinnace.get(tampered, { listener: 'mirror' })).headers['warning'],
      undefined,
    );
    const signed = await pinnace.get(`${SIGNED}/manifests/${NONCE}`, { listener: 'complete' });
    assert.equal(signed.status, 200);
    assert.equal(signed.headers['x-pinnace-reason'], undefined);
  });

  it('gives out by digest only what was asked for by tag before, in that repository and of that registry', async () => {
    await using around = await Surroundings.start();
    await using pinnace = await RunningPinnace.start(await around.writeConfig());
    const image = imageOf('signed', 'registry');
    const manifest = `manifests/${image.index.digest}`;
    const blob = `blobs/${image.blobs[0]?.digest}`;
    for (const path of [manifest, blob]) {
      assert.equal((await pinnace.get(`${SIGNED}/${path}`)).status, 403, path);
    }
    await pinnace.get(`${SIGNED}/manifests/${NONCE}`);
    for (const path of [manifest, blob]) {
      assert.equal((await pinnace.get(`${SIGNED}/${path}`)).status, 200, path);
      assert.equal((await pinnace.get(`pinnace-canary/tampered/${path}`)).status, 403, path);
      assert.equal((await pinnace.get(`team/app/${path}`)).status, 403, path);
    }
    // Asked for often enough, with other tags, the first is forgotten.
    for (let index = 0; index < 64; index += 1) {
      const nonce = index.toString(16).padStart(32, '0');
      await pinnace.get(`${SIGNED}/manifests/${nonce}`);
    }
    assert.equal((await pinnace.get(`${SIGNED}/${manifest}`)).status, 403);
  });

  it('refuses names of its folder that are no canaries, lists no tags, and knows no other registry', async () => {
    await using around = await Surroundings.start();
    await using pinnace = await RunningPinnace.start(await around.writeConfig());
    const rows: readonly (readonly [string, string])[] = [
      [`${SIGNED}/manifests/latest`, 'canary'],
      [`${SIGNED}/tags/list`, 'canary'],
      [`pinnace-canary/other/manifests/${NONCE}`, 'no_trust_data'],
    ];
    for (const [path, reason] of rows)
      assert.equal(reasonOf(await pinnace.get(path)), reason, path);
    // A hard stop answers for registries that nobody configured, but not with their canaries.
    const listeners = { mirror: LISTENERS.mirror };
    const more = { data: `${around.folder}/other` };
    const stopping = await around.writeConfig({ listeners, more }, 'stopping.yaml');
    await using other = await RunningPinnace.start(stopping);
    for (const kind of ['signed', 'tampered', 'unsigned']) {
      const path = `pinnace-canary/${kind}/manifests/${NONCE}?ns=other.example`;
      assert.equal(reasonOf(await other.get(path, { listener: 'mirror' })), 'no_rule', kind);
    }
    const elsewhere = await pinnace.get(`other.example/${SIGNED}/manifests/${NONCE}`);
    assert.equal(elsewhere.status, 404);
  });

  it('serves a repository that is relayed unverified as before, but its canaries itself', async () => {
    await using around = await Surroundings.start();
    const policy = [{ match: `${REGISTRY_HOST}/**`, allowUnverified: true, reason: 'a test' }];
    await using pinnace = await RunningPinnace.start(await around.writeConfig({ policy }));
    assert.equal(
      reasonOf(await pinnace.get(`pinnace-canary/unsigned/manifests/${NONCE}`)),
      'canary',
    );
    const image = buildImage();
    around.publisher('team/app').push('1', image);
    assert.equal((await pinnace.get('team/app/manifests/1')).status, 200);
  });

  it('can be switched off: then the names are names like all others', async () => {
    await using around = await Surroundings.start();
    const config = await around.writeConfig({ more: { canaries: false } });
    await using pinnace = await RunningPinnace.start(config);
    for (const kind of ['signed', 'unsigned', 'tampered']) {
      const answer = await pinnace.get(`pinnace-canary/${kind}/manifests/${NONCE}`);
      assert.equal(reasonOf(answer), 'no_trust_data', kind);
    }
  });
});
