import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Podman } from './support/containers-tools.ts';
import { DockerEngine } from './support/docker-engine.ts';
import {
  containerdWith,
  containerdWords,
  type DoctorWorld,
  dockerBehind,
  dockerWords,
  doctorSuite,
  runDoctor,
} from './support/doctor-world.ts';

interface Canary {
  readonly canary: string;
  readonly verdict: string;
  readonly certainty: string;
  readonly finding: string;
  readonly sentence?: string;
  readonly digest?: string;
  readonly isRemoved?: boolean;
}

interface Registry {
  readonly registry: string;
  readonly verdict: string;
  readonly listener?: string;
  readonly canaries: readonly Canary[];
  readonly fixes: readonly string[];
  readonly settings: readonly { readonly path: string; readonly text: string }[];
}

interface Examined {
  readonly code: number;
  readonly registry: Registry;
  readonly output: string;
}

const UNSIGNED = 'docker.io/library/app:unsigned';

const suite = doctorSuite('doctor');

/** Runs the doctor where the engines are, and gives back what it says of the one registry there is. */
async function examine(
  world: DoctorWorld,
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Examined> {
  const done = await runDoctor(world, words, env);
  const report = JSON.parse(done.stdout);
  const registry: Registry = report.engines[0].registries[0];
  assert.equal(registry.registry, 'docker.io', done.output);
  return { code: done.code, registry, output: done.output };
}

/** One line for each canary: what was found. */
function findings({ registry }: Examined): readonly string[] {
  return registry.canaries.map(
    ({ canary, verdict, certainty, finding }) => `${canary}: ${verdict}, ${certainty}, ${finding}`,
  );
}

suite.test(
  'Docker Engine behind a hard stop that verifies whole images first: every refusal holds, Docker Hub is not asked',
  ['docker', 'dockerd'],
  async (world) => {
    const engine = await dockerBehind(world, 'complete');
    await world.hub.mark();
    const examined = await examine(world, dockerWords(engine));
    assert.deepEqual(findings(examined), [
      'signed: held, proven, served',
      'unsigned: held, proven, refused',
      'tampered: held, proven, refused',
    ]);
    assert.equal(examined.code, 0, examined.output);
    assert.deepEqual(await world.hub.asked(), []);
  },
);

suite.test(
  'Docker Engine behind a hard stop with the way out closed: every refusal holds, and nothing stays behind',
  ['docker', 'dockerd'],
  async (world, told) => {
    const engine = await dockerBehind(world, 'mirror', {
      environment: { HTTPS_PROXY: 'http://127.0.0.1:1', NO_PROXY: '127.0.0.1' },
    });
    const examined = await examine(world, [...dockerWords(engine), '--unsigned', UNSIGNED]);
    assert.deepEqual(findings(examined), [
      'signed: held, proven, served',
      'unsigned: held, proven, refused',
      'tampered: held, likely, registry_unreachable',
      'unsigned: held, proven, refused',
    ]);
    assert.equal(examined.code, 0, examined.output);
    const { listener, canaries, fixes } = examined.registry;
    assert.equal(listener, 'mirror');
    assert.deepEqual(fixes, []);
    assert.match(canaries[1]?.sentence ?? '', /^pinnace refused docker\.io\/pinnace-canary\/uns/);
    assert.equal(canaries[0]?.isRemoved, true);
    assert.deepEqual(await engine.imageIds(), []);
    told.diagnostic(`the engine printed: ${canaries[1]?.sentence}`);
  },
);

suite.test(
  'Docker Engine behind a hard stop alone: an altered layer sends it to the registry, and the fix is named',
  ['docker', 'dockerd'],
  async (world, told) => {
    const engine = await dockerBehind(world, 'mirror');
    const examined = await examine(world, dockerWords(engine));
    assert.deepEqual(findings(examined), [
      'signed: held, proven, served',
      'unsigned: held, proven, refused',
      'tampered: not-held, likely, went_on',
    ]);
    assert.equal(examined.code, 1);
    assert.match(examined.registry.fixes[0] ?? '', /"completeFirst: true" for listener "mirror"/);
    told.diagnostic(examined.registry.fixes.join(' '));
  },
);

suite.test(
  'Docker Engine behind a plain 403: the canary shows that it went on, an image of the registry’s own proves it',
  ['docker', 'dockerd'],
  async (world, told) => {
    const engine = await dockerBehind(world, 'plain');
    const examined = await examine(world, [...dockerWords(engine), '--unsigned', UNSIGNED]);
    assert.deepEqual(findings(examined), [
      'signed: held, proven, served',
      'unsigned: not-held, likely, went_on',
      'tampered: not-held, likely, went_on',
      'unsigned: not-held, proven, landed',
    ]);
    assert.equal(examined.code, 1);
    const { canaries, fixes } = examined.registry;
    assert.equal(canaries[3]?.isRemoved, true);
    assert.deepEqual(await engine.imageIds(), []);
    assert.match(fixes[0] ?? '', /"refusal: hard-stop" for listener "plain"/);
    told.diagnostic(fixes.join(' '));
  },
);

suite.test(
  'Docker Engine that does not know Pinnace: its pulls do not go through it',
  ['docker', 'dockerd'],
  async (world) => {
    const engine = await DockerEngine.start(world.scratch, world.hub.place);
    const examined = await examine(world, dockerWords(engine));
    assert.deepEqual(findings(examined), [
      'signed: not-held, likely, not_through_pinnace',
      'unsigned: not-held, likely, not_through_pinnace',
      'tampered: not-held, likely, not_through_pinnace',
    ]);
    assert.equal(examined.code, 1);
    assert.match(examined.registry.fixes.join(' '), /pinnace engines docker --upstream docker\.io/);
  },
);

suite.test(
  'Docker Engine: an image that was there before is neither pulled nor removed',
  ['docker', 'dockerd'],
  async (world) => {
    const engine = await dockerBehind(world, 'plain');
    await engine.ok('pull', UNSIGNED);
    const before = await engine.imageIds();
    const examined = await examine(world, [...dockerWords(engine), '--unsigned', UNSIGNED]);
    assert.equal(findings(examined)[3], 'unsigned: unknown, likely, already_present');
    assert.deepEqual(await engine.imageIds(), before);
  },
);

suite.test(
  'containerd: the right hosts file and the hard stop hold, a refusal before the registry does not',
  ['containerd', 'ctr'],
  async (world, told) => {
    const { pinnace } = world;
    const withHub = (listener: string): string =>
      `server = "https://registry-1.docker.io"\n[host."http://${pinnace.host(listener)}"]\n  capabilities = ["pull", "resolve"]\n`;
    const rows: readonly (readonly [string, string, number, readonly string[]])[] = [
      [
        'Pinnace alone',
        `server = "http://${pinnace.host('plain')}"\n[host]\n`,
        0,
        [
          'held, proven, served',
          'held, likely, refused',
          'held, proven, refused',
          'held, likely, refused',
        ],
      ],
      [
        'a hard stop before the registry',
        withHub('mirror'),
        0,
        [
          'held, proven, served',
          'held, proven, refused',
          'held, proven, refused',
          'held, proven, refused',
        ],
      ],
      [
        'a 403 before the registry',
        withHub('plain'),
        1,
        [
          'held, proven, served',
          'not-held, likely, went_on',
          'held, proven, refused',
          'not-held, proven, landed',
        ],
      ],
    ];
    for (const [name, hosts, code, expected] of rows) {
      const containerd = await containerdWith(world, hosts);
      const examined = await examine(world, [
        ...containerdWords(containerd),
        '--unsigned',
        UNSIGNED,
      ]);
      const kinds = ['signed', 'unsigned', 'tampered', 'unsigned'];
      assert.deepEqual(
        findings(examined),
        expected.map((each, index) => `${kinds[index]}: ${each}`),
        `${name}\n${examined.output}`,
      );
      assert.equal(examined.code, code, name);
      assert.equal((await containerd.ctr('images', 'ls', '-q')).stdout, '', name);
      told.diagnostic(`${name}: ${examined.registry.fixes.join(' ') || 'nothing to fix'}`);
      const [file] = examined.registry.settings;
      assert.equal(file === undefined, code === 0, name);
      if (file === undefined) continue;
      // What it names as the fix is one.
      assert.equal(file.path, join(containerd.hostsFolder, 'docker.io', 'hosts.toml'));
      await containerd.setHosts('docker.io', file.text);
      const again = [...containerdWords(containerd), '--unsigned', UNSIGNED];
      assert.equal((await examine(world, again)).code, 0);
    }
  },
);

suite.test(
  'podman: a blocked registry and the hard stop hold, a mirror beside the open registry does not',
  ['podman'],
  async (world, told) => {
    const { pinnace } = world;
    const table = (listener: string, more: string): string =>
      `[[registry]]\nprefix = "docker.io"\nlocation = "docker.io"\n${more}[[registry.mirror]]\nlocation = "${pinnace.host(listener)}"\ninsecure = true\n`;
    const rows: readonly (readonly [string, string, number, readonly string[]])[] = [
      [
        'a blocked registry',
        table('plain', 'blocked = true\n'),
        0,
        [
          'held, proven, served',
          'held, proven, refused_and_blocked',
          'held, likely, refused_in_silence',
          'held, proven, refused_and_blocked',
        ],
      ],
      [
        'a hard stop',
        table('mirror', ''),
        0,
        [
          'held, proven, served',
          'held, likely, refused_in_silence',
          'held, likely, refused_in_silence',
          'held, likely, refused_in_silence',
        ],
      ],
      [
        'a mirror',
        table('plain', ''),
        1,
        [
          'held, proven, served',
          'not-held, proven, went_on',
          'held, likely, refused_in_silence',
          'not-held, proven, landed',
        ],
      ],
    ];
    for (const [name, text, code, expected] of rows) {
      const podman = await Podman.create(world.scratch, world.hub.place);
      await podman.registries.write(text);
      const words = ['--engine', 'podman', '--unsigned', UNSIGNED];
      const examined = await examine(world, words, await podman.environment());
      const kinds = ['signed', 'unsigned', 'tampered', 'unsigned'];
      assert.deepEqual(
        findings(examined),
        expected.map((each, index) => `${kinds[index]}: ${each}`),
        `${name}\n${examined.output}`,
      );
      assert.equal(examined.code, code, name);
      assert.deepEqual(await podman.digests(), [], name);
      told.diagnostic(`${name}: ${examined.registry.fixes.join(' ') || 'nothing to fix'}`);
    }
  },
);
