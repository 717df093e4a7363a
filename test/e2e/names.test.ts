import assert from 'node:assert/strict';
import { Containerd } from './support/containerd.ts';
import { Podman } from './support/containers-tools.ts';
import { DockerEngine } from './support/docker-engine.ts';
import type { Image } from './support/image.ts';
import { BASE_COMPONENTS, Lab } from './support/lab.ts';
import { Pinnace } from './support/pinnace.ts';
import type { Scratch } from './support/scratch.ts';
import { LabSuite } from './support/suite.ts';

/** One Pinnace for two registries, which engines tell apart in every way they know. */
interface World {
  readonly scratch: Scratch;
  readonly lab: Lab;
  readonly pinnace: Pinnace;
  /** Signed as `docker.io/library/official:1.0`. */
  readonly official: Image;
  /** Signed as `team/app:1.0` of the lab's own registry. */
  readonly app: Image;
}

const suite = new LabSuite<World>('names', BASE_COMPONENTS, async (scratch) => {
  const lab = await Lab.start(scratch);
  const official = await lab.pushSigned('library/official:1.0', { registry: 'docker.io' });
  const app = await lab.pushSigned('team/app:1.0');
  const registry = lab.registry.host;
  const pinnace = await Pinnace.start(scratch, lab.place, {
    listeners: { registry: { defaultRegistry: registry, hosts: { localhost: 'docker.io' } } },
    upstreams: { [registry]: { url: lab.registry.url }, 'docker.io': { url: lab.registry.url } },
    trust: { lab: await lab.trust({ maxAge: '0s' }) },
    policy: [
      { match: `${registry}/team/**`, trust: 'lab' },
      { match: 'docker.io/library/*', trust: 'lab' },
    ],
  });
  return { scratch, lab, pinnace, official, app };
});

suite.test(
  'a Docker engine reaches Docker Hub by a host name, library/ added, and another registry by the other name of the same listener',
  ['docker', 'dockerd'],
  async ({ scratch, lab, pinnace, official, app }) => {
    const engine = await DockerEngine.start(scratch, lab.place);
    const port = pinnace.host().split(':')[1];
    const hub = await engine.ok('pull', `localhost:${port}/official:1.0`);
    assert.ok(hub.includes(official.digest), hub);
    const own = await engine.ok('pull', `127.0.0.1:${port}/team/app:1.0`);
    assert.ok(own.includes(app.digest), own);
    const mixed = await engine.docker(
      'pull',
      `localhost:${port}/${lab.registry.host}/team/app:1.0`,
    );
    assert.notEqual(mixed.code, 0);
    const other = await engine.docker('pull', `localhost:${port}/team/app:1.0`);
    assert.match(other.output, /no policy rule|no rule/i);
  },
);

suite.test(
  'podman reaches Docker Hub by a location with the registry in the path, and containerd by ns',
  ['podman', 'containerd', 'ctr'],
  async ({ scratch, lab, pinnace, official, app }) => {
    const podman = await Podman.create(scratch, lab.place);
    const host = pinnace.host();
    await podman.registries.write(
      `[[registry]]\nprefix = "docker.io"\nlocation = "${host}/docker.io"\ninsecure = true\n`,
    );
    const rewritten = await podman.pullVerified('docker.io/library/official:1.0');
    assert.equal(rewritten.code, 0, rewritten.output);
    const own = await podman.pull(`${host}/team/app:1.0`);
    assert.equal(own.code, 0, own.output);
    assert.deepEqual(new Set(await podman.digests()), new Set([official.digest, app.digest]));

    const containerd = await Containerd.start(scratch, lab.place);
    await containerd.setHosts('docker.io', `server = "http://${host}"\n[host]\n`);
    const pulled = await containerd.pull('docker.io/library/official:1.0');
    assert.equal(pulled.code, 0, pulled.output);
    const found = await containerd.digestOf('docker.io/library/official:1.0');
    assert.equal(found, official.digest);
  },
);
