import assert from 'node:assert/strict';
import type { Component } from './support/components.ts';
import { DockerEngine } from './support/docker-engine.ts';
import { type Image, makeImage, publish } from './support/image.ts';
import { BASE_COMPONENTS, Lab } from './support/lab.ts';
import { Pinnace } from './support/pinnace.ts';
import type { Scratch } from './support/scratch.ts';
import { LabSuite } from './support/suite.ts';
import { TrustTools } from './support/trust-tools.ts';

/** Two people who sign with `docker trust`, each with keys of their own, and key rotations by the notary tool. */
interface World {
  readonly scratch: Scratch;
  readonly lab: Lab;
  readonly pinnace: Pinnace;
  /** The image of `team/away:1.0`. */
  readonly away: Image;
}

const DOCKER: readonly Component[] = ['docker', 'dockerd'];

const suite = new LabSuite<World>('signers', BASE_COMPONENTS, async (scratch) => {
  const lab = await Lab.start(scratch);
  // The root key to anchor; collections begun after a root rotation may get the newer key, which no anchor names.
  const away = await lab.pushSigned('team/away:1.0');
  const registry = lab.registry.host;
  const pinnace = await Pinnace.start(
    scratch,
    lab.place,
    await lab.settings({
      policy: [
        { match: `${registry}/team/**`, trust: 'lab' },
        { match: `${registry}/both/**`, trust: 'lab', signers: ['alice', 'bob'] },
      ],
    }),
  );
  return { scratch, lab, pinnace, away };
});

suite.test(
  'docker trust: a tag is served once both required signers, alice and bob, have signed it, and no longer when bob is removed',
  DOCKER,
  async (world, told) => {
    const { lab, pinnace, scratch } = world;
    const repository = lab.gun('both/app');
    const engine = await DockerEngine.start(scratch, lab.place);
    const alice = lab.publisher;
    const bob = await TrustTools.create(scratch, lab.notary, 'bob');
    await alice.addSigner(engine, 'alice', repository);
    await bob.makeSignerKey(engine, 'bob');
    await alice.addSignerKey(engine, { signer: 'bob', key: bob.publicKeyFile('bob'), repository });

    const name = await loadLocally(world, engine, `${repository}:1.0`);
    await alice.dockerTrustOk(engine, 'sign', name);
    assert.equal(await pinnace.verdict('both/app', '1.0'), 'required_signer_missing');
    told.diagnostic('alice alone: required_signer_missing');

    await bob.dockerTrustOk(engine, 'sign', name);
    const pulled = await pinnace.verdict('both/app', '1.0');
    assert.match(pulled, /^sha256:/);
    told.diagnostic(`alice and bob: ${pulled}`);
    const reader = await DockerEngine.start(scratch, lab.place);
    const output = await reader.ok('pull', `${pinnace.host()}/both/app:1.0`);
    assert.ok(output.includes(pulled), output);

    await alice.dockerTrustOk(engine, 'sign', name); // releases has to be signed by somebody who stays
    await alice.dockerTrustOk(engine, 'signer', 'remove', '--force', 'bob', repository);
    assert.equal(await pinnace.verdict('both/app', '1.0'), 'required_signer_missing');
  },
);

suite.test(
  'docker trust: a tag signed by a signer who was removed afterwards is refused until one who stays has witnessed it',
  DOCKER,
  async (world, told) => {
    const { lab, pinnace, scratch } = world;
    const repository = lab.gun('team/leaver');
    const engine = await DockerEngine.start(scratch, lab.place);
    const owner = lab.publisher;
    await owner.addSigner(engine, 'carol', repository);
    const dave = await TrustTools.create(scratch, lab.notary, 'dave');
    await dave.makeSignerKey(engine, 'dave');
    await owner.addSignerKey(engine, {
      signer: 'dave',
      key: dave.publicKeyFile('dave'),
      repository,
    });
    const name = await loadLocally(world, engine, `${repository}:1.0`);
    await dave.dockerTrustOk(engine, 'sign', name);
    const served = await pinnace.verdict('team/leaver', '1.0');
    assert.match(served, /^sha256:/);

    await owner.dockerTrustOk(engine, 'signer', 'remove', '--force', 'dave', repository);
    const refused = await pinnace.verdict('team/leaver', '1.0');
    told.diagnostic(`after the removal: ${refused}`);
    assert.doesNotMatch(refused, /^sha256:/);

    // docker trust cannot sign over a release it cannot read; the notary tool can, with carol's key.
    await owner.notary('witness', '-p', repository, 'targets/releases');
    assert.equal(await pinnace.verdict('team/leaver', '1.0'), served);
  },
);

