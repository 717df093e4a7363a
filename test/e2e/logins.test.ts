import assert from 'node:assert/strict';
import { copyFile, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CertificateAuthority, type ServerCertificate } from './support/certificates.ts';
import { binary, type Component } from './support/components.ts';
import { Containerd } from './support/containerd.ts';
import { Podman } from './support/containers-tools.ts';
import { DockerEngine } from './support/docker-engine.ts';
import { FakeHub, PINNACE_ADDRESS, PINNACE_NAME } from './support/fake-hub.ts';
import { type Image, makeImage, publish } from './support/image.ts';
import { BASE_COMPONENTS, Lab } from './support/lab.ts';
import { Pinnace } from './support/pinnace.ts';
import { type Finished, runOk } from './support/process.ts';
import type { Scratch } from './support/scratch.ts';
import { LabSuite } from './support/suite.ts';
import { eventually } from './support/wait.ts';

/**
 * Real engines that log in, in a namespace in which `pinnace.example` is a running Pinnace with a certificate, at an
 * address that engines do not excuse from TLS, and a registry with other content answers as Docker Hub.
 */
interface World {
  readonly scratch: Scratch;
  readonly lab: Lab;
  readonly hub: FakeHub;
  readonly pinnace: Pinnace;
  readonly signed: Image;
  readonly mirrored: Image;
  readonly foreign: Image;
  /** Of the client CA. */
  readonly node: ServerCertificate;
  readonly users: string;
}

const NEEDED: readonly Component[] = [...BASE_COMPONENTS, 'unshare', 'nsenter', 'ip', 'htpasswd'];
const PASSWORD = 'wonder-land 1';
const PORTS = { basic: 5001, tokens: 5002, service: 5003, nodes: 5004, mirror: 5005 } as const;
const TOKEN_SERVICE_PORT = 5010;
const TOKEN_SERVICE = join(dirname(fileURLToPath(import.meta.url)), 'support/token-service.ts');

const host = (listener: keyof typeof PORTS): string => `${PINNACE_NAME}:${PORTS[listener]}`;

const suite = new LabSuite<World>('logins', NEEDED, async (scratch) => {
  const hub = await FakeHub.start(scratch);
  const lab = await Lab.start(scratch, hub.place);
  const signed = await lab.pushSigned('team/app:1.0');
  await lab.pushSigned('team/secret:1.0');
  const mirrored = await lab.pushSigned('library/app:1.0', { registry: 'docker.io' });
  const foreign = await makeImage(scratch);
  await publish(foreign, hub.registry, 'library/app:1.0');
  const users = join(scratch.folder('users'), 'htpasswd');
  await runOk([binary('htpasswd'), '-B', '-b', '-c', users, 'alice', PASSWORD]);
  await runOk([binary('htpasswd'), '-B', '-b', users, 'bob', 'builder']);
  const clientAuthority = await CertificateAuthority.create(scratch.folder('clients'));
  const node = await clientAuthority.issueClient('node-1');
  const tls = await serverIdentity(hub);
  await startTokenService(scratch, hub, tls);
  const listener = (name: keyof typeof PORTS, more: object = {}) => ({
    address: `${PINNACE_ADDRESS}:${PORTS[name]}`,
    ...{ tls, clients: name, defaultRegistry: lab.registry.host },
    ...more,
  });
  const pinnace = await Pinnace.start(scratch, hub.place, {
    listeners: {
      basic: listener('basic'),
      tokens: listener('tokens'),
      service: listener('service'),
      nodes: listener('nodes'),
      mirror: listener('mirror', {
        ...{ clients: 'nodes', defaultRegistry: 'docker.io', refusal: 'hard-stop' },
      }),
    },
    clients: {
      basic: { kind: 'basic', htpasswd: users },
      tokens: { kind: 'token-endpoint', service: 'tokens', htpasswd: users, refreshLifetime: '1h' },
      service: {
        ...{ kind: 'token', service: 'lab', issuer: 'lab-tokens' },
        realm: `https://${PINNACE_NAME}:${TOKEN_SERVICE_PORT}/token`,
        jwksUrl: `https://${PINNACE_NAME}:${TOKEN_SERVICE_PORT}/jwks.json`,
        ca: hub.authority.file,
      },
      nodes: { kind: 'mtls', clientCa: clientAuthority.file },
    },
    upstreams: {
      'docker.io': { url: lab.registry.url },
      [lab.registry.host]: { url: lab.registry.url },
    },
    trust: { lab: await lab.trust({ maxAge: '0s' }) },
    policy: [
      { match: 'docker.io/library/**', trust: 'lab' },
      { match: `${lab.registry.host}/team/**`, trust: 'lab' },
      {
        match: `${lab.registry.host}/team/secret`,
        trust: 'lab',
        clients: ['basic/bob', 'tokens/bob', 'service/bob'],
      },
    ],
  });
  await hub.mark();
  return { scratch, lab, hub, pinnace, signed, mirrored, foreign, node, users };
});

