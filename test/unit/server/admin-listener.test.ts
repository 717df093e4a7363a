import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Log } from '../../../src/observe/log.ts';
import { Metrics } from '../../../src/observe/metrics.ts';
import { AdminListener, type RefreshResult } from '../../../src/server/admin-listener.ts';
import type { PassedQuestion } from '../../../src/server/admin-request.ts';
import type { StatusReport } from '../../../src/server/status-report.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { ask } from '../../support/registry-under-test.ts';

const REPORT: StatusReport = {
  version: '0.1.0',
  startedAt: '2026-11-22T00:00:00Z',
  isReady: true,
  rulesInAudit: ['docker.io/<b>/**'],
  breakGlass: [
    {
      image: 'docker.io/library/<i>:1',
      digest: `sha256:${'1'.repeat(64)}`,
      approvedBy: '<u>Ann</u>',
      reason: '<script>1</script>',
      until: '2026-11-24T00:00:00Z',
    },
  ],
  repositories: [
    {
      repository: 'docker.io/library/alpine',
      rule: 'docker.io/library/**',
      trust: 'corp',
      admission: 'first-use',
      checkedAt: '2026-11-22T23:59:30Z',
      roles: [
        { role: 'root', version: 1, expiresAt: '2030-01-01T00:00:00Z' },
        { role: 'timestamp', version: 77, expiresAt: '2026-11-24T12:00:00Z' },
      ],
      lastRefusals: [
        {
          at: Date.parse('2026-11-22T23:00:00Z'),
          reference: 'edge',
          reason: 'tag_not_signed',
          message: 'pinnace refused <script>alert(1)</script>',
          decision: 'abc-1',
        },
      ],
    },
    {
      repository: 'registry.example.com/old',
      rule: 'registry.example.com/**',
      trust: 'corp',
      roles: [{ role: 'targets', version: 3, expiresAt: '2026-11-20T00:00:00Z' }],
      graceEndsAt: '2026-11-23T00:30:00Z',
      lastError: 'the trust server "x" <is> away & silent',
      lastRefusals: [],
    },
    { repository: 'registry.example.com/scratch', roles: [], lastRefusals: [] },
  ],
  upstreams: [
    {
      ...{ name: 'docker.io', server: 'registry-1.docker.io', breaker: 'open' },
      triedAgainAt: '2026-11-23T00:02:00Z',
      ...{ requestsInFlight: 3, requestsQueued: 7 },
    },
    {
      ...{ name: 'docker.io (mirror.example.com/<b>)', server: 'mirror.example.com' },
      ...{ breaker: 'half-open', requestsInFlight: 1, requestsQueued: 0 },
    },
  ],
  limits: [
    { limit: 'requests', most: 4096, taken: 4096, waiting: 3, turnedAway: 12 },
    { limit: 'blobs', most: 64, taken: 52, waiting: 0, turnedAway: 0 },
    { limit: 'connections', most: 10_000, taken: 17, waiting: 0, turnedAway: 0 },
  ],
  suspectedBypasses: [
    {
      at: Date.parse('2026-11-22T22:00:00Z'),
      client: '10.1.2.3<b>',
      listener: 'hub<b>',
      repository: 'docker.io/library/<b>',
      refusedTag: 'edge<b>',
      reason: 'tag_not_signed',
      digest: `sha256:${'d'.repeat(64)}<b>`,
    },
  ],
};

const DIGEST = `sha256:${'d'.repeat(64)}`;

