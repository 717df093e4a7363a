import assert from 'node:assert/strict';
import type { Component } from './support/components.ts';
import { Containerd } from './support/containerd.ts';
import { Podman } from './support/containers-tools.ts';
import { DockerEngine } from './support/docker-engine.ts';
import { FakeHub } from './support/fake-hub.ts';
import { type Image, makeImage, publish } from './support/image.ts';
import { BASE_COMPONENTS, Lab } from './support/lab.ts';
import { Pinnace, sentenceOf } from './support/pinnace.ts';
import type { Scratch } from './support/scratch.ts';
import { LabSuite } from './support/suite.ts';

/**
 * Engines that use Pinnace as a mirror of Docker Hub, in a namespace in which a registry with other content answers as
 * Docker Hub. Every tag exists there, so an engine that goes round a refusal ends up with the hub's image.
 */
interface World {
  readonly scratch: Scratch;
  readonly lab: Lab;
  readonly hub: FakeHub;
  readonly pinnace: Pinnace;
  readonly signed: Image;
  /** What the fake hub has under every tag. */
  readonly foreign: Image;
}

const NEEDED: readonly Component[] = [...BASE_COMPONENTS, 'unshare', 'nsenter', 'ip'];
const SIGNED = 'library/app:signed';
/** Each test has refused tags of its own: engines remember. */
const REFUSED = ['docker', 'build', 'containerd', 'podman', 'plain', 'outage'] as const;

const suite = new LabSuite<World>('mirror', NEEDED, async (scratch) => {
  const hub = await FakeHub.start(scratch);
  const lab = await Lab.start(scratch, hub.place);
  const signed = await lab.pushSigned(SIGNED, { registry: 'docker.io' });
  const foreign = await makeImage(scratch);
  await publish(foreign, hub.registry, SIGNED);
  for (const tag of REFUSED) {
    await lab.push(`library/app:${tag}`);
    await publish(foreign, hub.registry, `library/app:${tag}`);
  }
  const pinnace = await Pinnace.start(scratch, hub.place, {
    listeners: {
      mirror: { defaultRegistry: 'docker.io', refusal: 'hard-stop' },
      plain: { defaultRegistry: 'docker.io', refusal: 'deny' },
    },
    upstreams: { 'docker.io': { url: lab.registry.url } },
    trust: { lab: await lab.trust({ maxAge: '0s', outageGrace: '0s' }) },
    policy: [{ match: 'docker.io/library/**', trust: 'lab' }],
  });
  await hub.mark();
  return { scratch, lab, hub, pinnace, signed, foreign };
});

/** The sentence of a refusal, from the listener that gives it as a plain answer. */
async function sentence(world: World, tag: string): Promise<string> {
  return sentenceOf(await world.pinnace.manifest('library/app', tag, 'plain'));
}

async function dockerBehind(world: World, listener: string): Promise<DockerEngine> {
  return await DockerEngine.start(world.scratch, world.hub.place, {
    settings: { 'registry-mirrors': [`http://${world.pinnace.host(listener)}`] },
  });
}

/** The usual hosts file of a mirror: Pinnace first, and the real Docker Hub for what it refuses. */
async function containerdBehind(world: World, listener: string): Promise<Containerd> {
  const containerd = await Containerd.start(world.scratch, world.hub.place);
  const mirror = `http://${world.pinnace.host(listener)}`;
  await containerd.setHosts(
    'docker.io',
    `server = "https://registry-1.docker.io"\n[host."${mirror}"]\n  capabilities = ["pull", "resolve"]\n`,
  );
  return containerd;
}

/** The usual mirror setting, with Docker Hub itself left open. */
async function podmanBehind(world: World, listener: string): Promise<Podman> {
  const podman = await Podman.create(world.scratch, world.hub.place);
  await podman.registries.write(
    [
      '[[registry]]',
      'prefix = "docker.io"',
      'location = "docker.io"',
      '[[registry.mirror]]',
      `location = "${world.pinnace.host(listener)}"`,
      'insecure = true',
      '',
    ].join('\n'),
  );
  return podman;
}

suite.test(
  'Docker Engine gets a signed tag from its mirror and Docker Hub is not asked',
  ['docker', 'dockerd'],
  async (world) => {
    const engine = await dockerBehind(world, 'mirror');
    await world.hub.mark();
    const pulled = await engine.ok('pull', 'app:signed');
    assert.ok(pulled.includes(`Digest: ${world.signed.digest}`), pulled);
    assert.deepEqual(await world.hub.asked(), []);
  },
);

suite.test(
  'Docker Engine: a refused tag is final, its sentence is printed, Docker Hub is not asked and nothing lands',
  ['docker', 'dockerd'],
  async (world, told) => {
    const engine = await dockerBehind(world, 'mirror');
    await world.hub.mark();
    const refused = await engine.docker('pull', 'app:docker');
    assert.notEqual(refused.code, 0, refused.output);
    told.diagnostic(`docker printed: ${refused.output.trim().split('\n').at(-1)}`);
    assert.ok(refused.output.includes(await sentence(world, 'docker')), refused.output);
    assert.deepEqual(await world.hub.asked(), []);
    assert.deepEqual(await engine.imageIds(), []);
    const ran = await engine.docker('run', '--rm', '--network', 'none', 'app:docker');
    assert.notEqual(ran.code, 0, 'docker run takes the same way');
    assert.deepEqual(await world.hub.asked(), []);
  },
);

