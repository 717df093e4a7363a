import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { sha256Digest } from '../../../src/oci/digest.ts';
import { UpstreamError } from '../../../src/resolve/errors.ts';
import {
  accessTokenCredentials,
  type Credentials,
  passwordCredentials,
  refreshTokenCredentials,
} from '../../../src/upstream/credentials.ts';
import { DockerConfigCredentials } from '../../../src/upstream/docker-config-credentials.ts';
import { silentEvents } from '../../../src/upstream/events.ts';
import { HelperCredentials } from '../../../src/upstream/helper-credentials.ts';
import type { RegistryClient } from '../../../src/upstream/registry-client.ts';
import { temporaryFolder } from '../../support/blob-doubles.ts';
import { CredentialHelpers } from '../../support/credential-helpers.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { buildImage } from '../../support/images.ts';
import { Registry } from '../../support/registry.ts';
import { rejectsWithCode } from '../../support/reject-with-code.ts';
import type { AuthOptions } from '../../support/token-service.ts';
import { challenge, type Handler, json, type Loopback, serve } from './loopback.ts';
import { CONTENT, DIGEST, LIMIT, REPOSITORY } from './registry-fixture.ts';
import { clientOf } from './registry-setup.ts';

const SECRET = 'the-login-of-today';
const AZURE_USER = '00000000-0000-0000-0000-000000000000';

/** A login, and the kind of registry that it is for. */
interface Kind {
  readonly name: string;
  readonly auth: AuthOptions;
  readonly login: (helpers: CredentialHelpers, clock: FakeClock) => Promise<Credentials>;
}

function helperOf(helpers: CredentialHelpers, helper: string, clock: FakeClock): Credentials {
  const { environment } = helpers;
  return new HelperCredentials({ helper, server: 'cloud.example', environment, clock });
}

const KINDS: readonly Kind[] = [
  {
    name: 'the helper of Amazon ECR, by Basic',
    auth: { kind: 'basic', username: 'AWS', password: SECRET },
    async login(helpers, clock) {
      await helpers.writeEcr(SECRET);
      return helperOf(helpers, 'ecr-login', clock);
    },
  },
  {
    name: 'the helper of Google, by the token service',
    auth: {
      kind: 'bearer',
      credentials: { username: '_dcgcr_2_0_0_token', password: SECRET },
    },
    async login(helpers, clock) {
      await helpers.writeGcr(SECRET);
      return helperOf(helpers, 'gcr', clock);
    },
  },
  {
    name: 'an access token of Google as a password',
    auth: { kind: 'bearer', credentials: { username: 'oauth2accesstoken', password: SECRET } },
    login: async () => passwordCredentials('oauth2accesstoken', async () => SECRET),
  },
  {
    name: 'the helper of Azure, by exchange of an identity token',
    auth: { kind: 'bearer', refreshToken: SECRET, tokenField: 'access_token' },
    async login(helpers, clock) {
      await helpers.writeAcr(SECRET);
      return helperOf(helpers, 'acr-env', clock);
    },
  },
  {
    name: 'an identity token of Azure as a password',
    auth: { kind: 'bearer', credentials: { username: AZURE_USER, password: SECRET } },
    login: async () => passwordCredentials(AZURE_USER, async () => SECRET),
  },
  {
    name: 'a refresh token in a file',
    auth: { kind: 'bearer', refreshToken: SECRET, tokenField: 'access_token' },
    login: async () => refreshTokenCredentials(async () => SECRET),
  },
  {
    name: 'a Docker configuration that names a helper',
    auth: { kind: 'basic', username: 'AWS', password: SECRET },
    async login(helpers, clock) {
      await helpers.writeEcr(SECRET);
      const options = { server: 'cloud.example', environment: helpers.environment, clock };
      const look = async () => ({ kind: 'helper', helper: 'ecr-login' }) as const;
      return new DockerConfigCredentials(look, options);
    },
  },
];

async function helpersOf(context: TestContext): Promise<CredentialHelpers> {
  return new CredentialHelpers(join(await temporaryFolder(context), 'bin'));
}

