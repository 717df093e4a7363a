import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { binary, type Component } from './support/components.ts';
import { Containerd } from './support/containerd.ts';
import { Podman, Skopeo } from './support/containers-tools.ts';
import { DockerEngine } from './support/docker-engine.ts';
import { FakeHub, PINNACE_ADDRESS, PINNACE_NAME } from './support/fake-hub.ts';
import { flipOneByte } from './support/fault-front.ts';
import { type Image, makeImage, partOf, publish } from './support/image.ts';
import { BASE_COMPONENTS, Lab } from './support/lab.ts';
import { Pinnace } from './support/pinnace.ts';
import type { Scratch } from './support/scratch.ts';
import { LabSuite } from './support/suite.ts';

/**
 * The files of `deploy/engines`, loaded as they are: in a namespace in which `pinnace.example` is a running Pinnace with
 * a certificate for that name, and `registry-1.docker.io` is a registry with other content under the same tags.
 */
interface World {
  readonly scratch: Scratch;
  readonly lab: Lab;
  readonly hub: FakeHub;
  readonly pinnace: Pinnace;
  readonly signed: Image;
  readonly foreign: Image;
}

const SETTINGS = join(dirname(fileURLToPath(import.meta.url)), '../../deploy/engines');
const NEEDED: readonly Component[] = [...BASE_COMPONENTS, 'unshare', 'nsenter', 'ip'];
const SIGNED = 'docker.io/library/app:signed';
const UNSIGNED = 'docker.io/library/app:unsigned';
const SENTENCE = /pinnace refused docker\.io\/library\/app:unsigned: /;

const suite = new LabSuite<World>('engine-settings', NEEDED, async (scratch) => {
  const hub = await FakeHub.start(scratch);
  const lab = await Lab.start(scratch, hub.place);
  const signed = await lab.pushSigned('library/app:signed', { registry: 'docker.io' });
  await lab.push('library/app:unsigned');
  const foreign = await makeImage(scratch);
  for (const tag of ['signed', 'unsigned']) {
    await publish(foreign, hub.registry, `library/app:${tag}`);
  }
  const issued = await hub.authority.issue(PINNACE_NAME, [`DNS:${PINNACE_NAME}`]);
  const tls = { cert: issued.certificate, key: issued.key };
  const pinnace = await Pinnace.start(scratch, hub.place, {
    listeners: {
      registry: { address: `${PINNACE_ADDRESS}:5000`, tls },
      'hub-mirror': {
        address: `${PINNACE_ADDRESS}:5001`,
        tls,
        defaultRegistry: 'docker.io',
        refusal: 'hard-stop',
      },
    },
    upstreams: { 'docker.io': { url: lab.registry.url } },
    trust: { lab: await lab.trust({ maxAge: '0s' }) },
    policy: [{ match: 'docker.io/library/**', trust: 'lab' }],
  });
  await hub.mark();
  return { scratch, lab, hub, pinnace, signed, foreign };
});

async function template(...path: readonly string[]): Promise<string> {
  return await readFile(join(SETTINGS, ...path), 'utf8');
}

async function dockerSettings(): Promise<Record<string, unknown>> {
  const parsed: unknown = JSON.parse(await template('docker/daemon.json'));
  assert.ok(typeof parsed === 'object' && parsed !== null);
  return { ...parsed };
}

/** The environment a systemd drop-in gives to its service. */
async function dropInEnvironment(): Promise<Record<string, string>> {
  const text = await template('docker/only-pinnace.conf');
  const lines = [...text.matchAll(/^Environment=([A-Z_]+)=(.*)$/gm)];
  return Object.fromEntries(lines.map(([, name = '', value = '']) => [name, value]));
}

suite.test(
  'docker/daemon.json: a signed tag comes from Pinnace, an unsigned one is refused for good with its sentence',
  ['docker', 'dockerd'],
  async (world) => {
    const settings = await dockerSettings();
    const engine = await DockerEngine.start(world.scratch, world.hub.place, { settings });
    await world.hub.mark();
    const pulled = await engine.ok('pull', SIGNED);
    assert.ok(pulled.includes(world.signed.digest), pulled);
    const refused = await engine.docker('pull', UNSIGNED);
    assert.notEqual(refused.code, 0);
    assert.match(refused.output, SENTENCE);
    assert.deepEqual(await world.hub.asked(), []);
  },
);

