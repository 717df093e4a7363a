import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { describe, it } from 'node:test';
import { buildImage, type Image } from '../support/images.ts';
import { PinnaceProcess } from '../support/pinnace-process.ts';
import { ask } from '../support/registry-under-test.ts';
import {
  BriskClock,
  REGISTRY_HOST,
  RunningPinnace,
  reasonOf,
  Surroundings,
} from '../support/running-pinnace.ts';

const APP = 'team/app';
const VERIFIED = { match: `${REGISTRY_HOST}/**`, trust: 'corp' };
const RELAYED = { match: `${REGISTRY_HOST}/**`, allowUnverified: true, reason: 'a test' };
const ELSEWHERE = { match: `${REGISTRY_HOST}/elsewhere/**`, trust: 'corp' };

/** What every way to ask for an image comes to. */
async function verdicts(pinnace: RunningPinnace, { manifest, layers }: Image): Promise<string[]> {
  const head = await pinnace.head(`${APP}/manifests/1`);
  const blob = await pinnace.get(`${APP}/blobs/${layers[0]?.digest}`);
  const tags = await pinnace.get(`${APP}/tags/list`);
  return [
    await pinnace.verdict(APP, '1'),
    head.status === 200 ? String(head.headers['docker-content-digest']) : reasonOf(head),
    await pinnace.verdict(APP, manifest.digest),
    blob.status === 200 ? String(blob.headers['docker-content-digest']) : reasonOf(blob),
    tags.status === 200 ? 'listed' : reasonOf(tags),
  ];
}

function allServed({ manifest, layers }: Image): string[] {
  const { digest } = manifest;
  return [digest, digest, digest, String(layers[0]?.digest), 'listed'];
}