describe('RegistryClient: kinds of login', () => {
  for (const { name, auth, login } of KINDS) {
    it(`pulls with ${name}`, async (t) => {
      const clock = new FakeClock();
      const image = buildImage({ message: 'private' });
      await using registry = await new Registry({ auth }).start();
      registry.push('library/alpine', image, '1');
      const credentials = await login(await helpersOf(t), clock);
      const client = clientOf(t, { url: registry.url, credentials }, { clock });
      const digest = sha256Digest(image.manifest.bytes);
      const fetched = await client.fetchManifest(REPOSITORY, digest, { maxBytes: 10_000 });
      assert.deepEqual(Buffer.from(fetched.bytes), Buffer.from(image.manifest.bytes));
      await client.fetchManifest(REPOSITORY, digest, { maxBytes: 10_000 });
      assert.ok(registry.requestsTo('/token').length <= 1);
      const anonymous = clientOf(t, { url: registry.url });
      const refused = anonymous.fetchManifest(REPOSITORY, digest, { maxBytes: 10_000 });
      await rejectsWithCode(refused, UpstreamError, 'upstream_denied');
    });
  }

  it('sends an access token as it is, to the registry and nobody else', async (t) => {
    const service = await serve(t, (_request, response) => json(response, { token: 'x' }));
    const server = await serve(t, (request, response) => {
      if (request.headers.authorization === `Bearer ${SECRET}`) response.end(CONTENT);
      else challenge(response, `${service.url}/token`);
    });
    const credentials = accessTokenCredentials(async () => SECRET);
    const client = clientOf(t, { url: server.url, credentials });
    await client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
    await client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
    assert.deepEqual(authorizations(server), [undefined, `Bearer ${SECRET}`, `Bearer ${SECRET}`]);
    assert.equal(service.requests.length, 0);
  });

  it('takes up a new access token as soon as the file has it', async (t) => {
    let accepted = 'one';
    const server = await serve(
      t,
      guarded(() => `Bearer ${accepted}`),
    );
    let file = 'one';
    const credentials = accessTokenCredentials(async () => file);
    const client = clientOf(t, { url: server.url, credentials });
    await client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
    accepted = 'two';
    file = 'two';
    await client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
    assert.deepEqual(authorizations(server), [undefined, 'Bearer one', 'Bearer two']);
  });

  for (const token of ['', 'a b', 'a\r\nX: y', 'ä']) {
    it(`does not send ${JSON.stringify(token)} as a token`, async (t) => {
      const server = await serve(
        t,
        guarded(() => 'nothing'),
      );
      const credentials = accessTokenCredentials(async () => token);
      const call = clientOf(t, { url: server.url, credentials });
      const fetching = call.fetchManifest(REPOSITORY, DIGEST, LIMIT);
      await rejectsWithCode(fetching, UpstreamError, 'upstream_denied');
      assert.deepEqual(authorizations(server), [undefined]);
    });
  }
});

