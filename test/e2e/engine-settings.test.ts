import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { binary, type Component } from './support/components.ts';
import { Containerd } from './support/containerd.ts';
import { Podman } from './support/containers-tools.ts';
import { DockerEngine } from './support/docker-engine.ts';
import { FakeHub, PINNACE_ADDRESS, PINNACE_NAME } from './support/fake-hub.ts';
import { type Image, makeImage, publish } from './support/image.ts';
import { BASE_COMPONENTS, Lab } from './support/lab.ts';
import { Pinnace } from './support/pinnace.ts';
import { enterRelease } from './support/releases.ts';
import type { Scratch } from './support/scratch.ts';
import { LabSuite } from './support/suite.ts';

/**
 * What `pinnace engines` prints, where the table of engines does not show it: registries that nobody configured, lines for
 * files that have more in them, and the filter on the way out.
 */
interface World {
  readonly scratch: Scratch;
  readonly lab: Lab;
  readonly hub: FakeHub;
  readonly pinnace: Pinnace;
  readonly signed: Image;
  readonly foreign: Image;
}

interface Printed {
  readonly files: readonly { readonly path: string; readonly text: string }[];
  readonly additions: readonly { readonly path: string; readonly text: string }[];
  readonly egress: string;
}

const NEEDED: readonly Component[] = [...BASE_COMPONENTS, 'unshare', 'nsenter', 'ip'];
const SIGNED = 'docker.io/library/app:signed';
const UNSIGNED = 'docker.io/library/app:unsigned';
const ELSEWHERE = 'quay.io/some/app:1';

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

async function printed({ pinnace }: World, engine: string, port: number): Promise<Printed> {
  const address = `https://${PINNACE_NAME}:${port}`;
  const done = await pinnace.command('engines', engine, '--json', '--address', address);
  assert.equal(done.code, 0, done.output);
  const settings: Printed = JSON.parse(done.stdout);
  return settings;
}

suite.test(
  'containerd: a registry that nobody configured ends at Pinnace, with the sentence',
  ['containerd', 'ctr'],
  async (world, told) => {
    const containerd = await Containerd.start(world.scratch, world.hub.place);
    for (const { path, text } of (await printed(world, 'containerd', 5001)).files) {
      await containerd.setHosts(path.split('/').at(-2) ?? '', text);
    }
    const pulled = await containerd.pull(SIGNED);
    assert.equal(pulled.code, 0, pulled.output);
    assert.equal(await containerd.digestOf(SIGNED), world.signed.digest);
    const refused = await containerd.pull(ELSEWHERE);
    assert.notEqual(refused.code, 0);
    assert.match(refused.output, /pinnace refused quay\.io\/some\/app:1: /);
    told.diagnostic(`ctr printed: ${refused.output.trim().split('\n').at(-1)}`);
  },
);

suite.test(
  'podman: a registry that nobody configured is blocked',
  ['podman'],
  async (world, told) => {
    const podman = await Podman.create(world.scratch, world.hub.place);
    const { files } = await printed(world, 'podman', 5000);
    await podman.registries.write(files.map(({ text }) => text).join('\n'));
    const refused = await podman.pullVerified(ELSEWHERE);
    assert.notEqual(refused.code, 0);
    assert.match(refused.output, /registry quay\.io is blocked/);
    told.diagnostic(`podman printed: ${refused.output.trim().split('\n').at(-1)}`);
  },
);

suite.test(
  'containerd: the lines for config.toml make Kubernetes’ pulls read the hosts files, in old and new versions',
  ['containerd', 'forky'],
  async (world) => {
    const [lines] = (await printed(world, 'containerd', 5001)).additions;
    assert.equal(lines?.path, '/etc/containerd/config.toml');
    const file = join(world.scratch.folder('config-toml'), 'config.toml');
    await writeFile(file, lines.text);
    const inside = { release: 'forky', name: 'config-toml' } as const;
    const { place } = await enterRelease(world.scratch, world.hub.place, inside);
    for (const where of [world.hub.place, place]) {
      const dumped = await where.runOk([binary('containerd'), '--config', file, 'config', 'dump']);
      assert.match(dumped, /config_path = ["']\/etc\/containerd\/certs\.d["']/);
    }
  },
);

suite.test(
  'the filter on the way out closes what a mirror leaves open: refused digests, and an outage of Pinnace',
  ['docker', 'dockerd', 'nft'],
  async (world, told) => {
    const { files, egress } = await printed(world, 'docker', 5001);
    const mirror = files.find(({ path }) => path.endsWith('/daemon.json'))?.text ?? '';
    const settings: Record<string, unknown> = JSON.parse(mirror);
    const engine = await DockerEngine.start(world.scratch, world.hub.place, { settings });
    const byDigest = `library/app@${world.foreign.digest}`;
    await engine.ok('pull', byDigest); // open, as long as the filter is not there
    await engine.forgetImages();

    const file = join(world.scratch.folder('egress'), 'pinnace.nft');
    // Everything in this lab is on the loopback interface, the stand-in for Docker Hub too.
    await writeFile(file, egress.replace(/^ *oif lo accept\n/m, ''));
    await world.hub.place.runOk([binary('nft'), '-f', file]);
    try {
      const from = (await world.hub.registry.requestsFor('')).length;
      assert.ok((await engine.ok('pull', SIGNED)).includes(world.signed.digest));
      const refused = await engine.docker('pull', byDigest);
      assert.notEqual(refused.code, 0);
      told.diagnostic(`by digest, docker printed: ${refused.output.trim().split('\n').at(-1)}`);
      await world.pinnace.stop();
      assert.notEqual((await engine.docker('pull', UNSIGNED)).code, 0);
      assert.equal((await world.hub.registry.requestsFor('')).length, from);
    } finally {
      await world.hub.place.runOk([binary('nft'), 'delete', 'table', 'inet', 'pinnace']);
      await world.pinnace.begin();
    }
  },
);