suite.test(
  'Docker Engine: docker pull -a gets the tags that verify, and docker build cannot begin with one that does not',
  ['docker', 'dockerd'],
  async (world, told) => {
    const engine = await dockerBehind(world, 'mirror');
    await world.hub.mark();
    await engine.ok('pull', '-a', 'app');
    assert.equal(
      await engine.ok('image', 'ls', '--format', '{{.Repository}}:{{.Tag}}'),
      'app:signed',
    );
    assert.deepEqual(await world.hub.asked(), []);
    for (const buildkit of ['0', '1']) {
      const built = await engine.build('FROM app:build\n', { DOCKER_BUILDKIT: buildkit });
      assert.notEqual(built.code, 0, built.output);
      assert.ok(built.output.includes(await sentence(world, 'build')), built.output);
      told.diagnostic(`DOCKER_BUILDKIT=${buildkit}: ${built.output.trim().split('\n').at(-1)}`);
      assert.deepEqual(await world.hub.served(), []);
    }
  },
);

suite.test(
  'containerd with hosts.toml: signed comes from Pinnace; a refused tag is final and the hub has nothing to offer',
  ['containerd', 'ctr'],
  async (world, told) => {
    const containerd = await containerdBehind(world, 'mirror');
    await world.hub.mark();
    const pulled = await containerd.pull('docker.io/library/app:signed');
    assert.equal(pulled.code, 0, pulled.output);
    assert.equal(await containerd.digestOf('docker.io/library/app:signed'), world.signed.digest);
    assert.deepEqual(await world.hub.asked(), []);

    const refused = await containerd.pull('docker.io/library/app:containerd');
    assert.notEqual(refused.code, 0, refused.output);
    told.diagnostic(`ctr printed: ${refused.output.trim().split('\n').at(-1)}`);
    assert.ok(refused.output.includes(await sentence(world, 'containerd')), refused.output);
    // It does ask the hub, but only for digests nobody has: never for the tag, never with success.
    assert.deepEqual(await world.hub.served(), []);
    assert.equal((await containerd.content()).includes(world.foreign.digest), false);
    assert.equal(await containerd.digestOf('docker.io/library/app:containerd'), undefined);
  },
);

suite.test(
  'podman with a mirror: signed comes from Pinnace; a refused tag is final and the hub is not asked',
  ['podman'],
  async (world, told) => {
    const podman = await podmanBehind(world, 'mirror');
    await world.hub.mark();
    const pulled = await podman.pull('docker.io/library/app:signed');
    assert.equal(pulled.code, 0, pulled.output);
    assert.deepEqual(await podman.digests(), [world.signed.digest]);

    const refused = await podman.pull('docker.io/library/app:podman');
    assert.notEqual(refused.code, 0, refused.output);
    // This version of podman says only that a blob was refused; newer ones print the sentence.
    assert.match(refused.output, /403 \(Forbidden\)|pinnace refused/);
    told.diagnostic(`podman printed: ${refused.output.trim().split('\n').at(-1)}`);
    assert.deepEqual(await world.hub.asked(), []);
    assert.deepEqual(await podman.digests(), [world.signed.digest]);
  },
);

suite.test(
  'for comparison: a plain 403 is bypassed by Docker Engine, containerd and podman alike, and is counted',
  ['docker', 'dockerd', 'containerd', 'ctr', 'podman'],
  async (world, told) => {
    await world.hub.mark();
    const engine = await dockerBehind(world, 'plain');
    const docker = await engine.ok('pull', 'app:plain');
    assert.ok(docker.includes(`Digest: ${world.foreign.digest}`), docker);
    told.diagnostic(`docker went to the hub: ${(await world.hub.asked()).length} requests`);

    const before = await world.pinnace.metric('pinnace_bypass_suspected_total');
    const containerd = await containerdBehind(world, 'plain');
    assert.equal((await containerd.pull('docker.io/library/app:plain')).code, 0);
    assert.equal(await containerd.digestOf('docker.io/library/app:plain'), world.foreign.digest);
    assert.notEqual((await world.hub.asked()).length, 0);
    const after = await world.pinnace.metric('pinnace_bypass_suspected_total');
    assert.ok(after > before, 'containerd asked Pinnace for the digest it resolved elsewhere');

    const podman = await podmanBehind(world, 'plain');
    assert.equal((await podman.pull('docker.io/library/app:plain')).code, 0);
    assert.ok((await podman.digests()).includes(world.foreign.digest));
  },
);

suite.test(
  'Docker Engine: "could not find out" is final too: with the Notary server gone nothing comes from Docker Hub',
  ['docker', 'dockerd'],
  async (world, told) => {
    const engine = await dockerBehind(world, 'mirror');
    await world.lab.notary.stop();
    await world.hub.mark();
    const refused = await engine.docker('pull', 'app:outage');
    assert.notEqual(refused.code, 0, refused.output);
    told.diagnostic(`docker printed: ${refused.output.trim().split('\n').at(-1)}`);
    assert.match(refused.output, /pinnace refused docker\.io\/library\/app:outage: /);
    assert.deepEqual(await world.hub.asked(), []);
    assert.deepEqual(await engine.imageIds(), []);
  },
);
