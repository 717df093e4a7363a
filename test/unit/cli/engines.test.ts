import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { runCommandLine } from '../../../src/cli/program.ts';

const CONFIG = `data: /var/lib/pinnace
listeners:
  registry: { address: 10.0.0.7:5000, tls: { cert: /tls.crt, key: /tls.key } }
  mirror: { address: 0.0.0.0:5001, defaultRegistry: docker.io, refusal: hard-stop }
  whole: { address: 10.0.0.7:5002, defaultRegistry: docker.io, refusal: hard-stop, completeFirst: true }
upstreams:
  docker.io: { url: https://registry-1.docker.io }
  quay.io: { url: https://quay.io }
trust:
  corp: { kind: notary, url: https://notary.example.com, trustOnFirstUse: true }
policy:
  - { match: "docker.io/**", trust: corp }
`;

interface Printed {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

interface Settings {
  readonly files: readonly { readonly path: string; readonly text: string }[];
  readonly additions: readonly { readonly path: string; readonly text: string }[];
  readonly steps: readonly string[];
  readonly leavesOpen: readonly string[];
  readonly egress: string;
}

async function engines(...words: readonly string[]): Promise<Printed> {
  const printed = { out: '', err: '' };
  const code = await runCommandLine(['engines', ...words], {
    stdout: { write: (text: string) => (printed.out += text) },
    stderr: { write: (text: string) => (printed.err += text) },
    env: {},
  });
  return { code, ...printed };
}

async function settings(...words: readonly string[]): Promise<Settings> {
  const { code, out, err } = await engines(...words, '--json');
  assert.equal(code, 0, err);
  const parsed: Settings = JSON.parse(out);
  return parsed;
}

function textOf({ files }: Settings, path: string): string {
  const found = files.find((file) => file.path === path);
  assert.ok(found !== undefined, `${path} among ${files.map((file) => file.path).join(', ')}`);
  return found.text;
}

let folder = '';
let config = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pinnace-engines-'));
  config = join(folder, 'pinnace.yaml');
  await writeFile(config, CONFIG);
});
after(async () => await rm(folder, { recursive: true, force: true }));

