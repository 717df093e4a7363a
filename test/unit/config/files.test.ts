import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError } from '../../../src/config/errors.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { configOf, GOOD, notaryOf, problemsOf, warningPaths } from './loading.ts';
import { CERT_A, CERT_B, KEY_A, KEY_A_ENCRYPTED } from './pem-samples.ts';

const IN_FORCE = new FakeClock('2030-01-01T00:00:00Z');
const UPSTREAM = '{ url: https://registry.example.com }';
const LISTENER = 'registry: { address: 127.0.0.1:5000 }';
const TLS = 'registry: { address: 127.0.0.1:5000, tls: { cert: tls.crt, key: /keys/tls.key } }';

function withUpstream(extra: string): string {
  return GOOD.replace(UPSTREAM, `{ url: https://registry.example.com, ${extra} }`);
}

test('files are read, relative to the configuration, and handed out as texts', async () => {
  const config = await configOf(GOOD.replace(LISTENER, TLS), {
    files: { '/etc/pinnace/tls.crt': CERT_A, '/keys/tls.key': KEY_A },
    clock: IN_FORCE,
  });
  assert.deepEqual(config.listeners[0]?.tls, { cert: CERT_A, key: KEY_A });
});

const BAD_FILES = [
  { name: 'missing', cert: undefined, key: KEY_A, path: 'cert' },
  { name: 'not PEM', cert: 'hello', key: KEY_A, path: 'cert' },
  { name: 'damaged', cert: CERT_A.replace('M', '!'), key: KEY_A, path: 'cert' },
  {
    name: 'truncated',
    cert: `${CERT_A.slice(0, 90)}\n-----END CERTIFICATE-----\n`,
    key: KEY_A,
    path: 'cert',
  },
  { name: 'with a key in it', cert: `${CERT_A}${KEY_A}`, key: KEY_A, path: 'cert' },
  { name: 'key is a certificate', cert: CERT_A, key: CERT_A, path: 'key' },
  { name: 'key is encrypted', cert: CERT_A, key: KEY_A_ENCRYPTED, path: 'key' },
  { name: 'key of another certificate', cert: CERT_B, key: KEY_A, path: 'key' },
  { name: 'too large', cert: CERT_A, key: `${KEY_A}${'\n'.repeat(1024 * 1024)}`, path: 'key' },
];

for (const { name, cert, key, path } of BAD_FILES) {
  test(`refused: certificate or key ${name}`, async () => {
    const files = {
      ...(cert === undefined ? {} : { '/etc/pinnace/tls.crt': cert }),
      '/keys/tls.key': key,
    };
    const problems = await problemsOf(GOOD.replace(LISTENER, TLS), { files, clock: IN_FORCE });
    assert.deepEqual(
      problems.map((problem) => problem.path),
      [`listeners.registry.tls.${path}`],
    );
  });
}

const DATES = [
  { at: '2010-01-01T00:00:00Z', warned: true },
  { at: '2030-01-01T00:00:00Z', warned: false },
  { at: '2200-01-01T00:00:00Z', warned: true },
];

for (const { at, warned } of DATES) {
  test(`a certificate looked at in ${at.slice(0, 4)} ${warned ? 'is a warning' : 'is fine'}`, async () => {
    const paths = await warningPaths(withUpstream('ca: ca.pem'), {
      files: { '/etc/pinnace/ca.pem': `${CERT_A}${CERT_B}` },
      clock: new FakeClock(at),
    });
    const path = 'upstreams["registry.example.com"].ca';
    assert.deepEqual(paths, warned ? [path, path] : []);
  });
}

for (const text of ['', '\n', 'two\nlines\n']) {
  test(`refused: password file ${JSON.stringify(text)}`, async () => {
    const problems = await problemsOf(
      withUpstream('credentials: { username: ci, passwordFile: /run/secret }'),
      { files: { '/run/secret': text } },
    );
    assert.equal(problems[0]?.path, 'upstreams["registry.example.com"].credentials.passwordFile');
    assert.equal(problems.length, 1);
  });
}

test('anchors carry the texts of their files', async () => {
  const yaml = GOOD.replace(
    '- { gun: "registry.example.com/**", trustOnFirstUse: true }',
    `- { gun: "registry.example.com/a/**", ca: a.pem }
      - { gun: "registry.example.com/b/**", rootCertificates: [a.pem, b.pem] }`,
  );
  const config = await configOf(yaml, {
    files: { '/etc/pinnace/a.pem': CERT_A, '/etc/pinnace/b.pem': CERT_B },
    clock: IN_FORCE,
  });
  assert.deepEqual(
    notaryOf(config)?.anchors.map((anchor) => [anchor.pattern.text, anchor.belief]),
    [
      ['registry.example.com/a/**', { kind: 'ca', certificates: CERT_A }],
      ['registry.example.com/b/**', { kind: 'root-certificates', certificates: [CERT_A, CERT_B] }],
    ],
  );
});

test('without checkFiles neither files nor variables are looked at', async () => {
  const yaml = withUpstream('ca: /nope, credentials: { username: ci, passwordEnv: NOPE }');
  const config = await configOf(yaml, { checkFiles: false });
  assert.equal(config.upstreams.get('registry.example.com')?.ca, '');
});

test('from disk: a folder and a missing file are problems, not crashes', async () => {
  for (const path of [import.meta.dirname, `${import.meta.dirname}/nope.yaml`]) {
    await assert.rejects(loadConfig(path, { env: {} }), ConfigError);
  }
});