async function serverIdentity(hub: FakeHub): Promise<{ cert: string; key: string }> {
  const names = [`DNS:${PINNACE_NAME}`];
  const { certificate, key } = await hub.authority.issue(PINNACE_NAME, names);
  return { cert: certificate, key };
}

async function startTokenService(
  scratch: Scratch,
  hub: FakeHub,
  tls: { readonly cert: string; readonly key: string },
): Promise<void> {
  const where = [PINNACE_ADDRESS, String(TOKEN_SERVICE_PORT)];
  const daemon = hub.place.start(
    [process.execPath, TOKEN_SERVICE, tls.cert, tls.key, ...where, `alice:${PASSWORD}`, 'lab'],
    join(scratch.folder('token-service'), 'log'),
  );
  scratch.defer('token service', async () => await daemon.stop());
  const keys = `https://${PINNACE_NAME}:${TOKEN_SERVICE_PORT}/jwks.json`;
  await daemon.ready(async () => await hub.place.answers(keys, '-k'));
}

const LOGINS = ['basic', 'tokens', 'service'] as const;

/** Docker 20.10 prints what a token service says, but of an answer to Basic only the status. */
const WRONG = {
  basic: /401 Unauthorized/,
  tokens: /pinnace gives no token: the user name or the password is wrong/,
  service: /the token service says no/,
} as const;

for (const listener of LOGINS) {
  suite.test(
    `docker login and podman login work, and a pull after them: ${listener}`,
    ['docker', 'dockerd', 'podman'],
    async (world, told) => {
      const engine = await DockerEngine.start(world.scratch, world.hub.place);
      const image = `${host(listener)}/team/app:1.0`;
      const before = await engine.docker('pull', image);
      assert.notEqual(before.code, 0, 'nothing without a login');
      told.diagnostic(`docker pull without a login: ${lastLine(before)}`);

      const wrong = await engine.docker(
        'login',
        '-u',
        'alice',
        '-p',
        'looking-glass',
        host(listener),
      );
      assert.notEqual(wrong.code, 0);
      assert.match(wrong.output, WRONG[listener]);
      told.diagnostic(`docker login with a wrong password: ${lastLine(wrong)}`);

      const login = await engine.docker('login', '-u', 'alice', '-p', PASSWORD, host(listener));
      assert.match(login.output, /Login Succeeded/);
      const pulled = await engine.ok('pull', image);
      assert.ok(pulled.includes(`Digest: ${world.signed.digest}`), pulled);
      const kept = await engine.docker('pull', `${host(listener)}/team/secret:1.0`);
      assert.match(kept.output, /your login may not pull from this repository/);
      told.diagnostic(`docker pull of what others may pull: ${lastLine(kept)}`);

      const podman = await Podman.create(world.scratch, world.hub.place);
      const authFile = join(world.scratch.folder(`podman-${listener}`), 'auth.json');
      const account = ['--authfile', authFile, '--username', 'alice', '--password'];
      const refused = await podman.podman('login', ...account, 'looking-glass', host(listener));
      assert.notEqual(refused.code, 0);
      told.diagnostic(`podman login with a wrong password: ${lastLine(refused)}`);
      const done = await podman.podman('login', ...account, PASSWORD, host(listener));
      assert.match(done.output, /Login Succeeded/);
      const taken = await podman.podman('pull', '--authfile', authFile, image);
      assert.equal(taken.code, 0, taken.output);
      assert.deepEqual(await podman.digests(), [world.signed.digest]);
    },
  );

  suite.test(
    `containerd logs in with the user it is given: ${listener}`,
    ['containerd', 'ctr'],
    async (world, told) => {
      const containerd = await Containerd.start(world.scratch, world.hub.place);
      const image = `${host(listener)}/team/app:1.0`;
      const wrong = await containerd.pull(image, '--user', 'alice:looking-glass');
      assert.notEqual(wrong.code, 0);
      told.diagnostic(`ctr with a wrong password: ${lastLine(wrong)}`);
      const pulled = await containerd.pull(image, '--user', `alice:${PASSWORD}`);
      assert.equal(pulled.code, 0, pulled.output);
      assert.equal(await containerd.digestOf(image), world.signed.digest);
    },
  );
}