describe('pinnace engines', () => {
  it('gives Docker the hard-stop listener that completes images as its mirror, and no second place to ask', async () => {
    const made = await settings('docker', '-c', config);
    const daemon: unknown = JSON.parse(textOf(made, '/etc/docker/daemon.json'));
    assert.deepEqual(daemon, { 'registry-mirrors': ['http://10.0.0.7:5002'] });
    const unit = textOf(made, '/etc/systemd/system/docker.service.d/only-pinnace.conf');
    assert.match(unit, /^Environment=HTTPS_PROXY=http:\/\/127\.0\.0\.1:1$/m);
    assert.match(unit, /^Environment=NO_PROXY=10\.0\.0\.7$/m);
    assert.match(made.egress, /ip daddr @pinnace tcp dport 5002 accept/);
    assert.match(made.egress, /elements = \{ 10\.0\.0\.7 \}/);
    assert.ok(made.leavesOpen.length > 2);
  });

  it('gives Docker with the store of containerd a hosts file for every upstream and for all others', async () => {
    const made = await settings('docker', '-c', config, '--store', 'containerd');
    assert.deepEqual(
      made.files.map(({ path }) => path),
      ['docker.io', 'quay.io', '_default'].map((host) => `/etc/docker/certs.d/${host}/hosts.toml`),
    );
  });

  it('gives containerd hosts files with one place to ask, and the folder for Kubernetes', async () => {
    const made = await settings('containerd', '-c', config);
    for (const host of ['docker.io', 'quay.io', '_default']) {
      const text = textOf(made, `/etc/containerd/certs.d/${host}/hosts.toml`);
      assert.match(text, /^server = "http:\/\/10\.0\.0\.7:5002"\n\n\[host\]\n$/m);
      assert.equal(text.match(/^\[/gm)?.length, 1, 'containerd 1.x needs the table, and no other');
    }
    assert.match(made.additions[0]?.text ?? '', /config_path = "\/etc\/containerd\/certs\.d"/);
  });

  for (const engine of ['podman', 'crio']) {
    it(`rewrites the upstreams for ${engine}, by the listener whose refusals it prints, and blocks registries in wide use`, async () => {
      const made = await settings(engine, '-c', config);
      const text = textOf(made, '/etc/containers/registries.conf.d/999-pinnace.conf');
      assert.match(text, /prefix = "docker\.io"\nlocation = "10\.0\.0\.7:5000\/docker\.io"\n/);
      assert.match(text, /prefix = "quay\.io"\nlocation = "10\.0\.0\.7:5000\/quay\.io"\n/);
      assert.match(text, /location = "ghcr\.io"\nblocked = true/);
      assert.doesNotMatch(text, /location = "(?:docker|quay)\.io"/);
      assert.doesNotMatch(text, /insecure/);
    });
  }

  it('needs no configuration when it is told registries and address', async () => {
    const made = await settings(
      'podman',
      ...['--upstream', 'registry.example.com:5000', 'docker.io', '--address', 'http://p.example'],
    );
    const text = textOf(made, '/etc/containers/registries.conf.d/999-pinnace.conf');
    assert.match(
      text,
      /location = "p\.example\/registry\.example\.com:5000"\ninsecure = true\n\n.*\nprefix = "docker\.io"/,
    );
    assert.match(made.egress, /tcp dport 80 accept/);
  });

  it('is for the listener and the upstreams that are named', async () => {
    const named = ['--listener', 'registry', '--upstream', 'docker.io'];
    const made = await settings('docker', '-c', config, ...named);
    assert.match(textOf(made, '/etc/docker/daemon.json'), /https:\/\/10\.0\.0\.7:5000/);
    assert.ok(made.leavesOpen.some((sentence) => sentence.includes('refusal: deny')));
    assert.ok(made.leavesOpen.some((sentence) => sentence.includes('defaultRegistry')));
    const hosts = await settings('containerd', '-c', config, '--upstream', 'quay.io');
    assert.equal(hosts.files.length, 2);
  });

  it('prints files with their places, steps, what is left open, and the filter that closes it', async () => {
    const { code, out } = await engines('docker', '-c', config);
    assert.equal(code, 0);
    for (const part of ['==> /etc/docker/daemon.json\n{', '\nThen:\n', 'What this leaves open:']) {
      assert.ok(out.includes(part), part);
    }
    assert.match(out, /table inet pinnace \{/);
  });

  const mistakes: readonly (readonly [row: string, words: readonly string[], told: RegExp])[] = [
    ['no address and no configuration', ['docker', '--upstream', 'docker.io'], /--address/],
    ['no registry', ['podman', '--address', 'https://p.example'], /--upstream HOST/],
    [
      'an address with a path',
      ['docker', '--upstream', 'docker.io', '--address', 'https://p.example/x'],
      /has a path/,
    ],
    [
      'an address that is none',
      ['docker', '--upstream', 'docker.io', '--address', 'p.example:5000'],
      /--address p\.example:5000 is not/,
    ],
    [
      'a registry that is none',
      ['podman', '--upstream', 'a b', '--address', 'https://p.example'],
      /--upstream a b/,
    ],
  ];
  for (const [row, words, told] of mistakes) {
    it(`says what is missing: ${row}`, async () => {
      const { code, out, err } = await engines(...words);
      assert.equal(code, 64);
      assert.equal(out, '');
      assert.match(err, told);
    });
  }

  const unfit: readonly (readonly [row: string, words: readonly string[], told: RegExp])[] = [
    ['a listener that is not there', ['docker', '--listener', 'x'], /has no listener x/],
    ['an upstream that is not there', ['docker', '--upstream', 'ghcr.io'], /no upstream ghcr\.io/],
    [
      'a listener bound to every address',
      ['docker', '--listener', 'mirror'],
      /--address http:\/\/NAME:5001/,
    ],
  ];
  for (const [row, words, told] of unfit) {
    it(`says what the configuration lacks: ${row}`, async () => {
      const { code, err } = await engines(...words, '-c', config);
      assert.equal(code, 64);
      assert.match(err, told);
    });
  }

  it('says that Docker needs a listener that stops hard', async () => {
    const file = join(folder, 'deny.yaml');
    await writeFile(file, CONFIG.replaceAll(/^ {2}(?:mirror|whole):.*\n/gm, ''));
    const { code, err } = await engines('docker', '-c', file);
    assert.equal(code, 64);
    assert.match(err, /refusal: hard-stop/);
    assert.equal((await engines('containerd', '-c', file)).code, 0);
  });

  it('writes the files beneath a folder, and over none that is there unless told to', async () => {
    const root = join(folder, 'root');
    const words = ['docker', '-c', config, '--write', root];
    const { code, out } = await engines(...words);
    assert.equal(code, 0);
    const file = join(root, 'etc/docker/daemon.json');
    assert.ok(out.includes(file));
    assert.match(await readFile(file, 'utf8'), /registry-mirrors/);
    await writeFile(file, 'mine');
    const again = await engines(...words);
    assert.equal(again.code, 1);
    assert.match(again.err, /is there already; .*--force/);
    assert.equal(await readFile(file, 'utf8'), 'mine');
    assert.equal((await engines(...words, '--force')).code, 0);
    assert.match(await readFile(file, 'utf8'), /registry-mirrors/);
  });

  it('says which lines it did not write', async () => {
    const { out } = await engines('containerd', '-c', config, '--write', join(folder, 'other'));
    assert.match(out, /not written: lines for \/etc\/containerd\/config\.toml/);
  });
});
