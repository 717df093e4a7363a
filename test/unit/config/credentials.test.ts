import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Credentials } from '../../../src/config/connection.ts';
import {
  type DockerLogin,
  dockerServerAddress,
  findDockerLogin,
  parseDockerConfig,
} from '../../../src/config/docker-config.ts';
import { ConfigError } from '../../../src/config/errors.ts';
import { loadConfig } from '../../../src/config/load.ts';
import type { ReadFile } from '../../../src/config/read-file.ts';
import { configOf, GOOD, problemsOf, type Surroundings } from './loading.ts';

const HOST = 'registry.example.com';
const HUB = 'https://index.docker.io/v1/';
const CANARY = 'canary-8d1c';

function withLogin(credentials: string): string {
  const url = `url: https://${HOST} }`;
  return GOOD.replace(url, `url: https://${HOST}, credentials: ${credentials} }`);
}

async function loginOf(credentials: string, around: Surroundings): Promise<Credentials> {
  const found = (await configOf(withLogin(credentials), around)).upstreams.get(HOST)?.credentials;
  assert.ok(found !== undefined);
  return found;
}

function basic(pair: string): { readonly auth: string } {
  return { auth: Buffer.from(pair).toString('base64') };
}

describe('findDockerLogin', () => {
  const password = { kind: 'password', username: 'ci', password: 's:3' } as const;
  const none = { kind: 'none' } as const;
  const rows: readonly (readonly [string, unknown, DockerLogin, string?])[] = [
    ['user and password', { auths: { [HOST]: basic('ci:s:3') } }, password],
    ['a padded password', { auths: { [HOST]: basic('ci:s:3\0\0') } }, password],
    ['plain members', { auths: { [HOST]: { username: 'ci', password: 's:3' } } }, password],
    [
      'auth before plain members',
      { auths: { [HOST]: { ...basic('ci:s:3'), username: 'x', password: 'y' } } },
      password,
    ],
    [
      'an identity token beside the user of Azure',
      {
        auths: {
          [HOST]: { ...basic('00000000-0000-0000-0000-000000000000:'), identitytoken: 'i' },
        },
      },
      { kind: 'refresh-token', token: 'i' },
    ],
    [
      'a registry token',
      { auths: { [HOST]: { registrytoken: 'r' } } },
      { kind: 'access-token', token: 'r' },
    ],
    [
      'an address of the old form',
      { auths: { [`https://${HOST}/v1/`]: basic('ci:s:3') } },
      password,
    ],
    ['Docker Hub', { auths: { [HUB]: basic('ci:s:3') } }, password, HUB],
    ['Docker Hub under its host', { auths: { 'index.docker.io': basic('ci:s:3') } }, none, HUB],
    ['another port', { auths: { [`${HOST}:5000`]: basic('ci:s:3') } }, none],
    ['a longer host', { auths: { [`${HOST}.evil.example`]: basic('ci:s:3') } }, none],
    ['a shorter host', { auths: { 'example.com': basic('ci:s:3') } }, none],
    ['a host in the path', { auths: { [`https://evil.example/${HOST}`]: basic('ci:s:3') } }, none],
    ['an inherited member', { auths: {} }, none, 'constructor'],
    ['no colon', { auths: { [HOST]: basic('ci') } }, none],
    ['no user', { auths: { [HOST]: basic(':s') } }, none],
    ['no password', { auths: { [HOST]: basic('ci:') } }, none],
    ['a line end in a password', { auths: { [HOST]: basic('ci:a\r\nX: y') } }, none],
    ['an emptied entry', { auths: { [HOST]: {} } }, none],
    ['a list', { auths: [] }, none],
    ['nothing', {}, none],
    [
      'a helper of its own',
      { credHelpers: { [HOST]: 'ecr-login' }, credsStore: 'pass' },
      { kind: 'helper', helper: 'ecr-login' },
    ],
    [
      'the store',
      { credHelpers: { other: 'x' }, credsStore: 'pass' },
      { kind: 'helper', helper: 'pass' },
    ],
    [
      'the store and not the file',
      { credsStore: 'pass', auths: { [HOST]: basic('ci:s:3') } },
      { kind: 'helper', helper: 'pass' },
    ],
    [
      'an empty helper, which is the file',
      { credHelpers: { [HOST]: '' }, credsStore: 'pass', auths: { [HOST]: basic('ci:s:3') } },
      password,
    ],
    ['a helper with a path', { credHelpers: { [HOST]: '../evil' } }, none],
    ['a store with a space', { credsStore: 'pass -x' }, none],
  ];
  for (const [name, config, expected, server = HOST] of rows) {
    it(`finds what Docker finds: ${name}`, () => {
      const parsed = parseDockerConfig(JSON.stringify(config));
      assert.ok(parsed.ok);
      assert.deepEqual(findDockerLogin(parsed.value, server), expected);
    });
  }

  it('calls servers as docker login does', () => {
    const of = (url: string): string => dockerServerAddress(new URL(url));
    assert.equal(of('https://registry-1.docker.io'), HUB);
    assert.equal(of(`https://${HOST}/prefix`), HOST);
    assert.equal(of(`https://${HOST}:5000`), `${HOST}:5000`);
    assert.equal(of('https://registry-1.docker.io:5000'), 'registry-1.docker.io:5000');
  });

  for (const text of ['', '[]', '{"auths":', 'null']) {
    it(`does not take ${JSON.stringify(text)} for a configuration`, () => {
      assert.equal(parseDockerConfig(text).ok, false);
    });
  }
});

