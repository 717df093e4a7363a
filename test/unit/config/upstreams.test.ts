import assert from 'node:assert/strict';
import { it } from 'node:test';
import { optionsOf } from '../../../src/app/upstream-options.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { configOf, GOOD, load } from './loading.ts';
import { type ProblemCase, testProblems } from './problem-cases.ts';

const HOST = 'registry.example.com';
const PATH = `upstreams["${HOST}"]`;
const URL = `{ url: https://${HOST} }`;

function upstream(more: string): [string, string] {
  return [URL, `{ url: https://${HOST}, ${more} }`];
}

it('the limits of an upstream have defaults that leave room', async () => {
  const config = (await configOf(GOOD)).upstreams.get(HOST);
  assert.deepEqual(config?.limits, { connections: 256, requests: 256, queue: 1024, minRate: 4096 });
  assert.deepEqual(config?.breaker, { failures: 10, openMs: 15_000 });
  assert.deepEqual(config?.fallbacks, []);
});

it('a fallback has what is written for it, and nothing of the upstream that says who asks', async () => {
  const yaml = GOOD.replace(
    URL,
    `
    url: https://${HOST}
    credentials: { username: main, passwordEnv: MAIN }
    proxy: http://proxy.example.com:3128
    timeouts: { headers: 5s }
    limits: { requests: 3, queue: 0, connections: 2 }
    breaker: { failures: 0, open: 1m }
    fallbacks:
      - url: https://one.example.com/hub/
        credentials: { username: one, passwordEnv: ONE }
      - url: https://two.example.com`,
  );
  const env = { MAIN: 'm', ONE: 'o', HTTPS_PROXY: 'http://env.example.com' };
  const found = (await configOf(yaml, { env })).upstreams.get(HOST);
  assert.ok(found !== undefined);
  const { fallbacks = [], ...main } = optionsOf(found, new FakeClock());
  const shared = {
    timeouts: { connectMs: 10_000, headersMs: 5_000, bodyIdleMs: 30_000 },
    maxConnections: 2,
    breaker: { failures: 0, openMs: 60_000 },
    limits: { connections: 2, requests: 3, queue: 0, minRate: 4096 },
    minRate: 4096,
  };
  for (const server of [main, ...fallbacks]) {
    const { timeouts, maxConnections, breaker, limits, minRate } = server;
    assert.deepEqual({ timeouts, maxConnections, breaker, limits, minRate }, shared);
  }
  assert.deepEqual(
    fallbacks.map(({ url }) => url),
    ['https://one.example.com/hub', 'https://two.example.com'],
  );
  const logins = [main, ...fallbacks].map(async ({ credentials }) => await credentials?.read(''));
  assert.deepEqual(await Promise.all(logins), [
    { kind: 'password', username: 'main', password: 'm' },
    { kind: 'password', username: 'one', password: 'o' },
    undefined,
  ]);
  assert.equal(main.proxy?.httpsProxy, 'http://proxy.example.com:3128');
  assert.equal(fallbacks[1]?.proxy?.httpsProxy, 'http://env.example.com');
});

const CASES: readonly ProblemCase[] = [
  {
    name: 'a fallback as plain text',
    change: upstream('fallbacks: [https://mirror.example.com]'),
    paths: [`${PATH}.fallbacks[0]`],
  },
  {
    name: 'a fallback without URL',
    change: upstream('fallbacks: [{ proxy: http://p.example }]'),
    paths: [`${PATH}.fallbacks[0].url`],
  },
  {
    name: 'the upstream as its own fallback',
    change: upstream(`fallbacks: [{ url: "https://${HOST}/" }]`),
    paths: [`${PATH}.fallbacks[0].url`],
    fix: 'remove it',
  },
  {
    name: 'a fallback twice',
    change: upstream('fallbacks: [{ url: https://a.example }, { url: https://a.example }]'),
    paths: [`${PATH}.fallbacks[1].url`],
  },
  {
    name: 'a fallback with a login over plain http',
    change: upstream('fallbacks: [{ url: http://a.example, credentials: { helper: x } }]'),
    paths: [`${PATH}.fallbacks[0].url`],
    fix: 'https',
  },
  {
    name: 'a login of a fallback in two forms',
    change: upstream(
      'fallbacks: [{ url: https://a.example, credentials: { helper: x, tokenFile: y } }]',
    ),
    paths: [`${PATH}.fallbacks[0].credentials`, `${PATH}.fallbacks[0].credentials.tokenFile`],
  },
  {
    name: 'nine fallbacks',
    change: upstream(
      `fallbacks: [${Array.from({ length: 9 }, (_, n) => `{ url: https://${n}.example }`).join(', ')}]`,
    ),
    paths: [`${PATH}.fallbacks`],
  },
  {
    name: 'limits of a fallback',
    change: upstream('fallbacks: [{ url: https://a.example, limits: {} }]'),
    paths: [`${PATH}.fallbacks[0].limits`],
  },
  {
    name: 'no request at all',
    change: upstream('limits: { requests: 0 }'),
    paths: [`${PATH}.limits.requests`],
  },
  {
    name: 'too many connections',
    change: upstream('limits: { connections: 1000000 }'),
    paths: [`${PATH}.limits.connections`],
  },
  {
    name: 'half a request',
    change: upstream('limits: { queue: 1.5 }'),
    paths: [`${PATH}.limits.queue`],
    fix: 'digits',
  },
  {
    name: 'a number in quotes',
    change: upstream('limits: { queue: "5" }'),
    paths: [`${PATH}.limits.queue`],
    fix: 'without quotes',
  },
  {
    name: 'a rest without unit',
    change: upstream('breaker: { open: 30 }'),
    paths: [`${PATH}.breaker.open`],
    fix: 'write 30s',
  },
  {
    name: 'a negative number of failures',
    change: upstream('breaker: { failures: -1 }'),
    paths: [`${PATH}.breaker.failures`],
  },
];

testProblems(CASES);

it('a fallback over plain http without a login is no cause for a warning: it gives only what a digest names', async () => {
  const yaml = GOOD.replace(...upstream('fallbacks: [{ url: http://a.example }]'));
  const { config, warnings } = await load(yaml);
  assert.equal(config.upstreams.get(HOST)?.fallbacks.length, 1);
  assert.deepEqual(warnings, []);
});