suite.test(
  'docker trust revoke: a tag withdrawn from the release is refused',
  DOCKER,
  async (world) => {
    const { lab, pinnace, scratch } = world;
    const repository = lab.gun('team/revoked');
    const engine = await DockerEngine.start(scratch, lab.place);
    await lab.publisher.addSigner(engine, 'erin', repository);
    const name = await loadLocally(world, engine, `${repository}:1.0`);
    await lab.publisher.dockerTrustOk(engine, 'sign', name);
    assert.match(await pinnace.verdict('team/revoked', '1.0'), /^sha256:/);
    await lab.publisher.dockerTrustOk(engine, 'revoke', '--yes', name);
    assert.match(await pinnace.verdict('team/revoked', '1.0'), /^tag_not_(?:signed|released)$/);
  },
);

suite.test(
  'a delegation signed with the notary tool but not released does not count',
  [],
  async (world) => {
    const { lab, pinnace } = world;
    const gun = lab.gun('team/draft');
    await lab.pushSigned('team/draft:1.0');
    const draft = await lab.push('team/draft:2.0');
    await lab.publisher.delegate(gun, 'frank', 'targets/frank');
    await lab.publisher.sign(gun, '2.0', draft, 'targets/frank');
    assert.equal(await pinnace.verdict('team/draft', '2.0'), 'tag_not_released');
    await lab.publisher.sign(gun, '2.0', draft);
    assert.equal(await pinnace.verdict('team/draft', '2.0'), draft.digest);
  },
);

for (const rotation of [
  { role: 'timestamp', args: ['timestamp', '-r'] },
  { role: 'snapshot, between servers', args: ['snapshot', '-r'] },
  { role: 'snapshot, to the publisher', args: ['snapshot'] },
  { role: 'targets', args: ['targets'] },
  { role: 'root', args: ['root'] },
] as const) {
  suite.test(
    `after a rotation of the ${rotation.role} key with the notary tool, old and new signatures are served`,
    [],
    async ({ lab, pinnace }, told) => {
      const repository = `team/rotate-${rotation.role.replaceAll(/[^a-z]+/g, '-')}`;
      const gun = lab.gun(repository);
      const before = await lab.pushSigned(`${repository}:before`);
      assert.equal(await pinnace.verdict(repository, 'before'), before.digest);
      const root = await versionOf(lab, gun, 'root');
      await lab.publisher.rotate(gun, ...rotation.args);
      const rotated = await versionOf(lab, gun, 'root');
      assert.ok(rotated > root, 'there is a new root');
      assert.equal(await pinnace.verdict(repository, 'before'), before.digest);
      const after = await lab.pushSigned(`${repository}:after`);
      assert.equal(await pinnace.verdict(repository, 'after'), after.digest);
      told.diagnostic(`root ${root} -> ${rotated}`);
    },
  );
}

suite.test(
  'several rotations while Pinnace was away are followed one by one after a restart',
  [],
  async ({ lab, pinnace, away }) => {
    const gun = lab.gun('team/away');
    assert.equal(await pinnace.verdict('team/away', '1.0'), away.digest);
    await pinnace.stop();
    await lab.publisher.rotate(gun, 'root');
    await lab.publisher.rotate(gun, 'targets');
    await lab.publisher.rotate(gun, 'root');
    await lab.publisher.rotate(gun, 'timestamp', '-r');
    await pinnace.begin();
    assert.equal(await pinnace.verdict('team/away', '1.0'), away.digest);
  },
);

/** Uploads an image, pulls it into an engine under its registry name, and gives back that name. */
async function loadLocally(world: World, engine: DockerEngine, name: string): Promise<string> {
  const image: Image = await makeImage(world.scratch);
  const colon = name.lastIndexOf(':');
  const path = name.slice(name.indexOf('/') + 1, colon);
  await publish(image, world.lab.registry, `${path}:unsigned`);
  await engine.ok('pull', `${name.slice(0, colon)}:unsigned`);
  await engine.ok('tag', `${name.slice(0, colon)}:unsigned`, name);
  return name;
}

async function versionOf(lab: Lab, gun: string, role: string): Promise<number> {
  const metadata = JSON.stringify(await lab.notary.metadata(gun, role));
  return Number(/"version":(\d+)/.exec(metadata)?.[1]);
}
