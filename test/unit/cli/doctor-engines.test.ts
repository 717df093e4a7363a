import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ContainerdEngine } from '../../../src/cli/doctor-containerd.ts';
import { DockerEngine } from '../../../src/cli/doctor-docker.ts';
import { type Engine, EngineError } from '../../../src/cli/doctor-engine.ts';
import { PodmanEngine } from '../../../src/cli/doctor-podman.ts';
import type { ProgramEnd, RunProgram } from '../../../src/cli/doctor-program.ts';
import { rejectsWithCode } from '../../support/reject-with-code.ts';

const D1 = `sha256:${'1'.repeat(64)}`;
const D2 = `sha256:${'2'.repeat(64)}`;
const D3 = `sha256:${'3'.repeat(64)}`;
const IMAGE = 'docker.io/library/app:1';
const OPTIONS = { timeoutMs: 1000, signal: new AbortController().signal };

type Printed = string | Partial<ProgramEnd>;

/** A program that prints what a test wrote down for the first words that fit, and remembers how it was called. */
function programs(rows: Readonly<Record<string, Printed>>): {
  readonly run: RunProgram;
  readonly calls: string[];
} {
  const calls: string[] = [];
  const run: RunProgram = async (command) => {
    const line = command.join(' ');
    calls.push(line);
    const row = Object.entries(rows).find(([words]) => line.includes(words))?.[1];
    const base = { how: 'ended', code: 0, stdout: '', stderr: '' } as const;
    if (row === undefined) return { ...base, code: 1, stderr: `no ${line}` };
    return typeof row === 'string' ? { ...base, stdout: row } : { ...base, ...row };
  };
  return { run, calls };
}

const HOSTILE: readonly (readonly [string, string])[] = [
  ['nothing', ''],
  ['no JSON', 'oh no {'],
  ['null', 'null'],
  ['a number', '7'],
  ['lists in lists', '[[[[]]]]'],
  [
    'wrong types',
    '[{"Id":7,"RepoDigests":{"a":1},"RepoTags":[7],"Labels":[1],"Config":"x","Names":4}]',
  ],
  [
    'inherited names',
    '[{"__proto__":{"Id":"x"},"constructor":1,"Config":{"Labels":{"__proto__":"x"}}}]',
  ],
];

describe('DockerEngine', () => {
  const make = (rows: Readonly<Record<string, Printed>>, address?: string) => {
    const { run, calls } = programs(rows);
    const options = { env: {}, run, hostsFolder: '/nonexistent' };
    const engine = new DockerEngine(address === undefined ? options : { ...options, address });
    return { engine, calls };
  };
  const info = (more: object): string => JSON.stringify({ ServerVersion: '28.5.2', ...more });

  it('is not there without a client, without an engine, and for a client that only says so', async () => {
    const rows: readonly Printed[] = [
      { how: 'missing', code: undefined },
      { code: 1, stderr: 'Cannot connect to the Docker daemon' },
      JSON.stringify({ ServerVersion: '', ServerErrors: ['Cannot connect'] }),
      info({ ServerErrors: ['Cannot connect'] }),
    ];
    for (const row of rows) {
      assert.equal(await make({ info: row }).engine.facts(OPTIONS), undefined);
    }
  });

  it('tells its stores apart, and where they send pulls', async () => {
    const RegistryConfig = { Mirrors: ['http://pinnace:5001/'] };
    const classic = make({
      info: info({ RegistryConfig, DriverStatus: [['Backing', 'x']] }),
    }).engine;
    assert.deepEqual(await classic.facts(OPTIONS), {
      version: '28.5.2',
      family: 'whole',
      store: 'classic',
    });
    const route = await classic.route('docker.io');
    assert.deepEqual(route.endpoints, ['http://pinnace:5001/', 'https://registry-1.docker.io']);
    assert.equal(route.fallsBack, true);
    assert.deepEqual((await classic.route('quay.io')).endpoints, ['quay.io']);
    assert.deepEqual(await classic.registries(), ['docker.io']);
    const DriverStatus = [['driver-type', 'io.containerd.snapshotter.v1']];
    const other = make({ info: info({ DriverStatus }) }).engine;
    assert.equal((await other.facts(OPTIONS))?.family, 'each');
  });

  it('names its address in every call, and no shell is there to read an image', async () => {
    const { engine, calls } = make({ info: info({}) }, 'unix:///x y.sock');
    await engine.facts(OPTIONS);
    await engine.pull(IMAGE, OPTIONS);
    await engine.remove(IMAGE, OPTIONS);
    assert.deepEqual(calls.slice(1), [
      `docker -H unix:///x y.sock pull ${IMAGE}`,
      `docker -H unix:///x y.sock image rm ${IMAGE}`,
    ]);
  });

  it('finds an image with its digests and labels, or says that there is none', async () => {
    const image = { Id: D1, RepoDigests: [`app@${D2}`], Config: { Labels: { a: 'b', c: 4 } } };
    const held = await make({ inspect: JSON.stringify([image]) }).engine.find(IMAGE, OPTIONS);
    assert.deepEqual(held?.digests, [D1, D2]);
    assert.deepEqual(
      [...(held?.labels ?? [])],
      [
        ['a', 'b'],
        ['c', ''],
      ],
    );
    for (const stderr of [
      'Error: No such image: x',
      'Error response from daemon: no such object',
    ]) {
      const none = make({ inspect: { code: 1, stdout: '[]', stderr } });
      assert.equal(await none.engine.find(IMAGE, OPTIONS), undefined);
    }
  });

  it('does not take silence for an absent image', async () => {
    for (const end of [{ code: 1, stderr: 'Cannot connect' }, { how: 'late' }] as const) {
      await rejectsWithCode(
        make({ inspect: end }).engine.find(IMAGE, OPTIONS),
        EngineError,
        'engine_failed',
      );
    }
  });

  it('lists images with a name and their digests, a hundred at a time', async () => {
    const ids = Array.from({ length: 101 }, (_, at) => `sha256:${String(at).padStart(64, '0')}`);
    const image = { Id: D1, RepoTags: [IMAGE], RepoDigests: [`app@${D2}`] };
    const { engine, calls } = make({
      'image ls': [...ids, ids[0], 'not an id; rm -rf /'].join('\n'),
      'image inspect': JSON.stringify([image, { Id: D3 }]),
    });
    const listed = await engine.list(OPTIONS);
    assert.deepEqual(listed.slice(0, 2), [
      { name: IMAGE, digests: [`app@${D2}`] },
      { name: D3, digests: [] },
    ]);
    assert.equal(calls.length, 3);
    assert.ok(calls.every((call) => !call.includes('rm -rf')));
  });
});

