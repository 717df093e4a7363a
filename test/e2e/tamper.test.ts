import assert from 'node:assert/strict';
import { Containerd } from './support/containerd.ts';
import { Skopeo } from './support/containers-tools.ts';
import { DockerEngine } from './support/docker-engine.ts';
import { FaultFront, flipOneByte } from './support/fault-front.ts';
import { partOf } from './support/image.ts';
import { BASE_COMPONENTS, Lab } from './support/lab.ts';
import { Pinnace, reasonOf, sentenceOf } from './support/pinnace.ts';
import type { Scratch } from './support/scratch.ts';
import { LabSuite } from './support/suite.ts';

/** A registry that lies: a front before the real one alters manifests and layers on demand. */
interface World {
  readonly scratch: Scratch;
  readonly lab: Lab;
  readonly front: FaultFront;
  readonly pinnace: Pinnace;
}

const suite = new LabSuite<World>('tamper', BASE_COMPONENTS, async (scratch) => {
  const lab = await Lab.start(scratch);
  await lab.pushSigned('team/first:1.0'); // so that there is a root key to anchor
  const front = await FaultFront.start(scratch, lab.registry);
  const pinnace = await Pinnace.start(
    scratch,
    lab.place,
    await lab.settings({ upstreams: { [lab.registry.host]: { url: `http://${front.host}` } } }),
  );
  return { scratch, lab, front, pinnace };
});

suite.test(
  'an altered manifest is refused in every form of asking; repaired, the same tag works',
  [],
  async (world, told) => {
    const image = await world.lab.pushSigned('team/manifest:1.0');
    world.front.alter(image.digest, flipOneByte);
    const answer = await world.pinnace.manifest('team/manifest', '1.0');
    assert.equal(answer.status, 403);
    assert.equal(reasonOf(answer), 'digest_mismatch');
    told.diagnostic(sentenceOf(answer));
    const head = await world.pinnace.head('team/manifest', '1.0');
    assert.equal(head.status, 403);
    const byDigest = await world.pinnace.manifest('team/manifest', image.digest);
    assert.notEqual(byDigest.status, 200);
    const skopeo = await Skopeo.create(world.scratch, world.lab.place);
    const copied = await skopeo.pull(`${world.pinnace.host()}/team/manifest:1.0`);
    assert.notEqual(copied.code, 0);
    assert.ok(copied.output.includes(sentenceOf(answer)), copied.output);

    world.front.heal();
    assert.equal(await world.pinnace.verdict('team/manifest', '1.0'), image.digest);
  },
);

suite.test(
  'a Docker engine does not even see an altered manifest, and nothing of it lands',
  ['docker', 'dockerd'],
  async (world) => {
    const engine = await DockerEngine.start(world.scratch, world.lab.place);
    const image = await world.lab.pushSigned('team/seen:1.0');
    const name = `${world.pinnace.host()}/team/seen:1.0`;
    world.front.alter(image.digest, flipOneByte);
    const refused = await engine.docker('pull', name);
    assert.notEqual(refused.code, 0);
    assert.match(refused.output, /pinnace refused .*team\/seen:1\.0: /);
    assert.deepEqual(await engine.imageIds(), []);
    world.front.heal();
    assert.ok((await engine.ok('pull', name)).includes(image.digest));
  },
);

suite.test(
  'an altered layer never reaches the end: nothing lands on Docker or containerd; repaired, both pull',
  ['docker', 'dockerd', 'containerd', 'ctr'],
  async (world, told) => {
    const image = await world.lab.pushSigned('team/layer:1.0');
    const host = world.pinnace.host();
    world.front.alter(partOf(image).layer, flipOneByte);
    const skopeo = await Skopeo.create(world.scratch, world.lab.place);
    const copied = await skopeo.pull(`${host}/team/layer:1.0`);
    assert.notEqual(copied.code, 0);
    told.diagnostic(`skopeo printed: ${copied.output.trim().split('\n').at(-1)}`);

    const containerd = await Containerd.start(world.scratch, world.lab.place);
    await containerd.setHosts(host, `server = "http://${host}"\n[host]\n`);
    const fetched = await containerd.pull(`${host}/team/layer:1.0`);
    assert.notEqual(fetched.code, 0);
    assert.equal((await containerd.content()).includes(partOf(image).layer), false);

    const engine = await DockerEngine.start(world.scratch, world.lab.place);
    const pulled = await engine.docker('pull', `${host}/team/layer:1.0`);
    assert.notEqual(pulled.code, 0);
    told.diagnostic(`docker printed: ${pulled.output.trim().split('\n').at(-1)}`);
    assert.deepEqual(await engine.imageIds(), []);

    // The digest that failed is refused without asking again for a minute, or until a restart.
    world.front.heal();
    await world.pinnace.restart();
    assert.ok((await engine.ok('pull', `${host}/team/layer:1.0`)).includes(image.digest));
    assert.equal((await containerd.pull(`${host}/team/layer:1.0`)).code, 0);
  },
);

suite.test(
  'every byte of a pulled image was read from the registry once, however many engines pull it',
  ['docker', 'dockerd', 'podman'],
  async (world) => {
    const image = await world.lab.pushSigned('team/once:1.0');
    const host = world.pinnace.host();
    world.front.takePassed();
    const skopeo = await Skopeo.create(world.scratch, world.lab.place);
    const engine = await DockerEngine.start(world.scratch, world.lab.place);
    const done = await Promise.all([
      skopeo.pull(`${host}/team/once:1.0`),
      skopeo.pull(`${host}/team/once:1.0`),
      engine.docker('pull', `${host}/team/once:1.0`),
    ]);
    for (const one of done) assert.equal(one.code, 0, one.output);
    const passed = world.front.takePassed().filter((request) => request.method === 'GET');
    for (const digest of [image.digest, partOf(image).layer]) {
      const times = passed.filter((request) => request.path.includes(digest)).length;
      assert.equal(times, 1, `${digest} was read ${times} times`);
    }
    const byTag = passed.filter((request) => request.path.endsWith('/manifests/1.0'));
    assert.deepEqual(byTag, [], 'what the tag means was never asked of the registry');
  },
);
