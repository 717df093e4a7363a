import assert from 'node:assert/strict';
import { chmod, copyFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { binary } from './support/components.ts';
import { DockerEngine } from './support/docker-engine.ts';
import type { Image } from './support/image.ts';
import { BASE_COMPONENTS, Lab } from './support/lab.ts';
import { freePort } from './support/port.ts';
import { runOk } from './support/process.ts';
import type { Scratch } from './support/scratch.ts';
import { LabSuite } from './support/suite.ts';
import { eventually } from './support/wait.ts';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const BASE = 'pinnace-base:e2e';
const IMAGE = 'pinnace:e2e';
const HARDENED = [
  ...['--read-only', '--network', 'host', '--cap-drop', 'ALL'],
  ...['--security-opt', 'no-new-privileges'],
] as const;

/** The project's own image in a real Docker engine, in front of a real registry and Notary server. */
interface World {
  readonly lab: Lab;
  readonly engine: DockerEngine;
  readonly signed: Image;
  readonly configFolder: string;
  readonly port: number;
  readonly adminPort: number;
}

const suite = new LabSuite<World>(
  'image',
  [...BASE_COMPONENTS, 'docker', 'dockerd'],
  async (scratch) => {
    const lab = await Lab.start(scratch);
    const engine = await DockerEngine.start(scratch, lab.place);
    await importBase(scratch, engine);
    await buildImage(scratch, engine);
    const signed = await lab.pushSigned('team/app:1.0');
    await lab.push('team/app:unsigned');
    const [port, adminPort] = [await freePort(), await freePort()];
    const configFolder = scratch.folder('image-config');
    const world = { lab, engine, signed, configFolder, port, adminPort };
    await writeConfiguration(world);
    return world;
  },
);

/** A base image without a registry: a shell, the libraries Node is linked with, and the Node that npm supplied. */
async function importBase(scratch: Scratch, engine: DockerEngine): Promise<void> {
  const root = scratch.folder('image-base');
  for (const folder of ['bin', 'tmp', 'etc']) await mkdir(join(root, folder));
  await copyFile(binary('busybox'), join(root, 'bin/busybox'));
  for (const applet of ['sh', 'mkdir', 'id']) await symlink('busybox', join(root, 'bin', applet));
  await writeFile(join(root, 'etc/passwd'), 'root:x:0:0:root:/:/bin/sh\n');
  const linked = await runOk(['ldd', process.execPath]);
  const libraries = linked.match(/(?<=\s)\/\S+/g) ?? [];
  assert.ok(libraries.length > 3, linked);
  for (const library of libraries) {
    await mkdir(dirname(join(root, library)), { recursive: true });
    await copyFile(library, join(root, library));
  }
  await copyFile(process.execPath, join(root, 'bin/node'));
  await chmod(join(root, 'bin/node'), 0o755);
  const tar = join(scratch.path, 'image-base.tar');
  await runOk(['tar', '-C', root, '-cf', tar, '.']);
  await engine.ok('import', tar, BASE);
}

async function buildImage(scratch: Scratch, engine: DockerEngine): Promise<void> {
  const context = scratch.folder('image-context');
  const script = join(ROOT, 'scripts/image-context.ts');
  await runOk([process.execPath, script, context], { cwd: ROOT });
  await engine.ok(
    ...['build', '--network', 'none', '--build-arg', `BASE=${BASE}`, '-t', IMAGE],
    ...['-f', join(ROOT, 'Dockerfile'), context],
  );
}

async function writeConfiguration(world: World): Promise<void> {
  const { lab, port, adminPort, configFolder } = world;
  const settings = await lab.settings();
  await copyFile(lab.notary.caFile, join(configFolder, 'ca.pem'));
  const configuration = {
    data: '/var/lib/pinnace',
    listeners: {
      registry: { address: `127.0.0.1:${port}`, defaultRegistry: lab.registry.host },
    },
    admin: { address: `127.0.0.1:${adminPort}` },
    upstreams: settings.upstreams,
    trust: { lab: await lab.trust({ ca: '/etc/pinnace/ca.pem' }) },
    policy: settings.policy,
  };
  await writeFile(join(configFolder, 'pinnace.yaml'), stringify(configuration));
  // Whatever the test runs as, the user inside the container must be able to read it.
  await chmod(join(configFolder, 'pinnace.yaml'), 0o644);
  await chmod(join(configFolder, 'ca.pem'), 0o644);
}

/** Starts the image as an operator would and waits until the engine calls it healthy. */
async function startHealthy(world: World, name: string): Promise<void> {
  const { engine } = world;
  await engine.ok(
    ...['run', '-d', '--name', name, ...HARDENED, '--health-interval', '500ms'],
    ...['-e', `PINNACE_READY_URL=http://127.0.0.1:${world.adminPort}/readyz`],
    ...['-v', `${world.configFolder}:/etc/pinnace:ro`, '-v', 'pinnace-data:/var/lib/pinnace'],
    IMAGE,
  );
  await eventually(
    async () => (await engine.ok('inspect', '-f', '{{.State.Health.Status}}', name)) === 'healthy',
    {
      what: `${name} to become healthy`,
      detail: async () => (await engine.docker('logs', name)).output,
    },
  );
}

/** Runs a line of JavaScript in a container and gives back what it printed. */
async function inside(world: World, name: string, line: string): Promise<string> {
  return await world.engine.ok('exec', name, 'node', '-e', line);
}

function write(path: string): string {
  const attempt = `require('node:fs').writeFileSync('${path}', 'x')`;
  return `try { ${attempt}; console.log('written') } catch (error) { console.log(error.code) }`;
}

suite.test(
  'the image becomes healthy, serves the signed tag, refuses the unsigned one, and ends cleanly',
  [],
  async (world, told) => {
    const { engine, lab } = world;
    await startHealthy(world, 'serving');
    const manifest = (tag: string): string =>
      `http://127.0.0.1:${world.port}/v2/team/app/manifests/${tag}`;
    const pulled = await lab.place.request(manifest('1.0'));
    assert.equal(pulled.headers.get('docker-content-digest'), world.signed.digest);
    const refused = await lab.place.request(manifest('unsigned'));
    assert.equal(refused.headers.get('x-pinnace-reason'), 'tag_not_signed');
    await engine.ok('stop', '-t', '20', 'serving');
    const code = await engine.ok('inspect', '-f', '{{.State.ExitCode}}', 'serving');
    assert.equal(code, '0', (await engine.docker('logs', 'serving')).output);
    const size = await engine.ok('image', 'inspect', '-f', '{{.Size}}', IMAGE);
    const base = await engine.ok('image', 'inspect', '-f', '{{.Size}}', BASE);
    told.diagnostic(`the image adds ${((Number(size) - Number(base)) / 1e6).toFixed(1)} MB`);
  },
);

suite.test(
  'a new container on the same volume still vouches for what an earlier one verified',
  [],
  async (world) => {
    await startHealthy(world, 'before');
    const tag = `http://127.0.0.1:${world.port}/v2/team/app/manifests/1.0`;
    assert.equal((await world.lab.place.request(tag)).status, 200);
    await world.engine.ok('rm', '-f', 'before');
    await startHealthy(world, 'after');
    const digest = `http://127.0.0.1:${world.port}/v2/team/app/manifests/${world.signed.digest}`;
    assert.equal((await world.lab.place.request(digest)).status, 200, 'vouched for before');
    await world.engine.ok('rm', '-f', 'after');
  },
);

suite.test(
  'in the image nothing runs as root and nothing but the volume can be written',
  [],
  async (world) => {
    await startHealthy(world, 'confined');
    assert.equal(await inside(world, 'confined', 'console.log(process.getuid())'), '65532');
    assert.equal(await inside(world, 'confined', write('/opt/pinnace/x')), 'EROFS');
    assert.equal(await inside(world, 'confined', write('/tmp/x')), 'EROFS');
    assert.equal(await inside(world, 'confined', write('/etc/pinnace/x')), 'EROFS');
    assert.equal(await inside(world, 'confined', write('/var/lib/pinnace/x')), 'written');
    await world.engine.ok('rm', '-f', 'confined');
    // Without a read-only file system the user alone must keep it from changing its own code.
    const plain = ['run', '--rm', '--network', 'none', '--entrypoint', 'node', IMAGE, '-e'];
    assert.equal(await world.engine.ok(...plain, write('/opt/pinnace/dist/cli/main.js')), 'EACCES');
  },
);

suite.test('the image holds no development packages and no Node of npm', [], async (world) => {
  const list = `console.log(require('node:fs').readdirSync('/opt/pinnace/node_modules').join(' '))`;
  const run = ['run', '--rm', '--network', 'none', '--entrypoint', 'node', IMAGE, '-e', list];
  const names = (await world.engine.ok(...run)).split(' ');
  assert.ok(names.includes('undici'), names.join(' '));
  const unwanted = names.filter((name) =>
    /^(?:node-|typescript|eslint|fast-check|@types)/.test(name),
  );
  assert.deepEqual(unwanted, []);
});

suite.test('a mistake in the configuration ends the container and is named', [], async (world) => {
  const broken = ['--entrypoint', 'node', IMAGE, 'dist/cli/main.js', 'check-config', '/none.yaml'];
  const run = await world.engine.docker('run', '--rm', '--network', 'none', ...broken);
  assert.equal(run.code, 1, run.output);
  assert.match(run.output, /none\.yaml/);
});