suite.test(
  'docker/daemon.json leaves open what its README says: refused digests, and images with an altered layer',
  ['docker', 'dockerd'],
  async (world) => {
    const settings = await dockerSettings();
    const engine = await DockerEngine.start(world.scratch, world.hub.place, { settings });
    await world.hub.mark();
    const byDigest = await engine.docker('pull', `library/app@${world.foreign.digest}`);
    assert.equal(byDigest.code, 0, 'a refused digest is taken from Docker Hub');
    assert.notDeepEqual(await world.hub.asked(), []);

    await engine.forgetImages();
    const altered = await world.lab.pushSigned('library/app:altered', { registry: 'docker.io' });
    await publish(world.foreign, world.hub.registry, 'library/app:altered');
    const file = world.lab.registry.blobFile(partOf(altered).layer);
    await writeFile(file, flipOneByte(await readFile(file)));
    const pulled = await engine.docker('pull', 'docker.io/library/app:altered');
    assert.ok(pulled.output.includes(world.foreign.digest), pulled.output);
  },
);

suite.test(
  'docker/only-pinnace.conf beside it: refused digests are final too, and so is an outage of Pinnace',
  ['docker', 'dockerd'],
  async (world, told) => {
    const engine = await DockerEngine.start(world.scratch, world.hub.place, {
      settings: await dockerSettings(),
      environment: await dropInEnvironment(),
    });
    await world.hub.mark();
    assert.ok((await engine.ok('pull', SIGNED)).includes(world.signed.digest));
    const refused = await engine.docker('pull', UNSIGNED);
    assert.match(refused.output, SENTENCE);
    const byDigest = await engine.docker('pull', `library/app@${world.foreign.digest}`);
    assert.notEqual(byDigest.code, 0);
    told.diagnostic(`by digest, docker printed: ${byDigest.output.trim().split('\n').at(-1)}`);
    await world.pinnace.stop();
    try {
      const during = await engine.docker('pull', UNSIGNED);
      assert.notEqual(during.code, 0);
    } finally {
      await world.pinnace.begin();
    }
    assert.deepEqual(await world.hub.asked(), []);
  },
);

suite.test(
  'containerd/hosts.toml as _default: signed is pulled, unsigned is refused for good, by digest as well',
  ['containerd', 'ctr'],
  async (world) => {
    const containerd = await Containerd.start(world.scratch, world.hub.place);
    await containerd.setHosts('_default', await template('containerd/hosts.toml'));
    await world.hub.mark();
    const pulled = await containerd.pull(SIGNED);
    assert.equal(pulled.code, 0, pulled.output);
    assert.equal(await containerd.digestOf(SIGNED), world.signed.digest);
    for (const image of [UNSIGNED, `docker.io/library/app@${world.foreign.digest}`]) {
      const refused = await containerd.pull(image);
      assert.notEqual(refused.code, 0, image);
      assert.match(refused.output, /403 Forbidden/);
    }
    assert.equal((await containerd.content()).includes(world.foreign.digest), false);
    assert.deepEqual(await world.hub.asked(), []);
  },
);

suite.test(
  'containerd/config.toml is read by containerd and names the folder of the hosts files',
  ['containerd'],
  async (world) => {
    const file = join(SETTINGS, 'containerd/config.toml');
    const dumped = await world.hub.place.runOk([
      binary('containerd'),
      '--config',
      file,
      'config',
      'dump',
    ]);
    assert.match(dumped, /config_path = "\/etc\/containerd\/certs\.d"/);
  },
);

for (const file of ['registries.conf', 'registries-mirror.conf']) {
  suite.test(
    `podman/${file}: podman and skopeo get what is signed; unsigned is refused for good with the sentence`,
    ['podman'],
    async (world) => {
      const text = await template('podman', file);
      const podman = await Podman.create(world.scratch, world.hub.place);
      await podman.registries.write(text);
      const skopeo = await Skopeo.create(world.scratch, world.hub.place);
      await skopeo.registries.write(text);
      await world.hub.mark();
      for (const tool of [podman, skopeo]) {
        const pulled = await tool.pullVerified(SIGNED);
        assert.equal(pulled.code, 0, pulled.output);
        const refused = await tool.pullVerified(UNSIGNED);
        assert.notEqual(refused.code, 0);
        assert.match(refused.output, SENTENCE);
        const byDigest = await tool.pullVerified(`docker.io/library/app@${world.foreign.digest}`);
        assert.notEqual(byDigest.code, 0);
      }
      assert.deepEqual(await podman.digests(), [world.signed.digest]);
      assert.deepEqual(await world.hub.asked(), []);
    },
  );
}
