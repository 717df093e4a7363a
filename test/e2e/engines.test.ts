import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Containerd } from './support/containerd.ts';
import { Podman, Skopeo } from './support/containers-tools.ts';
import { DockerEngine } from './support/docker-engine.ts';
import type { Image } from './support/image.ts';
import { BASE_COMPONENTS, Lab } from './support/lab.ts';
import { Pinnace, sentenceOf } from './support/pinnace.ts';
import type { Scratch } from './support/scratch.ts';
import { LabSuite } from './support/suite.ts';

/** Pulls by Pinnace's own name: the form every engine shows refusals of best, and that has no second endpoint. */
interface World {
  readonly scratch: Scratch;
  readonly lab: Lab;
  readonly pinnace: Pinnace;
  readonly signed: Image;
  readonly unsigned: Image;
}

const suite = new LabSuite<World>('engines', BASE_COMPONENTS, async (scratch) => {
  const lab = await Lab.start(scratch);
  const signed = await lab.pushSigned('team/app:1.0');
  const unsigned = await lab.push('team/app:unsigned');
  const pinnace = await Pinnace.start(scratch, lab.place, await lab.settings());
  return { scratch, lab, pinnace, signed, unsigned };
});

/** The sentence Pinnace has for the unsigned tag, taken from its own answer. */
async function unsignedSentence(world: World): Promise<string> {
  const sentence = sentenceOf(await world.pinnace.manifest('team/app', 'unsigned'));
  assert.match(sentence, /^pinnace refused .*team\/app:unsigned: /);
  return sentence;
}

suite.test(
  'a Docker engine pulls a signed tag by host name, gets the signed digest and runs it',
  ['docker', 'dockerd'],
  async (world, told) => {
    const engine = await DockerEngine.start(world.scratch, world.lab.place);
    const name = `${world.pinnace.host()}/team/app:1.0`;
    const pulled = await engine.ok('pull', name);
    assert.ok(pulled.includes(`Digest: ${world.signed.digest}`), pulled);
    const ran = await engine.ok('run', '--rm', '--network', 'none', name);
    assert.equal(ran, `${world.signed.marker} amd64`);
    told.diagnostic(`docker run printed: ${ran}`);
  },
);

suite.test(
  'a Docker engine is refused an unsigned tag, prints the sentence and holds nothing of it',
  ['docker', 'dockerd'],
  async (world, told) => {
    const engine = await DockerEngine.start(world.scratch, world.lab.place);
    const refused = await engine.docker('pull', `${world.pinnace.host()}/team/app:unsigned`);
    assert.notEqual(refused.code, 0);
    assert.ok(refused.output.includes(await unsignedSentence(world)), refused.output);
    told.diagnostic(`docker printed: ${refused.output.trim()}`);
    const byDigest = await engine.docker(
      'pull',
      `${world.pinnace.host()}/team/app@${world.unsigned.digest}`,
    );
    assert.notEqual(byDigest.code, 0, 'a digest nobody signed is refused as well');
    assert.match(byDigest.output, /digest_not_vouched/);
    assert.deepEqual(await engine.imageIds(), []);
  },
);

suite.test(
  'containerd pulls a signed tag, and is refused an unsigned one with nothing left behind',
  ['containerd', 'ctr'],
  async (world, told) => {
    const containerd = await Containerd.start(world.scratch, world.lab.place);
    const host = world.pinnace.host();
    await containerd.setHosts(host, `server = "http://${host}"\n[host]\n`);
    const pulled = await containerd.pull(`${host}/team/app:1.0`);
    assert.equal(pulled.code, 0, pulled.output);
    assert.equal(await containerd.digestOf(`${host}/team/app:1.0`), world.signed.digest);

    const refused = await containerd.pull(`${host}/team/app:unsigned`);
    assert.notEqual(refused.code, 0);
    // It asks with HEAD, which has no body: this version prints the status, and the sentence is in a header.
    assert.match(refused.output, /403 Forbidden/);
    told.diagnostic(`ctr printed: ${refused.output.trim().split('\n').at(-1)}`);
    assert.equal((await containerd.content()).includes(world.unsigned.digest), false);
    assert.equal(await containerd.digestOf(`${host}/team/app:unsigned`), undefined);
  },
);

suite.test(
  'podman pulls a signed tag, and is refused an unsigned one with the sentence',
  ['podman'],
  async (world, told) => {
    const podman = await Podman.create(world.scratch, world.lab.place);
    const host = world.pinnace.host();
    const pulled = await podman.pull(`${host}/team/app:1.0`);
    assert.equal(pulled.code, 0, pulled.output);
    assert.deepEqual(await podman.digests(), [world.signed.digest]);

    const refused = await podman.pull(`${host}/team/app:unsigned`);
    assert.notEqual(refused.code, 0);
    assert.ok(refused.output.includes(await unsignedSentence(world)), refused.output);
    told.diagnostic(`podman printed: ${refused.output.trim().split('\n').at(-1)}`);
    assert.deepEqual(await podman.digests(), [world.signed.digest]);
  },
);

suite.test(
  'skopeo copies a signed tag byte for byte, and is refused an unsigned one with the sentence',
  [],
  async (world, told) => {
    const skopeo = await Skopeo.create(world.scratch, world.lab.place);
    const host = world.pinnace.host();
    const copied = await skopeo.pull(`${host}/team/app:1.0`);
    assert.equal(copied.code, 0, copied.output);
    assert.deepEqual(
      await readFile(join(copied.folder, 'manifest.json')),
      await readFile(join(world.signed.folder, 'manifest.json')),
    );
    const refused = await skopeo.pull(`${host}/team/app:unsigned`);
    assert.notEqual(refused.code, 0);
    assert.ok(refused.output.includes(await unsignedSentence(world)), refused.output);
    told.diagnostic(`skopeo printed: ${refused.output.trim().split('\n').at(-1)}`);
  },
);

suite.test('tags that would not verify are not listed', [], async (world) => {
  const skopeo = await Skopeo.create(world.scratch, world.lab.place);
  const listed = await skopeo.skopeo(
    'list-tags',
    '--tls-verify=false',
    `docker://${world.pinnace.host()}/team/app`,
  );
  assert.equal(listed.code, 0, listed.output);
  const seen: unknown = JSON.parse(listed.stdout);
  assert.deepEqual(Object.getOwnPropertyDescriptor(seen, 'Tags')?.value, ['1.0']);
});

suite.test(
  'pinnace resolve, beside the running proxy, says what engines get: 0 and the digest, 1 and the reason',
  [],
  async (world, told) => {
    const ask = async (tag: string): Promise<{ code: number; stdout: string }> =>
      await world.pinnace.command('resolve', world.lab.gun(`team/app:${tag}`), '--json');
    const signed = await ask('1.0');
    assert.equal(signed.code, 0, signed.stdout);
    assert.ok(signed.stdout.includes(world.signed.digest), signed.stdout);
    const unsigned = await ask('unsigned');
    assert.equal(unsigned.code, 1, unsigned.stdout);
    assert.match(unsigned.stdout, /"reason": ?"tag_not_signed"/);
    const shown = await world.pinnace.command('trust', 'show', world.lab.gun('team/app'));
    assert.equal(shown.code, 0, shown.output);
    told.diagnostic(`trust show: ${shown.stdout.trim().split('\n')[0]}`);
  },
);