describe('the admin listener', () => {
  const metrics = new Metrics({ version: '0.1.0' });
  const lines: string[] = [];
  const refreshes: (string | undefined)[] = [];
  const questions: PassedQuestion[] = [];
  let isReady = true;
  let refresh: () => Promise<RefreshResult | undefined>;
  const admin = new AdminListener({
    host: '127.0.0.1',
    port: 0,
    clock: new FakeClock(),
    log: new Log({ write: (line) => lines.push(line) }),
    ports: {
      metrics,
      status: () => REPORT,
      isReady: () => isReady,
      refresh: async (repository) => {
        refreshes.push(repository);
        return await refresh();
      },
      passed: async (question) => {
        questions.push(question);
        const passed = [{ digest: DIGEST, repositories: ['docker.io/library/alpine'] }];
        return { since: '2026-01-01T00:00:00.000Z', passed, unverified: [] };
      },
    },
  });
  let port = 0;
  const get = (path: string, options = {}) => ask(port, path, options);
  const post = (body: string, headers = {}) =>
    ask(port, '/api/v1/refresh', { method: 'POST', body, headers });
  const asksPassed = (body: string, headers = {}) =>
    ask(port, '/api/v1/passed', { method: 'POST', body, headers });

  before(async () => {
    ({ port } = await admin.start());
    refresh = async () => ({ refreshed: ['docker.io/library/alpine'], failed: [] });
  });
  after(async () => {
    await admin.stop({ drainMs: 0 });
    metrics.stop();
  });

  it('says that it lives, and whether it is ready', async () => {
    assert.equal((await get('/healthz')).status, 200);
    assert.equal((await get('/readyz')).status, 200);
    isReady = false;
    assert.equal((await get('/readyz')).status, 503);
    assert.equal((await get('/healthz')).status, 200);
    isReady = true;
  });

  it('exports the metrics', async () => {
    const answer = await get('/metrics');
    assert.equal(answer.status, 200);
    assert.match(answer.headers['content-type'] ?? '', /^text\/plain; version=0\.0\.4/);
    assert.match(answer.body.toString(), /^pinnace_build_info\{version="0\.1\.0",node="v/m);
    assert.match(answer.body.toString(), /^process_resident_memory_bytes /m);
  });

  it('gives the status as JSON', async () => {
    const answer = await get('/api/v1/status');
    assert.equal(answer.headers['content-type'], 'application/json');
    assert.deepEqual(JSON.parse(answer.body.toString()), REPORT);
  });

  it('shows a page: nearest failure first, nothing unescaped, no script', async () => {
    const answer = await get('/');
    const page = answer.body.toString();
    assert.match(answer.headers['content-type'] ?? '', /^text\/html/);
    assert.ok(!page.includes('<script'));
    assert.ok(page.includes('&lt;script&gt;'));
    assert.ok(page.includes('&lt;is&gt; away &amp; silent'));
    const order = ['3 d ago', 'in 30 min', 'in 1 d 12 h'];
    const places = order.map((text) => page.indexOf(`>${text}<`));
    assert.ok(
      places.every((place) => place > 0),
      places.join(),
    );
    assert.deepEqual(
      places,
      places.toSorted((a, b) => a - b),
    );
    assert.match(
      String(answer.headers['content-security-policy']),
      /^default-src 'none'; style-src 'sha256-/,
    );
  });

  it('shows on the page which limits are reached, and which are near', async () => {
    const page = (await get('/')).body.toString();
    assert.match(page, /requests<\/code><\/td>\s*<td class="bad">4096 of 4096<\/td><td>3 waiting/);
    assert.match(page, /<td class="soon">12 turned away/);
    assert.match(page, /blobs<\/code><\/td>\s*<td class="soon">52 of 64/);
    assert.match(page, /connections<\/code><\/td>\s*<td class="">17 of 10000/);
  });

  it('lists suspected bypasses on the page, with the address, nothing unescaped', async () => {
    const page = (await get('/')).body.toString();
    const escaped = [
      '2026-11-22T22:00:00.000Z',
      '10.1.2.3&lt;b&gt;',
      'hub&lt;b&gt;',
      'docker.io/library/&lt;b&gt;:edge&lt;b&gt;',
      'tag_not_signed',
      `sha256:${'d'.repeat(64)}&lt;b&gt;`,
    ];
    for (const text of escaped) assert.ok(page.includes(text), text);
    assert.ok(!page.includes('<b>'));
  });

  it('sends security headers with every answer', async () => {
    for (const path of ['/', '/metrics', '/nothing', '/api/v1/status']) {
      const { headers } = await get(path);
      assert.equal(headers['x-content-type-options'], 'nosniff');
      assert.equal(headers['x-frame-options'], 'DENY');
      assert.equal(headers['cache-control'], 'no-store');
      assert.match(String(headers['content-security-policy']), /default-src 'none'/);
    }
  });

  it('answers unknown paths with 404 and wrong methods with 405, in JSON', async () => {
    const unknown = await get('/v2/');
    assert.equal(unknown.status, 404);
    assert.equal(JSON.parse(unknown.body.toString()).error, 'not_found');
    assert.equal((await get('/metrics', { method: 'POST' })).headers['allow'], 'GET, HEAD');
    assert.equal((await get('/api/v1/refresh')).headers['allow'], 'POST');
  });

  it('refreshes one repository or all', async () => {
    refreshes.length = 0;
    const one = await post('{"repository":"docker.io/library/alpine"}');
    assert.equal(one.status, 200);
    assert.deepEqual(JSON.parse(one.body.toString()).refreshed, ['docker.io/library/alpine']);
    assert.equal((await post('{}')).status, 200);
    assert.equal((await post('')).status, 200);
    assert.deepEqual(refreshes, ['docker.io/library/alpine', undefined, undefined]);
  });

  it('tells failures and unknown repositories', async () => {
    const working = refresh;
    refresh = async () => ({
      refreshed: [],
      failed: [{ repository: 'a/b', reason: 'trust_server_unreachable' }],
    });
    assert.equal((await post('{}')).status, 502);
    refresh = async () => undefined;
    assert.equal((await post('{"repository":"x/y"}')).status, 404);
    refresh = async () => {
      throw new Error('broken');
    };
    assert.equal((await post('{}')).status, 500);
    assert.ok(lines.some((line) => line.includes('admin.failed')));
    refresh = working;
  });

  const bad: readonly (readonly [string, string, number])[] = [
    ['no JSON', '{', 400],
    ['a list', '[]', 400],
    ['null', 'null', 400],
    ['a number for a name', '{"repository":1}', 400],
    ['an unknown member', '{"repo":"x"}', 400],
    ['an inherited member', '{"__proto__":{"repository":"x"}}', 400],
    ['a long name', `{"repository":"${'x'.repeat(600)}"}`, 400],
    ['a long body', `{"repository":"${'x'.repeat(6000)}"}`, 413],
  ];
  for (const [name, body, status] of bad) {
    it(`refuses a refresh with ${name}`, async () => {
      refreshes.length = 0;
      assert.equal((await post(body)).status, status);
      assert.deepEqual(refreshes, []);
    });
  }

  it('says what is on record of digests', async () => {
    questions.length = 0;
    const repositories = ['docker.io/library/alpine', 'not a repository'];
    const answer = await asksPassed(JSON.stringify({ digests: [DIGEST, DIGEST], repositories }));
    assert.equal(answer.status, 200);
    assert.deepEqual(JSON.parse(answer.body.toString()).passed, [
      { digest: DIGEST, repositories: ['docker.io/library/alpine'] },
    ]);
    assert.deepEqual(questions, [{ digests: new Set([DIGEST]), repositories }]);
    assert.equal((await get('/api/v1/passed')).headers['allow'], 'POST');
    const most = { digests: Array.from({ length: 1_000 }, () => 'x'.repeat(512)) };
    assert.equal((await asksPassed(JSON.stringify(most))).status, 200);
    const foreign = await asksPassed('{"digests":[]}', { Origin: 'https://evil.example' });
    assert.equal(foreign.status, 403);
  });

  const badQuestions: readonly (readonly [string, string, number])[] = [
    ['no body', '', 400],
    ['no JSON', '{', 400],
    ['no digests', '{}', 400],
    ['a text for digests', '{"digests":"x"}', 400],
    ['a number among digests', '{"digests":[1]}', 400],
    ['a number among repositories', '{"digests":[],"repositories":[1]}', 400],
    ['an unknown member', '{"digests":[],"more":1}', 400],
    ['a long digest', `{"digests":["${'x'.repeat(513)}"]}`, 400],
    ['too many digests', JSON.stringify({ digests: Array(1_001).fill('x') }), 400],
    ['a long body', `{"digests":["${'x'.repeat(1_100_000)}"]}`, 413],
  ];
  for (const [name, body, status] of badQuestions) {
    it(`does not answer a question with ${name}`, async () => {
      questions.length = 0;
      assert.equal((await asksPassed(body)).status, status);
      assert.deepEqual(questions, []);
    });
  }

  it('refuses refreshes that a foreign page makes a browser send', async () => {
    refreshes.length = 0;
    const own = `127.0.0.1:${port}`;
    const rows: readonly (readonly [Record<string, string>, number])[] = [
      [{ Origin: 'https://evil.example' }, 403],
      [{ Origin: 'null' }, 403],
      [{ 'Sec-Fetch-Site': 'cross-site' }, 403],
      [{ 'Sec-Fetch-Site': 'same-site' }, 403],
      [{ Origin: `http://rebound.example:${port}`, Host: `rebound.example:${port}` }, 403],
      [{ Origin: `http://${own}` }, 200],
      [{ Origin: `http://${own}`, 'Sec-Fetch-Site': 'same-origin' }, 200],
      [{}, 200],
    ];
    for (const [headers, status] of rows) {
      assert.equal((await post('{}', headers)).status, status, JSON.stringify(headers));
    }
    assert.equal(refreshes.length, 3);
  });
});