describe('credentials: kinds', () => {
  const readable = [
    ['username: ci, passwordFile: /run/secret', 'password'],
    ['tokenFile: /run/secret', 'access-token'],
    ['refreshTokenFile: /run/secret', 'refresh-token'],
  ] as const;
  for (const [yaml, kind] of readable) {
    it(`reads ${yaml} anew at every use`, async () => {
      let text = 'first\n';
      const read: ReadFile = async (path) =>
        Buffer.from(path === '/run/secret' ? text : withLogin(`{ ${yaml} }`));
      const { config } = await loadConfig('/etc/pinnace.yaml', { env: {}, readFile: read });
      const credentials = config.upstreams.get(HOST)?.credentials;
      assert.ok(credentials?.kind === kind);
      const now = 'password' in credentials ? credentials.password : credentials.token;
      assert.equal(await now(), 'first');
      text = 'second';
      assert.equal(await now(), 'second');
      text = '';
      await assert.rejects(now, ConfigError);
    });
  }

  it('reads a Docker configuration anew at every use', async () => {
    let text = JSON.stringify({ auths: { [HOST]: basic('ci:one') } });
    const read: ReadFile = async (path) =>
      Buffer.from(path === '/d.json' ? text : withLogin('{ dockerConfig: /d.json }'));
    const { config } = await loadConfig('/etc/pinnace.yaml', { env: {}, readFile: read });
    const credentials = config.upstreams.get(HOST)?.credentials;
    assert.ok(credentials?.kind === 'docker-config');
    assert.deepEqual(await credentials.login(), {
      kind: 'password',
      username: 'ci',
      password: 'one',
    });
    text = JSON.stringify({ credsStore: 'pass' });
    assert.deepEqual(await credentials.login(), { kind: 'helper', helper: 'pass' });
    text = `{"auths": ${CANARY}`;
    await assert.rejects(credentials.login, (error: Error) => {
      assert.ok(error instanceof ConfigError);
      assert.equal(error.message.includes(CANARY), false);
      return true;
    });
  });

  it('takes a password from the environment, where no printed configuration shows it', async () => {
    const around = { env: { HUB: CANARY } };
    const credentials = await loginOf('{ username: ci, passwordEnv: HUB }', around);
    assert.ok(credentials.kind === 'password');
    assert.equal(await credentials.password(), CANARY);
    assert.equal(JSON.stringify(credentials).includes(CANARY), false);
  });

  it('gives helpers the variables of the clouds and of the account, and no others', async () => {
    const env = {
      ...{ PATH: '/usr/bin', HOME: '/h', AWS_PROFILE: 'p', AZURE_TENANT_ID: 't', GOOGLE_X: 'g' },
      ...{ HUB: CANARY, LD_PRELOAD: '/x.so', NODE_OPTIONS: '--x', XAWS_Y: 'n' },
    };
    const credentials = await loginOf('{ helper: ecr-login }', { env });
    assert.ok(credentials.kind === 'helper');
    assert.equal(credentials.helper, 'ecr-login');
    assert.deepEqual(Object.keys(credentials.helperEnvironment()).sort(), [
      ...['AWS_PROFILE', 'AZURE_TENANT_ID', 'GOOGLE_X', 'HOME', 'PATH'],
    ]);
    assert.equal(JSON.stringify(credentials).includes('AWS_PROFILE'), false);
  });
});

