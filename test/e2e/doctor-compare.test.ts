import assert from 'node:assert/strict';
import { Podman } from './support/containers-tools.ts';
import {
  containerdWith,
  containerdWords,
  type DoctorWorld,
  dockerBehind,
  dockerWords,
  doctorSuite,
  runDoctor,
} from './support/doctor-world.ts';

const suite = doctorSuite('doctor --compare');

/** Holds the engine's images to Pinnace's record, and gives back the exit code and one line for each image. */
async function compare(
  world: DoctorWorld,
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: number; readonly lines: readonly string[]; readonly output: string }> {
  const admin = `http://${world.pinnace.host('admin')}`;
  const asked = ['--compare', '--pinnace', admin, ...words];
  const done = await runDoctor(world, asked, env);
  const images: readonly { readonly image: string; readonly verdict: string }[] = JSON.parse(
    done.stdout,
  ).engines[0].images;
  const lines = images.map(({ image, verdict }) => `${image}: ${verdict}`).toSorted();
  return { code: done.code, lines, output: done.output };
}

suite.test(
  'Docker Engine: doctor --compare tells what came through Pinnace from what came from Docker Hub or was made here',
  ['docker', 'dockerd'],
  async (world, told) => {
    const engine = await dockerBehind(world, 'plain');
    await engine.ok('pull', 'app:signed');
    const right = await compare(world, dockerWords(engine));
    assert.deepEqual([right.lines, right.code], [['app:signed: passed'], 0], right.output);
    await engine.ok('pull', 'app:unsigned');
    await engine.ok('pull', `${world.pinnace.host('plain')}/docker.io/library/app:signed`);
    const built = await engine.build('FROM app:signed\nLABEL made=here\n', {
      DOCKER_BUILDKIT: '0',
    });
    assert.equal(built.code, 0, built.output);
    const { lines, code, output } = await compare(world, dockerWords(engine));
    assert.equal(code, 1, output);
    const known = lines.filter((line) => !/^sha256:[0-9a-f]{64}: local$/.test(line));
    assert.equal(known.length, lines.length - 1, 'what was made here has no digest');
    assert.deepEqual(
      known.map((line) => line.replace(/@sha256:[0-9a-f]{64}/, '@D')),
      [
        `${world.pinnace.host('plain')}/docker.io/library/app@D: passed`,
        'app:unsigned: never',
        'app@D: passed',
      ],
    );
    told.diagnostic(lines.join(', '));
  },
);

suite.test(
  'containerd and podman: doctor --compare finds the image that came from Docker Hub',
  ['containerd', 'ctr', 'podman'],
  async (world) => {
    const mirror = world.pinnace.host('plain');
    const containerd = await containerdWith(
      world,
      `[host."http://${mirror}"]\n  capabilities = ["pull", "resolve"]\n`,
    );
    const podman = await Podman.create(world.scratch, world.hub.place);
    await podman.registries.write(
      `[[registry]]\nlocation = "docker.io"\n[[registry.mirror]]\nlocation = "${mirror}"\ninsecure = true\n`,
    );
    for (const tag of ['signed', 'unsigned']) {
      const image = `docker.io/library/app:${tag}`;
      assert.equal((await containerd.pull(image)).code, 0);
      assert.equal((await podman.pull(image)).code, 0);
    }
    const expected = [
      'docker.io/library/app:signed: passed',
      'docker.io/library/app:unsigned: never',
    ];
    const one = await compare(world, containerdWords(containerd));
    assert.deepEqual([one.lines, one.code], [expected, 1], one.output);
    const other = await compare(world, ['--engine', 'podman'], await podman.environment());
    assert.deepEqual([other.lines, other.code], [expected, 1], other.output);
  },
);
