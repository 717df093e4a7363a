import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compilePolicy } from '../../../src/policy/policy.ts';
import { configOf, GOOD, notaryOf, warningPaths } from './loading.ts';

test('defaults are filled in, units become milliseconds and bytes', async () => {
  const config = await configOf(GOOD);
  assert.deepEqual(config.admin.address, { host: '127.0.0.1', port: 9090 });
  assert.deepEqual(config.cache, { maxBytes: 50 * 2 ** 30, maxManifestBytes: 64 * 2 ** 20 });
  assert.deepEqual(config.limits, {
    manifestBytes: 4 * 2 ** 20,
    drainTimeoutMs: 30_000,
    connections: 10_000,
    requests: 4096,
    queue: 4096,
    queueTimeoutMs: 4_000,
    blobs: 64,
    bufferedBytes: 64 * 2 ** 20,
    blobQueueTimeoutMs: 25_000,
    idleTimeoutMs: 600_000,
    minRate: 1024,
  });
  assert.equal(config.log.level, 'info');
  assert.equal(config.state.kind, 'sqlite');
  assert.equal(config.listeners[0]?.refusal, 'deny');
  const trust = notaryOf(config);
  assert.equal(trust?.maxAgeMs, 60_000);
  assert.equal(trust?.outageGraceMs, 3_600_000);
  assert.equal(trust?.clockSkewMs, 0);
  assert.equal(trust?.trustOnFirstUse, false);
  assert.equal(trust?.rsaPkcs1v15, false);
  assert.equal(trust?.codeSigningChains, false);
  assert.deepEqual(config.upstreams.get('registry.example.com')?.timeouts, {
    connectMs: 10_000,
    headersMs: 30_000,
    idleMs: 30_000,
  });
});

test('images are completed first only where that is asked for, of the platforms that are named', async () => {
  const listener = async (more: string): Promise<unknown> => {
    const text = GOOD.replace('127.0.0.1:5000 }', `127.0.0.1:5000, refusal: hard-stop, ${more} }`);
    const { completeFirst, completion } = (await configOf(text)).listeners[0] ?? {};
    return { completeFirst, ...completion };
  };
  assert.deepEqual(await listener('completeWithin: 5s'), {
    ...{ completeFirst: false, platforms: [], withinMs: 5_000 },
  });
  assert.deepEqual(await listener('completeFirst: true'), {
    ...{ completeFirst: true, platforms: [], withinMs: 25_000 },
  });
  assert.deepEqual(
    await listener(
      'completeFirst: true, completePlatforms: [linux/amd64, linux/arm/v7], completeWithin: 2m',
    ),
    {
      completeFirst: true,
      platforms: [
        { os: 'linux', architecture: 'amd64' },
        { os: 'linux', architecture: 'arm', variant: 'v7' },
      ],
      withinMs: 120_000,
    },
  );
});

test('maxAge 0s asks at every pull', async () => {
  const config = await configOf(GOOD.replace('kind: notary', 'kind: notary\n    maxAge: 0s'));
  assert.equal(config.trust.get('corp')?.maxAgeMs, 0);
});

test('URLs lose the slash at their end, the data folder is absolute', async () => {
  const config = await configOf(
    GOOD.replace('notary.example.com', 'notary.example.com/sub//').replace('/var/lib/', 'rel/'),
  );
  assert.equal(notaryOf(config)?.url, 'https://notary.example.com/sub');
  assert.equal(config.upstreams.get('registry.example.com')?.url, 'https://registry.example.com');
  assert.equal(config.dataFolder, '/etc/pinnace/rel/pinnace');
});

test('rules are what the policy compiles', async () => {
  const config = await configOf(
    GOOD.replace(
      'trust: corp }',
      'trust: corp, signers: [alice, bob] }\n  - { match: "registry.example.com/tmp/*", allowUnverified: true, reason: builds }',
    ),
  );
  assert.deepEqual(config.rules, [
    {
      match: 'registry.example.com/**',
      requirement: { kind: 'verified', source: 'corp', signers: ['alice', 'bob'] },
    },
    {
      match: 'registry.example.com/tmp/*',
      requirement: { kind: 'unverified', reason: 'builds' },
    },
  ]);
  assert.doesNotThrow(() => compilePolicy(config.rules));
});

test('addresses are taken apart', async () => {
  const config = await configOf(GOOD.replace('127.0.0.1:5000', '"[::1]:0"'));
  assert.deepEqual(config.listeners[0]?.address, { host: '::1', port: 0 });
});

