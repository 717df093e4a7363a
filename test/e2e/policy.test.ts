import assert from 'node:assert/strict';
import { DockerEngine } from './support/docker-engine.ts';
import type { Image } from './support/image.ts';
import { BASE_COMPONENTS, Lab } from './support/lab.ts';
import { Pinnace } from './support/pinnace.ts';
import type { Scratch } from './support/scratch.ts';
import { LabSuite } from './support/suite.ts';

/** A policy that is changed while engines pull. */
interface World {
  readonly scratch: Scratch;
  readonly lab: Lab;
  readonly pinnace: Pinnace;
  readonly signed: Image;
  readonly unsigned: Image;
}

const suite = new LabSuite<World>('policy', BASE_COMPONENTS, async (scratch) => {
  const lab = await Lab.start(scratch);
  const signed = await lab.pushSigned('team/app:1.0');
  const unsigned = await lab.push('team/app:unsigned');
  const pinnace = await Pinnace.start(scratch, lab.place, await lab.settings());
  return { scratch, lab, pinnace, signed, unsigned };
});

function ruleFor({ lab }: World, more: object = {}): object {
  return { match: `${lab.registry.host}/team/**`, trust: 'lab', ...more };
}

/** The policy as it was at the start, whatever a test did to it. */
async function enforced(world: World): Promise<void> {
  await world.pinnace.reconfigure({ policy: [ruleFor(world)], deny: {}, breakGlass: [] });
}

suite.test(
  'in audit a Docker engine pulls and runs an unsigned tag, which is counted; enforced again, it is refused',
  ['docker', 'dockerd'],
  async (world, told) => {
    const { pinnace, unsigned } = world;
    const engine = await DockerEngine.start(world.scratch, world.lab.place);
    const name = `${pinnace.host()}/team/app:unsigned`;
    assert.notEqual((await engine.docker('pull', name)).code, 0);
    await pinnace.reconfigure({ policy: [ruleFor(world, { audit: true })] });
    const pulled = await engine.ok('pull', name);
    assert.ok(pulled.includes(`Digest: ${unsigned.digest}`), pulled);
    assert.equal(
      await engine.ok('run', '--rm', '--network', 'none', name),
      `${unsigned.marker} amd64`,
    );
    const counted = await pinnace.metric('pinnace_audited_refusals_total{reason="tag_not_signed"');
    assert.ok(counted >= 1, `${counted}`);
    assert.match(await pinnace.log(), /"verdict":"audit"/);
    told.diagnostic(`audited refusals of the tag: ${counted}`);

    // This time nobody sends a signal.
    await pinnace.reconfigure({ policy: [ruleFor(world)] }, 'watch');
    await engine.forgetImages();
    const refused = await engine.docker('pull', name);
    assert.notEqual(refused.code, 0);
    assert.match(refused.output, /tag_not_signed/);
    const byDigest = `${pinnace.host()}/team/app@${unsigned.digest}`;
    assert.match((await engine.docker('pull', byDigest)).output, /digest_not_vouched/);
    assert.deepEqual(await engine.imageIds(), []);
  },
);

suite.test(
  'a deny list refuses a signed image that was pulled a moment ago, at the next pull',
  ['docker', 'dockerd'],
  async (world, told) => {
    const { pinnace, signed } = world;
    const engine = await DockerEngine.start(world.scratch, world.lab.place);
    const name = `${pinnace.host()}/team/app:1.0`;
    await engine.ok('pull', name);
    await engine.forgetImages();
    await pinnace.reconfigure({ deny: { digests: [signed.digest] } });
    const refused = await engine.docker('pull', name);
    assert.notEqual(refused.code, 0);
    assert.match(refused.output, /the operator of Pinnace has denied it .*reason denied_by_rule/);
    told.diagnostic(`docker printed: ${refused.output.trim()}`);
    assert.deepEqual(await engine.imageIds(), []);
    await enforced(world);
    await engine.ok('pull', name);
  },
);

suite.test(
  'break-glass lets a Docker engine have one approved image, until it ends by itself',
  ['docker', 'dockerd'],
  async (world, told) => {
    const { pinnace, unsigned, lab } = world;
    const engine = await DockerEngine.start(world.scratch, lab.place);
    const name = `${pinnace.host()}/team/app:unsigned`;
    const entry = {
      image: `${lab.registry.host}/team/app:unsigned`,
      digest: unsigned.digest,
      approvedBy: 'Ann Example',
      reason: 'INC-1: the signer is ill',
      until: new Date(Date.now() + 25_000).toISOString(),
    };
    await pinnace.reconfigure({ breakGlass: [entry] });
    const pulled = await engine.ok('pull', name);
    assert.ok(pulled.includes(`Digest: ${unsigned.digest}`), pulled);
    assert.equal(await pinnace.metric('pinnace_break_glass_active'), 1);
    assert.match(await pinnace.log(), /"verdict":"break_glass".*approved by Ann Example/);
    await lab.push('team/app:other');
    assert.equal(await pinnace.verdict('team/app', 'other'), 'tag_not_signed');

    await engine.forgetImages();
    await pinnace.becomes('team/app', 'unsigned', 'tag_not_signed');
    const refused = await engine.docker('pull', name);
    assert.notEqual(refused.code, 0);
    assert.match(refused.output, /tag_not_signed/);
    assert.deepEqual(await engine.imageIds(), []);
    assert.equal(await pinnace.metric('pinnace_break_glass_active'), 0);
    told.diagnostic(`ended at ${entry.until} without a reload`);
    await enforced(world);
  },
);

suite.test('a configuration that cannot be used changes nothing for engines', [], async (world) => {
  const { pinnace, signed } = world;
  await pinnace.reconfigure({ policy: [{ match: 'elsewhere.example.com/**', trust: 'nobody' }] });
  assert.equal(await pinnace.metric('pinnace_config_last_reload_successful'), 0);
  assert.equal(await pinnace.verdict('team/app', '1.0'), signed.digest);
  await enforced(world);
  assert.equal(await pinnace.metric('pinnace_config_last_reload_successful'), 1);
});
