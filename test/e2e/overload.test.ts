import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { Component } from './support/components.ts';
import { Podman } from './support/containers-tools.ts';
import { DockerEngine } from './support/docker-engine.ts';
import { FakeHub } from './support/fake-hub.ts';
import { type Image, makeImage, publish } from './support/image.ts';
import { BASE_COMPONENTS, Lab } from './support/lab.ts';
import { Pinnace } from './support/pinnace.ts';
import { freePort } from './support/port.ts';
import type { Daemon } from './support/process.ts';
import type { Scratch } from './support/scratch.ts';
import { LabSuite } from './support/suite.ts';
import { eventually } from './support/wait.ts';

/**
 * Engines that use a Pinnace with one place for requests as a mirror of Docker Hub, in a namespace in which a registry with
 * other content answers as Docker Hub, while somebody holds that place.
 */
interface World {
  readonly scratch: Scratch;
  readonly hub: FakeHub;
  readonly pinnace: Pinnace;
  readonly signed: Image;
  /** What the fake hub has under every tag. */
  readonly foreign: Image;
}

const NEEDED: readonly Component[] = [...BASE_COMPONENTS, 'unshare', 'nsenter', 'ip'];
const SIGNED = 'library/app:signed';
const CROWDED = ['docker', 'podman'] as const;
const WAITING = 'pinnace_limit_waiting{limit="requests"}';
const TAKEN = 'pinnace_limit_used{limit="requests"}';
const SILENT =
  'require("node:net").createServer(() => {}).listen(Number(process.argv[1]), "127.0.0.1")';

const suite = new LabSuite<World>('overload', NEEDED, async (scratch) => {
  const hub = await FakeHub.start(scratch);
  const lab = await Lab.start(scratch, hub.place);
  const signed = await lab.pushSigned(SIGNED, { registry: 'docker.io' });
  const foreign = await makeImage(scratch);
  await publish(foreign, hub.registry, SIGNED);
  for (const tag of CROWDED) await publish(foreign, hub.registry, `library/app:${tag}`);
  const silent = await freePort();
  const folder = scratch.folder('silent');
  const server = hub.place.start(
    [process.execPath, '-e', SILENT, String(silent)],
    join(folder, 'log'),
  );
  scratch.defer('silent', async () => await server.stop());
  const pinnace = await Pinnace.start(scratch, hub.place, {
    listeners: { mirror: { defaultRegistry: 'docker.io', refusal: 'hard-stop' } },
    upstreams: {
      'docker.io': { url: lab.registry.url },
      'silent.example.com': { url: `http://127.0.0.1:${silent}` },
    },
    trust: { lab: await lab.trust({}) },
    policy: [
      { match: 'docker.io/library/**', trust: 'lab' },
      { match: 'silent.example.com/**', allowUnverified: true, reason: 'it never answers' },
    ],
    limits: { requests: 1, queue: 16, queueTimeout: '8s' },
  });
  return { scratch, hub, pinnace, signed, foreign };
});

/** Takes the one place, until what is given back is stopped or the silent registry is given up. */
async function hold({ scratch, hub, pinnace }: World): Promise<Daemon> {
  const url = `http://${pinnace.host('mirror')}/v2/silent.example.com/a/b/manifests/1`;
  const log = join(scratch.folder('holder'), 'log');
  const holder = hub.place.start(['curl', '-sS', '--noproxy', '*', '--max-time', '60', url], log);
  scratch.defer('holder', async () => await holder.stop());
  await eventually(async () => (await pinnace.metric(TAKEN)) === 1, {
    what: 'the place to be taken',
  });
  return holder;
}

async function docker(world: World): Promise<DockerEngine> {
  return await DockerEngine.start(world.scratch, world.hub.place, {
    settings: { 'registry-mirrors': [`http://${world.pinnace.host('mirror')}`] },
  });
}

async function podman(world: World): Promise<Podman> {
  const made = await Podman.create(world.scratch, world.hub.place);
  await made.registries.write(
    [
      '[[registry]]',
      'prefix = "docker.io"',
      'location = "docker.io"',
      '[[registry.mirror]]',
      `location = "${world.pinnace.host('mirror')}"`,
      'insecure = true',
      '',
    ].join('\n'),
  );
  return made;
}

/** Lets the place go as soon as somebody waits for it. */
async function releaseWhenWaitedFor({ pinnace }: World, holder: Daemon): Promise<void> {
  await eventually(async () => (await pinnace.metric(WAITING)) > 0, { what: 'a pull to wait' });
  await holder.stop();
}

suite.test(
  'Docker Engine: a pull waits for a place, and gets what is signed; Docker Hub is not asked',
  ['docker', 'dockerd'],
  async (world) => {
    const engine = await docker(world);
    await world.hub.mark();
    const holder = await hold(world);
    const [pulled] = await Promise.all([
      engine.ok('pull', 'app:signed'),
      releaseWhenWaitedFor(world, holder),
    ]);
    assert.ok(pulled.includes(`Digest: ${world.signed.digest}`), pulled);
    assert.deepEqual(await world.hub.asked(), []);
  },
);

suite.test(
  'Docker Engine: a pull that finds no place in time is final, its sentence is printed, Docker Hub is not asked',
  ['docker', 'dockerd'],
  async (world, told) => {
    const engine = await docker(world);
    await world.hub.mark();
    const holder = await hold(world);
    const refused = await engine.docker('pull', 'app:docker');
    await holder.stop();
    assert.notEqual(refused.code, 0, refused.output);
    told.diagnostic(`docker printed: ${refused.output.trim().split('\n').at(-1)}`);
    assert.match(refused.output, /pinnace refused docker\.io\/library\/app:docker: /);
    assert.match(refused.output, /limits\.requests is 1/);
    assert.deepEqual(await world.hub.asked(), []);
    assert.deepEqual(await engine.imageIds(), []);
  },
);

suite.test(
  'podman: a pull waits for a place; one that finds none in time is final, and Docker Hub is not asked',
  ['podman'],
  async (world, told) => {
    const engine = await podman(world);
    await world.hub.mark();
    const first = await hold(world);
    const [pulled] = await Promise.all([
      engine.pull('docker.io/library/app:signed'),
      releaseWhenWaitedFor(world, first),
    ]);
    assert.equal(pulled.code, 0, pulled.output);
    assert.deepEqual(await engine.digests(), [world.signed.digest]);
    const second = await hold(world);
    const refused = await engine.pull('docker.io/library/app:podman');
    await second.stop();
    assert.notEqual(refused.code, 0, refused.output);
    told.diagnostic(`podman printed: ${refused.output.trim().split('\n').at(-1)}`);
    assert.deepEqual(await world.hub.asked(), []);
    assert.deepEqual(await engine.digests(), [world.signed.digest]);
  },
);