describe('RegistryClient: a login that is refused in the middle of use', () => {
  const CROWD = 10;

  it('is made anew once for a crowd, by one run of the helper', async (t) => {
    const clock = new FakeClock();
    const helpers = await helpersOf(t);
    await helpers.writeEcr('one');
    let accepted = basic('AWS:one');
    const server = await serve(
      t,
      guarded(() => accepted),
    );
    const logins: string[] = [];
    const events = { ...silentEvents, login: (_: string, outcome: string) => logins.push(outcome) };
    const credentials = helperOf(helpers, 'ecr-login', clock);
    const client = clientOf(t, { url: server.url, credentials }, { clock, events });
    await client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
    clock.advance(60_000);
    accepted = basic('AWS:two');
    await helpers.writeEcr('two');
    server.requests.length = 0;
    await fetchMany(client, CROWD);
    assert.equal((await helpers.runs('ecr-login')).length, 2);
    const sent = authorizations(server);
    assert.equal(sent.filter((each) => each === basic('AWS:one')).length, CROWD);
    assert.equal(sent.filter((each) => each === basic('AWS:two')).length, CROWD);
    assert.deepEqual(logins, ['ok', 'ok']);
  });

  it('is not taken from those who have a new one already', async (t) => {
    const refusals: string[] = [];
    let current = 'one';
    const credentials: Credentials = {
      read: async () => ({ kind: 'password', username: 'ci', password: current }),
      refused(secret) {
        refusals.push(secret.kind === 'password' ? secret.password : '');
        current = 'two';
      },
    };
    let late: (() => void) | undefined;
    let isRevoked = false;
    const server = await serve(t, (request, response) => {
      const refuse = (): void => {
        response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      };
      const isOld = request.headers.authorization !== basic(`ci:${isRevoked ? 'two' : 'one'}`);
      if (isOld && isRevoked && late === undefined) late = refuse;
      else if (isOld) refuse();
      else response.end(CONTENT);
    });
    const client = clientOf(t, { url: server.url, credentials });
    await client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
    isRevoked = true;
    const slow = client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
    while (late === undefined) await new Promise(setImmediate);
    await client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
    // The answer to the old login comes when the new one is in use.
    late();
    await slow;
    assert.deepEqual(refusals, ['one']);
    assert.equal(server.requests.length, 6);
  });

  it('is given up after one more try when the helper has nothing better', async (t) => {
    const clock = new FakeClock();
    const helpers = await helpersOf(t);
    await helpers.writeEcr('one');
    let accepted = basic('AWS:one');
    const server = await serve(
      t,
      guarded(() => accepted),
    );
    const logins: string[] = [];
    const events = { ...silentEvents, login: (_: string, outcome: string) => logins.push(outcome) };
    const credentials = helperOf(helpers, 'ecr-login', clock);
    const client = clientOf(t, { url: server.url, credentials }, { clock, events });
    await client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
    clock.advance(60_000);
    accepted = basic('AWS:gone');
    server.requests.length = 0;
    const call = client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
    await rejectsWithCode(call, UpstreamError, 'upstream_denied');
    assert.deepEqual(authorizations(server), [basic('AWS:one')]);
    assert.equal((await helpers.runs('ecr-login')).length, 2);
    assert.deepEqual(logins, ['ok', 'denied']);
  });

  it('asks the helper again when the token service refuses what it gave', async (t) => {
    const clock = new FakeClock();
    const helpers = await helpersOf(t);
    await helpers.writeAcr('one');
    let accepted = 'one';
    let issued = 0;
    const server = await serve(t, (request, response) => {
      if (request.url !== '/token') return guarded(() => `Bearer t${issued}`)(request, response);
      const body = server.requests.at(-1)?.body ?? '';
      const isRight = new URLSearchParams(body).get('refresh_token') === accepted;
      if (isRight) issued += 1;
      json(response, { access_token: `t${issued}` }, isRight ? 200 : 401);
    });
    const credentials = helperOf(helpers, 'acr-env', clock);
    const client = clientOf(t, { url: server.url, credentials }, { clock });
    await client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
    // The access token runs out after its minute, and by then the identity token has too.
    clock.advance(60_000);
    accepted = 'two';
    await helpers.writeAcr('two');
    await fetchMany(client, CROWD);
    assert.equal(issued, 2);
    assert.equal((await helpers.runs('acr-env')).length, 2);
    const asked = server.requests.filter(({ url }) => url === '/token');
    assert.equal(asked.length, 3);
  });

  it('counts what came of each login', async (t) => {
    const rows: readonly (readonly [number, string])[] = [
      [200, 'ok'],
      [401, 'denied'],
      [400, 'denied'],
      [404, 'failed'],
    ];
    for (const [status, expected] of rows) {
      const server = await serve(t, (request, response) => {
        if (request.url?.startsWith('/token')) json(response, { token: 'x' }, status);
        else guarded(() => 'Bearer x')(request, response);
      });
      const logins: string[] = [];
      const events = {
        ...silentEvents,
        login: (host: string, outcome: string) => logins.push(`${host} ${outcome}`),
      };
      const client = clientOf(t, { url: server.url }, { events });
      await client.fetchManifest(REPOSITORY, DIGEST, LIMIT).catch(() => undefined);
      assert.deepEqual(logins, [`registry.test ${expected}`]);
    }
  });
});

/** A registry that lets in only what is accepted now, and otherwise asks by the scheme of that. */
function guarded(accepted: () => string): Handler {
  return (request, response) => {
    if (request.headers.authorization === accepted()) response.end(CONTENT);
    else if (accepted().startsWith('Basic')) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    } else challenge(response, `http://${request.headers.host}/token`);
  };
}

async function fetchMany(client: RegistryClient, count: number): Promise<void> {
  const calls = Array.from({ length: count }, () =>
    client.fetchManifest(REPOSITORY, DIGEST, LIMIT),
  );
  await Promise.all(calls);
}

function authorizations(server: Loopback): readonly unknown[] {
  return server.requests.map(({ headers }) => headers['authorization']);
}

function basic(pair: string): string {
  return `Basic ${Buffer.from(pair).toString('base64')}`;
}