describe('ContainerdEngine', () => {
  const make = (rows: Readonly<Record<string, Printed>>, env = {}) => {
    const { run, calls } = programs(rows);
    const engine = new ContainerdEngine({
      env,
      run,
      hostsFolder: '/nonexistent',
      address: 'unix:///c.sock',
    });
    return { engine, calls };
  };
  const VERSION = 'Client:\n  Version:  1.6.20\n\nServer:\n  Version:  1.6.21~ds1\n  UUID: x\n';
  const LIST = `REF TYPE DIGEST SIZE PLATFORMS LABELS\n${IMAGE} application/x ${D1} 1.2 KiB linux/amd64 -\n${IMAGE.replace(':1', '')}@${D1} x ${D1} 1 - -\n${D3} x ${D1} 1 - -\n`;

  it('takes the namespace of Kubernetes where there is one', async () => {
    for (const [names, expected] of [
      ['default\nk8s.io\n', 'k8s.io'],
      ['moby\n', 'default'],
    ] as const) {
      const { engine, calls } = make({ version: VERSION, 'namespaces ls': names });
      assert.deepEqual(await engine.facts(OPTIONS), { version: '1.6.21~ds1', family: 'each' });
      await engine.pull(IMAGE, OPTIONS);
      assert.equal(
        calls.at(-1),
        `ctr -a /c.sock -n ${expected} content fetch --hosts-dir /nonexistent ${IMAGE}`,
      );
    }
    assert.equal(await make({ version: { how: 'missing' } }).engine.facts(OPTIONS), undefined);
  });

  it('says that a registry without a hosts file is asked directly', async () => {
    const route = await make({}).engine.route('docker.io');
    assert.deepEqual(
      [route.endpoints, route.fallsBack, route.oddities.length],
      [['docker.io'], false, 1],
    );
  });

  it('finds an image with the digests of its index and the labels of the platform that is there', async () => {
    const { engine } = make({
      'images ls': LIST,
      [`get ${D1}`]: JSON.stringify({ manifests: [{ digest: 'not a digest' }, { digest: D2 }] }),
      [`get ${D2}`]: JSON.stringify({ config: { digest: D3 } }),
      [`get ${D3}`]: JSON.stringify({ config: { Labels: { a: 'b' } } }),
    });
    const held = await engine.find(IMAGE, OPTIONS);
    assert.deepEqual(held?.digests, [D1, 'not a digest', D2]);
    assert.deepEqual([...(held?.labels ?? [])], [['a', 'b']]);
    assert.equal(await engine.find('docker.io/library/app:2', OPTIONS), undefined);
  });

  it('lists images by name, not by the id that Kubernetes adds', async () => {
    assert.deepEqual(await make({ 'images ls': LIST }).engine.list(OPTIONS), [
      { name: IMAGE, digests: [`docker.io/library/app@${D1}`] },
      { name: `docker.io/library/app@${D1}`, digests: [`docker.io/library/app@${D1}`] },
    ]);
  });

  it('does not take silence for an absent image', async () => {
    const { engine } = make({ 'images ls': { code: 1, stderr: 'permission denied' } });
    await rejectsWithCode(engine.find(IMAGE, OPTIONS), EngineError, 'engine_failed');
    await rejectsWithCode(engine.list(OPTIONS), EngineError, 'engine_failed');
  });
});