suite.test(
  'docker login keeps a token in place of the password, and a changed password ends it',
  ['docker', 'dockerd'],
  async (world, told) => {
    const engine = await DockerEngine.start(world.scratch, world.hub.place);
    await setPassword(world, 'carol', 'first');
    const login = await engine.docker('login', '-u', 'carol', '-p', 'first', host('tokens'));
    assert.equal(login.code, 0, login.output);
    const stored = await runOk(['cat', join(engine.home, '.docker/config.json')]);
    assert.match(stored, /"identitytoken": "ey/);
    assert.equal(stored.includes(Buffer.from('carol:first').toString('base64')), false);
    const image = `${host('tokens')}/team/app:1.0`;
    await engine.ok('pull', image);
    await engine.forgetImages();
    await setPassword(world, 'carol', 'second');
    const refused = await engine.docker('pull', image);
    assert.notEqual(refused.code, 0);
    told.diagnostic(`docker with a token for the earlier password: ${lastLine(refused)}`);
    assert.match(refused.output, /log in again/);
  },
);

suite.test(
  'client certificates name nodes: docker, podman and containerd pull with one, and are refused in words without',
  ['docker', 'dockerd', 'podman', 'containerd', 'ctr'],
  async (world, told) => {
    const image = `${host('nodes')}/team/app:1.0`;
    const engine = await DockerEngine.start(world.scratch, world.hub.place);
    const refused = await engine.docker('pull', image);
    assert.match(refused.output, /the engine showed no client certificate that Pinnace accepts/);
    told.diagnostic(`docker without a certificate: ${lastLine(refused)}`);
    const podman = await Podman.create(world.scratch, world.hub.place);
    // Before Docker's folder is filled: podman reads that too.
    const without = await podman.podman('pull', image);
    assert.match(without.output, /the engine showed no client certificate/);
    const folder = await certificateFolder(world, 'podman');
    const taken = await podman.podman('pull', '--cert-dir', folder, image);
    assert.equal(taken.code, 0, taken.output);

    await giveToDocker(world, host('nodes'));
    const pulled = await engine.ok('pull', image);
    assert.ok(pulled.includes(`Digest: ${world.signed.digest}`), pulled);

    const containerd = await Containerd.start(world.scratch, world.hub.place);
    const { certificate, key } = world.node;
    const server = `server = "https://${host('nodes')}"\n`;
    await containerd.setHosts(host('nodes'), `${server}[host]\n`);
    const ctr = await containerd.pull(image);
    assert.match(ctr.output, /403 Forbidden/);
    const client = `client = [["${certificate}", "${key}"]]\n`;
    await containerd.setHosts(host('nodes'), `${server}${client}[host]\n`);
    const shown = await containerd.pull(image);
    assert.equal(shown.code, 0, shown.output);
    const log = await world.pinnace.log();
    assert.match(log, /"caller":"nodes\/node-1"/);
  },
);

suite.test(
  'as a mirror: a node with a certificate pulls, and one without is stopped for good instead of going to the hub',
  ['docker', 'dockerd', 'containerd', 'ctr'],
  async (world, told) => {
    const mirror = `https://${host('mirror')}`;
    const settings = { 'registry-mirrors': [mirror] };
    const engine = await DockerEngine.start(world.scratch, world.hub.place, { settings });
    await world.hub.mark();
    const refused = await engine.docker('pull', 'library/app:1.0');
    assert.notEqual(refused.code, 0);
    assert.match(refused.output, /the engine showed no client certificate that Pinnace accepts/);
    told.diagnostic(`docker behind the mirror without a certificate: ${lastLine(refused)}`);
    assert.deepEqual(await world.hub.served(), [], 'the hub was not asked');

    const containerd = await Containerd.start(world.scratch, world.hub.place);
    const hosts = (client: string): string =>
      `server = "https://registry-1.docker.io"\n[host."${mirror}"]\n  capabilities = ["pull", "resolve"]\n${client}`;
    await containerd.setHosts('docker.io', hosts(''));
    const stopped = await containerd.pull('docker.io/library/app:1.0');
    assert.notEqual(stopped.code, 0);
    assert.deepEqual(await world.hub.served(), [], 'nor by containerd');

    await giveToDocker(world, host('mirror'));
    const pulled = await engine.ok('pull', 'library/app:1.0');
    assert.ok(pulled.includes(`Digest: ${world.mirrored.digest}`), pulled);
    const { certificate, key } = world.node;
    await containerd.setHosts('docker.io', hosts(`  client = [["${certificate}", "${key}"]]\n`));
    const taken = await containerd.pull('docker.io/library/app:1.0');
    assert.equal(taken.code, 0, taken.output);
    assert.equal(await containerd.digestOf('docker.io/library/app:1.0'), world.mirrored.digest);
    assert.deepEqual(await world.hub.served(), []);
  },
);

/** A folder with the client certificate under the names that Docker and podman look for. */
async function certificateFolder(world: World, name: string): Promise<string> {
  const folder = world.scratch.folder('certs', name);
  await copyFile(world.node.certificate, join(folder, 'client.cert'));
  await copyFile(world.node.key, join(folder, 'client.key'));
  return folder;
}

/** Docker looks in one place of the machine: here a file system that only the namespace sees. */
async function giveToDocker(world: World, name: string): Promise<void> {
  const folder = await certificateFolder(world, name);
  const target = `/etc/docker/certs.d/${name}`;
  await mkdir('/etc/docker', { recursive: true });
  const script = [
    'mountpoint -q /etc/docker || mount -t tmpfs tmpfs /etc/docker',
    `mkdir -p "${target}"`,
    `cp "${folder}"/client.* "${target}"`,
  ];
  const done = await world.hub.place.run(['sh', '-c', script.join(' && ')]);
  assert.equal(done.code, 0, done.output);
}

/** Changes the file, and waits until Pinnace has taken it: tries before that would count as failed ones. */
async function setPassword({ pinnace, users }: World, user: string, password: string) {
  const reloads = async () => await pinnace.metric('pinnace_config_reloads_total{outcome="ok"}');
  const before = await reloads();
  await runOk([binary('htpasswd'), '-B', '-b', users, user, password]);
  await eventually(async () => (await reloads()) > before, { what: 'the file to be read again' });
}

function lastLine(finished: Finished): string {
  return finished.output.trim().split('\n').at(-1) ?? '';
}
