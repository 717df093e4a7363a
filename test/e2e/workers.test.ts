import assert from 'node:assert/strict';
import { Podman } from './support/containers-tools.ts';
import { DockerEngine } from './support/docker-engine.ts';
import type { Image } from './support/image.ts';
import { BASE_COMPONENTS, Lab } from './support/lab.ts';
import { Pinnace } from './support/pinnace.ts';
import type { Scratch } from './support/scratch.ts';
import { LabSuite } from './support/suite.ts';
import { eventually } from './support/wait.ts';

/** Engines before a Pinnace of two workers, of which one dies again and again. */
interface World {
  readonly scratch: Scratch;
  readonly lab: Lab;
  readonly pinnace: Pinnace;
  readonly signed: Image;
}

const RESTARTS = 'pinnace_worker_restarts_total';
const ROUNDS = 6;

const suite = new LabSuite<World>('workers', BASE_COMPONENTS, async (scratch) => {
  const lab = await Lab.start(scratch);
  const signed = await lab.pushSigned('team/app:1.0');
  await lab.push('team/app:unsigned');
  const pinnace = await Pinnace.start(scratch, lab.place, await lab.settings({ workers: 2 }));
  return { scratch, lab, pinnace, signed };
});

/** Has one worker die as of a power cut, and does not wait for another one. */
async function killOne({ pinnace }: World, round: number): Promise<void> {
  const pids = await pinnace.workers();
  const pid = pids[round % pids.length];
  assert.ok(pid !== undefined, 'no worker is left');
  process.kill(pid, 'SIGKILL');
}

async function haveRestarted({ pinnace }: World, before: number): Promise<void> {
  await eventually(async () => (await pinnace.metric(RESTARTS)) === before + ROUNDS, {
    what: 'every death to be counted',
  });
  await eventually(async () => (await pinnace.workers()).length === 2, { what: 'two workers' });
}

suite.test(
  'Docker Engine: each pull right after the death of a worker succeeds at once; unsigned stays refused',
  ['docker', 'dockerd'],
  async (world) => {
    const engine = await DockerEngine.start(world.scratch, world.lab.place);
    const name = `${world.pinnace.host()}/team/app`;
    const before = await world.pinnace.metric(RESTARTS);
    for (let round = 0; round < ROUNDS; round += 1) {
      await killOne(world, round);
      const pulled = await engine.ok('pull', `${name}:1.0`);
      assert.ok(pulled.includes(`Digest: ${world.signed.digest}`), pulled);
      await engine.ok('rmi', `${name}:1.0`);
    }
    const refused = await engine.docker('pull', `${name}:unsigned`);
    assert.notEqual(refused.code, 0);
    assert.match(refused.output, /pinnace refused .*team\/app:unsigned: /);
    await haveRestarted(world, before);
  },
);

suite.test(
  'podman: each pull right after the death of a worker succeeds at once; unsigned stays refused',
  ['podman'],
  async (world) => {
    const podman = await Podman.create(world.scratch, world.lab.place);
    const name = `${world.pinnace.host()}/team/app`;
    const before = await world.pinnace.metric(RESTARTS);
    for (let round = 0; round < ROUNDS; round += 1) {
      await killOne(world, round);
      const pulled = await podman.pull(`${name}:1.0`);
      assert.equal(pulled.code, 0, pulled.output);
    }
    assert.deepEqual(await podman.digests(), [world.signed.digest]);
    const refused = await podman.pull(`${name}:unsigned`);
    assert.notEqual(refused.code, 0);
    assert.match(refused.output, /pinnace refused/);
    await haveRestarted(world, before);
  },
);