describe('PodmanEngine', () => {
  const make = (rows: Readonly<Record<string, Printed>>) => {
    const { run, calls } = programs(rows);
    return { engine: new PodmanEngine({ env: {}, run }), calls };
  };
  const info = (registries: object): string =>
    JSON.stringify({ version: { Version: '4.3.1' }, registries });

  it('reads where its settings send pulls', async () => {
    const { engine } = make({
      info: info({
        search: ['docker.io'],
        'docker.io': { Location: 'docker.io', Blocked: true, Mirrors: [{ Location: 'p:5001' }] },
        'quay.io': {
          Location: 'quay.io',
          Mirrors: [{ Location: 'p:5001', Insecure: true, PullFromMirror: 'digest-only' }],
        },
        'remapped.example': { Location: 'p:5000/remapped.example', Mirrors: null },
        'quay.io/team': { Location: 'elsewhere' },
      }),
    });
    assert.deepEqual(await engine.facts(OPTIONS), { version: '4.3.1', family: 'first' });
    assert.deepEqual(await engine.registries(), ['docker.io', 'quay.io', 'remapped.example']);
    const rows: readonly (readonly [string, readonly string[], boolean, number])[] = [
      ['docker.io', ['https://p:5001'], false, 0],
      ['quay.io', ['http://p:5001', 'quay.io'], true, 1],
      ['remapped.example', ['p:5000/remapped.example'], false, 0],
      ['other.example', ['other.example'], false, 1],
    ];
    for (const [registry, endpoints, fallsBack, odd] of rows) {
      const route = await engine.route(registry);
      assert.deepEqual(
        [route.endpoints, route.fallsBack, route.oddities.length],
        [endpoints, fallsBack, odd],
        registry,
      );
    }
  });

  it('finds an image with its digests and labels, or says that there is none', async () => {
    const image = {
      Id: '1'.repeat(64),
      Digest: D2,
      RepoDigests: [`docker.io/library/app@${D3}`],
      Labels: { a: 'b' },
    };
    const held = await make({ inspect: JSON.stringify([image]) }).engine.find(IMAGE, OPTIONS);
    assert.deepEqual(held?.digests, [D1, D2, D3]);
    for (const stderr of ['Error: x: image not known', 'Error: inspecting: no such image']) {
      const none = make({ inspect: { code: 125, stdout: '[]\n', stderr } });
      assert.equal(await none.engine.find(IMAGE, OPTIONS), undefined);
    }
    const silent = make({ inspect: { code: 125, stderr: 'Error: permission denied' } });
    await rejectsWithCode(silent.engine.find(IMAGE, OPTIONS), EngineError, 'engine_failed');
  });

  it('lists each image once', async () => {
    const row = { Id: 'a', Names: [IMAGE], RepoDigests: [`docker.io/library/app@${D1}`] };
    const { engine } = make({ 'image ls': JSON.stringify([row, row, { Id: 'b' }]) });
    assert.deepEqual(await engine.list(OPTIONS), [
      { name: IMAGE, digests: row.RepoDigests },
      { name: 'b', digests: [] },
    ]);
  });
});

describe('engines that print something else', () => {
  const engines: readonly (readonly [string, (run: RunProgram) => Engine])[] = [
    ['docker', (run) => new DockerEngine({ env: {}, run, hostsFolder: '/nonexistent' })],
    ['containerd', (run) => new ContainerdEngine({ env: {}, run, hostsFolder: '/nonexistent' })],
    ['podman', (run) => new PodmanEngine({ env: {}, run })],
  ];
  for (const [kind, make] of engines) {
    for (const [what, stdout] of HOSTILE) {
      it(`${kind} prints ${what}: an error or nothing, never another failure`, async () => {
        const engine = make(async () => ({ how: 'ended', code: 0, stdout, stderr: '' }));
        assert.equal(await engine.facts(OPTIONS), undefined);
        for (const ask of [() => engine.find(IMAGE, OPTIONS), () => engine.list(OPTIONS)]) {
          await ask().catch((error: unknown) => assert.ok(error instanceof EngineError));
        }
      });
    }
  }
});