test('an upstream has its own proxy, or that of the environment', async () => {
  const env = {
    HTTPS_PROXY: 'http://env:1',
    https_proxy: 'http://lower:1',
    NO_PROXY: 'a',
    HTTP_PROXY: '',
  };
  const fromEnv = await configOf(GOOD, { env });
  const expected = { httpsProxy: 'http://lower:1', noProxy: 'a' };
  assert.deepEqual(fromEnv.upstreams.get('registry.example.com')?.proxy, expected);
  assert.deepEqual(notaryOf(fromEnv)?.proxy, expected);
  const own = await configOf(
    GOOD.replace('registry.example.com }', 'registry.example.com, proxy: "http://own:2/" }'),
    { env },
  );
  assert.deepEqual(own.upstreams.get('registry.example.com')?.proxy, {
    httpProxy: 'http://own:2',
    httpsProxy: 'http://own:2',
  });
});

test('the configuration is frozen all the way down', async () => {
  const config = await configOf(GOOD);
  assert.ok(Object.isFrozen(config));
  assert.ok(Object.isFrozen(config.listeners[0]?.address));
  assert.ok(Object.isFrozen(config.rules[0]?.requirement));
  assert.ok(Object.isFrozen(notaryOf(config)?.anchors[0]?.belief));
  assert.ok(Object.isFrozen(config.upstreams.get('registry.example.com')?.timeouts));
});

const HUB = `${GOOD.replace('  registry.example.com: {', '  docker.io: { url: https://registry-1.docker.io }\n  registry.example.com: {')}  - { match: "docker.io/**", allowUnverified: true, reason: test }\n`;

const WARNINGS = [
  {
    name: 'a mirror of Docker Hub that denies',
    yaml: HUB.replace('5000 }', '5000, defaultRegistry: docker.io }'),
    paths: ['listeners.registry.defaultRegistry'],
  },
  {
    name: 'a mirror of Docker Hub that says deny',
    yaml: HUB.replace('5000 }', '5000, defaultRegistry: docker.io, refusal: deny }'),
    paths: ['listeners.registry.refusal'],
  },
  {
    name: 'none for a mirror that stops hard',
    yaml: HUB.replace('5000 }', '5000, defaultRegistry: docker.io, refusal: hard-stop }'),
    paths: [],
  },
  {
    name: 'whole images first, where refusals of layers are obeyed anyway',
    yaml: GOOD.replace('5000 }', '5000, completeFirst: true }'),
    paths: ['listeners.registry.completeFirst'],
  },
  {
    name: 'none for whole images first on a mirror that stops hard',
    yaml: GOOD.replace('5000 }', '5000, completeFirst: true, refusal: hard-stop }'),
    paths: [],
  },
  {
    name: 'a trust server in plain http on this machine',
    yaml: GOOD.replace('https://notary.example.com', 'http://127.0.0.1:4443'),
    paths: ['trust.corp.url'],
  },
  {
    name: 'an upstream in plain http elsewhere',
    yaml: GOOD.replace('url: https://registry', 'url: http://registry'),
    paths: ['upstreams["registry.example.com"].url'],
  },
  {
    name: 'no anchor can apply to a rule',
    yaml: GOOD.replace(
      'gun: "registry.example.com/**"',
      'gun: "registry.example.com/team/*"',
    ).replace('match: "registry.example.com/**"', 'match: "registry.example.com/other/**"'),
    paths: ['policy[0]'],
  },
  {
    name: 'none when an anchor applies to a part of a rule',
    yaml: GOOD.replace('gun: "registry.example.com/**"', 'gun: "*.example.com/team/*"'),
    paths: [],
  },
  {
    name: 'none when the source trusts on first use',
    yaml: GOOD.replace(
      '    anchors:\n      - { gun: "registry.example.com/**", trustOnFirstUse: true }',
      '    trustOnFirstUse: true',
    ),
    paths: [],
  },
  {
    name: 'rules of equal rank that overlap',
    yaml: `${GOOD}  - { match: "registry.example.com/team-*/a", trust: corp }\n  - { match: "registry.example.com/*-team/a", trust: corp }\n`,
    paths: ['policy'],
  },
  {
    name: 'no rule at all',
    yaml: GOOD.replace(/policy:[\s\S]*/, ''),
    paths: ['policy'],
  },
  {
    name: 'a trust source without a rule',
    yaml: GOOD.replace('trust: corp }', 'allowUnverified: true, reason: test }'),
    paths: ['trust.corp'],
  },
  {
    name: 'an upstream without a rule',
    yaml: GOOD.replace('upstreams:', 'upstreams:\n  quay.io: { url: https://quay.io }'),
    paths: ['upstreams["quay.io"]'],
  },
];

for (const { name, yaml, paths } of WARNINGS) {
  test(`warning: ${name}`, async () => {
    assert.deepEqual(await warningPaths(yaml), paths);
  });
}