describe('credentials: problems', () => {
  const files = {
    '/t': 'token\n',
    '/two': 'a\nb\n',
    '/space': 'a b\n',
    '/no.json': `not json ${CANARY}`,
    '/empty.json': '{"auths":{"elsewhere.example":{"auth":"YTpi"}}}',
  };
  const rows: readonly (readonly [string, string, string])[] = [
    ['{ }', '', 'says nowhere where the password is'],
    ['{ username: ci }', '', 'says nowhere where the password is'],
    ['{ passwordFile: /t }', '.username', 'is missing'],
    ['{ username: ci, tokenFile: /t }', '.username', 'has no meaning beside tokenFile'],
    ['{ username: ci, helper: x }', '.username', 'has no meaning beside helper'],
    ['{ helper: x, tokenFile: /t }', '', 'has helper and tokenFile'],
    ['{ helper: /usr/bin/x }', '.helper', 'is not the bare name of a credential helper'],
    ['{ helper: "x y" }', '.helper', 'is not the bare name of a credential helper'],
    ['{ helper: "" }', '.helper', 'is not the bare name of a credential helper'],
    ['{ tokenFile: /gone }', '.tokenFile', 'the file /gone does not exist'],
    ['{ tokenFile: /two }', '.tokenFile', 'the file /two has more than one line'],
    ['{ tokenFile: /space }', '.tokenFile', 'the file /space is not a token'],
    [`{ tokenFile: ${CANARY} }`, '.tokenFile', 'the file named here does not exist'],
    ['{ refreshTokenFile: /space }', '.refreshTokenFile', 'the file /space is not a token'],
    [
      '{ dockerConfig: /no.json }',
      '.dockerConfig',
      'the file /no.json is not a Docker configuration in JSON',
    ],
    [
      '{ dockerConfig: /empty.json }',
      '.dockerConfig',
      `the file /empty.json has no login for ${HOST}`,
    ],
  ];
  for (const [yaml, path, problem] of rows) {
    it(`stops the start: ${yaml}`, async () => {
      const problems = await problemsOf(withLogin(yaml), { files });
      assert.equal(problems[0]?.path, `upstreams["${HOST}"].credentials${path}`);
      assert.equal(problems[0]?.problem, problem);
      assert.equal(problems.length, 1);
      assert.equal(JSON.stringify(problems).includes(CANARY), false);
    });
  }

  it('says the same of the login of a trust source', async () => {
    const trust = 'url: https://notary.example.com\n';
    const login = '    credentials: { dockerConfig: /empty.json }\n';
    const problems = await problemsOf(GOOD.replace(trust, trust + login), { files });
    assert.equal(problems[0]?.path, 'trust.corp.credentials.dockerConfig');
    assert.match(problems[0]?.problem ?? '', /no login for notary\.example\.com$/);
  });
});