describe('a reload', () => {
  for (const [name, before] of [
    ['verified', VERIFIED],
    ['relayed', RELAYED],
  ] as const) {
    it(`that takes a rule away is in force at the very next request, however warm: ${name}`, async () => {
      await using around = await Surroundings.start();
      const image = buildImage();
      around.publisher(APP).release('1', image);
      const file = await around.writeConfig({ policy: [before] });
      await using pinnace = await RunningPinnace.start(file);
      for (let round = 0; round < 2; round += 1) {
        const served = await verdicts(pinnace, image);
        // A relayed blob comes with what the registry says of it, which is nothing.
        if (name === 'verified') assert.deepEqual(served, allServed(image));
      }
      await around.writeConfig({ policy: [ELSEWHERE] });
      await pinnace.reload();
      assert.deepEqual(await verdicts(pinnace, image), Array(5).fill('no_rule'));
      await around.writeConfig({ policy: [VERIFIED] });
      await pinnace.reload();
      assert.equal(await pinnace.verdict(APP, '1'), image.manifest.digest);
    });
  }

  it('that brings another trust source asks that one, also for warm tags', async () => {
    await using around = await Surroundings.start();
    await using other = await Surroundings.start();
    const image = buildImage();
    around.publisher(APP).release('1', image);
    const file = await around.writeConfig();
    await using pinnace = await RunningPinnace.start(file);
    assert.equal(await pinnace.verdict(APP, '1'), image.manifest.digest);
    const url = other.notary.url;
    await around.writeConfig({ trust: { url } });
    await pinnace.reload();
    // The floors of before stay on record under the source's name: the new server knows nothing of this repository.
    assert.notEqual(await pinnace.verdict(APP, '1'), image.manifest.digest);
  });

  it('keeps what was verified before, so that trust is not begun anew', async () => {
    await using around = await Surroundings.start();
    const image = buildImage();
    around.publisher(APP).release('1', image);
    await using pinnace = await RunningPinnace.start(await around.writeConfig());
    assert.equal(await pinnace.verdict(APP, '1'), image.manifest.digest);
    await around.writeConfig({ trust: { trustOnFirstUse: true, maxAge: '30s' } });
    await pinnace.reload();
    assert.equal(await pinnace.verdict(APP, '1'), image.manifest.digest);
    assert.equal(pinnace.logged('trust.first_use').length, 1);
    await pinnace.reload();
    await around.notary.down();
    assert.equal(await pinnace.verdict(APP, '1'), image.manifest.digest);
  });

  it('that leaves a trust source as it is asks it nothing anew, and waits no longer than maxAge with that', async () => {
    await using around = await Surroundings.start();
    const image = buildImage();
    const newer = buildImage({ message: 'newer' });
    const publisher = around.publisher(APP);
    publisher.release('1', image);
    const clock = new BriskClock();
    await using pinnace = await RunningPinnace.start(await around.writeConfig(), { clock });
    assert.equal(await pinnace.verdict(APP, '1'), image.manifest.digest);
    publisher.release('1', newer);
    const asked = around.notary.requests.length;
    await around.writeConfig({ policy: [{ ...VERIFIED, refusal: 'hard-stop' }] });
    await pinnace.reload();
    assert.equal(await pinnace.verdict(APP, '1'), image.manifest.digest);
    assert.equal(around.notary.requests.length, asked);
    clock.advance(60_000);
    assert.equal(await pinnace.verdict(APP, '1'), newer.manifest.digest);
  });

  it('puts a stricter rule in force at once, over metadata that is not asked for anew', async () => {
    await using around = await Surroundings.start();
    const image = buildImage();
    around.publisher(APP).release('1', image);
    await using pinnace = await RunningPinnace.start(await around.writeConfig());
    assert.equal(await pinnace.verdict(APP, '1'), image.manifest.digest);
    const asked = around.notary.requests.length;
    await around.writeConfig({ policy: [{ ...VERIFIED, signers: ['alice'] }] });
    await pinnace.reload();
    assert.equal(await pinnace.verdict(APP, '1'), 'required_signer_missing');
    const { digest } = image.manifest;
    await around.writeConfig({ policy: [VERIFIED], more: { deny: { digests: [digest] } } });
    await pinnace.reload();
    assert.equal(await pinnace.verdict(APP, '1'), 'denied_by_rule');
    assert.equal(around.notary.requests.length, asked);
  });

  for (const [what, trust] of [
    ['anchor', { anchors: [{ gun: `${REGISTRY_HOST}/**`, rootKeys: ['a'.repeat(64)] }] }],
    ['first use', { trustOnFirstUse: false }],
  ] as const) {
    it(`that takes away what trust began with is in force at once: ${what}`, async () => {
      await using around = await Surroundings.start();
      const image = buildImage();
      around.publisher(APP).release('1', image);
      await using pinnace = await RunningPinnace.start(await around.writeConfig());
      assert.equal(await pinnace.verdict(APP, '1'), image.manifest.digest);
      await around.writeConfig({ trust });
      await pinnace.reload();
      assert.match(await pinnace.verdict(APP, '1'), /^(pin_mismatch|tofu_disabled)$/);
    });
  }

  it('that cannot be used is refused whole, logged, counted and shown, and nothing changes', async () => {
    await using around = await Surroundings.start();
    const image = buildImage();
    around.publisher(APP).release('1', image);
    const file = await around.writeConfig();
    await using pinnace = await RunningPinnace.start(file);
    assert.equal(await pinnace.metric('pinnace_config_last_reload_successful'), 1);
    await around.writeConfig({ policy: [{ match: `${REGISTRY_HOST}/**`, trust: 'crop' }] });
    await pinnace.reload();
    assert.deepEqual(await verdicts(pinnace, image), allServed(image));
    assert.equal(await pinnace.metric('pinnace_config_last_reload_successful'), 0);
    assert.equal(await pinnace.metric('pinnace_config_reloads_total{outcome="refused"}'), 1);
    assert.match(String(pinnace.logged('config.reload_refused')[0]?.['errorMessage']), /crop/);
    const shown = (await pinnace.admin('/')).body.toString();
    assert.match(shown, /was refused, the earlier one is in force.*did you mean corp/s);
    const status = JSON.parse((await pinnace.admin('/api/v1/status')).body.toString());
    assert.match(status.lastReload.problem, /crop/);

    await writeFile(file, 'policy: [');
    await pinnace.reload();
    assert.equal(await pinnace.metric('pinnace_config_reloads_total{outcome="refused"}'), 2);
    await around.writeConfig();
    await pinnace.reload();
    assert.equal(await pinnace.metric('pinnace_config_last_reload_successful'), 1);
    assert.match((await pinnace.admin('/')).body.toString(), /Configuration reloaded/);
  });

  for (const [name, settings, at] of [
    ['data folder', { more: { data: '/tmp/another' } }, 'data'],
    ['cache', { more: { cache: { maxBytes: '1GiB' } } }, 'cache'],
    ['admin address', { more: { admin: { address: '127.0.0.2:0' } } }, 'admin.address'],
    [
      'listener’s address',
      { listeners: { registry: { address: '127.0.0.2:0' } } },
      'listeners.registry.address',
    ],
    ['listener’s name', { listeners: { other: { address: '127.0.0.1:0' } } }, 'listeners.registry'],
    [
      'number of listeners',
      {
        listeners: { registry: { address: '127.0.0.1:0' }, other: { address: '127.0.0.1:0' } },
      },
      'listeners.other',
    ],
  ] as const) {
    it(`cannot change the ${name}, and says so`, async () => {
      await using around = await Surroundings.start();
      await using pinnace = await RunningPinnace.start(await around.writeConfig());
      const policy = [RELAYED];
      await around.writeConfig({ ...settings, policy });
      await pinnace.reload();
      const [refused] = pinnace.logged('config.reload_refused');
      assert.match(String(refused?.['errorMessage']), /while Pinnace runs/);
      assert.ok(String(refused?.['errorMessage']).includes(`1. ${at}`), `names ${at}`);
      assert.equal(await pinnace.verdict(APP, '1'), 'no_trust_data');
    });
  }

  it('ends the background work for what is verified no more, also while a reply is under way', async () => {
    await using around = await Surroundings.start();
    const image = buildImage({ bigLayerBytes: 24 * 1024 * 1024 });
    around.publisher(APP).release('1', image);
    const clock = new BriskClock();
    await using pinnace = await RunningPinnace.start(await around.writeConfig(), { clock });
    await pinnace.verdict(APP, '1');
    const refreshes = async (): Promise<number> => {
      const before = around.notary.requests.length;
      for (let second = 0; second < 100; second += 1) {
        clock.advance(1_000);
        // A round trip, so that what was begun can arrive.
        await pinnace.admin('/healthz');
      }
      return around.notary.requests.length - before;
    };
    assert.ok((await refreshes()) > 0);
    const path = `/v2/${APP}/blobs/${image.layers.at(-1)?.digest}`;
    const { promise, resolve } = Promise.withResolvers<IncomingMessage>();
    get({ host: '127.0.0.1', port: pinnace.port(), path }, resolve);
    const reply = await promise;
    await around.writeConfig({ policy: [ELSEWHERE] });
    await pinnace.reload();
    assert.equal(await refreshes(), 0);
    reply.destroy();
  });

  it('comes by SIGHUP and by a change of the file', async () => {
    await using around = await Surroundings.start();
    const file = await around.writeConfig();
    await using pinnace = await PinnaceProcess.serve(file);
    pinnace.kill('SIGHUP');
    await pinnace.untilLogged('config.reloaded');
    assert.equal(pinnace.logged('config.reloaded')[0]?.['trigger'], 'signal');
    await writeFile(file, 'policy: [');
    await pinnace.untilLogged('config.reload_refused');
    assert.equal(pinnace.logged('config.reload_refused')[0]?.['trigger'], 'files');
    const answer = await ask(pinnace.port(), `/v2/${APP}/manifests/1`);
    assert.equal(reasonOf(answer), 'no_trust_data');
  });

  it('lets a reply under way end as it began', async () => {
    await using around = await Surroundings.start();
    const image = buildImage({ bigLayerBytes: 24 * 1024 * 1024 });
    around.publisher(APP).release('1', image);
    await using pinnace = await RunningPinnace.start(await around.writeConfig());
    assert.equal(await pinnace.verdict(APP, '1'), image.manifest.digest);
    const layer = image.layers.at(-1);
    const path = `/v2/${APP}/blobs/${layer?.digest}`;
    const { promise, resolve } = Promise.withResolvers<IncomingMessage>();
    get({ host: '127.0.0.1', port: pinnace.port(), path }, resolve);
    const reply = await promise;
    await around.writeConfig({ policy: [ELSEWHERE] });
    await pinnace.reload();
    assert.equal(await pinnace.verdict(APP, '1'), 'no_rule');
    const received: Buffer[] = [];
    for await (const chunk of reply) received.push(chunk);
    assert.ok(Buffer.concat(received).equals(layer?.bytes ?? Buffer.alloc(0)));
  });

  it('gives a crowd that pulls meanwhile the answer of the one or the other, and never none', async () => {
    await using around = await Surroundings.start();
    const image = buildImage();
    around.publisher(APP).release('1', image);
    const file = await around.writeConfig();
    await using pinnace = await RunningPinnace.start(file);
    const seen = new Set<string>();
    let isOver = false;
    const pull = async (): Promise<void> => {
      while (!isOver) {
        seen.add(await pinnace.verdict(APP, '1'));
        seen.add(await pinnace.verdict(APP, image.manifest.digest));
      }
    };
    const crowd = Array.from({ length: 20 }, pull);
    for (let reload = 0; reload < 50; reload += 1) {
      const isOpen = reload % 2 === 1;
      await around.writeConfig({ policy: [isOpen ? VERIFIED : ELSEWHERE] });
      await pinnace.reload();
      // What is asked after a reload is answered by it.
      const expected = isOpen ? image.manifest.digest : 'no_rule';
      assert.equal(await pinnace.verdict(APP, '1'), expected);
    }
    isOver = true;
    await Promise.all(crowd);
    assert.deepEqual([...seen].sort(), ['no_rule', image.manifest.digest].sort());
    assert.equal(pinnace.logged('request').filter(({ verdict }) => verdict === 'failed').length, 0);
    assert.equal(await pinnace.metric('pinnace_config_reloads_total{outcome="ok"}'), 50);
  });
});
