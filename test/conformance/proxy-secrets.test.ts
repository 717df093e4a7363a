import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { hashSync } from 'bcryptjs';
import { buildImage } from '../support/images.ts';
import { type Ask, ask } from '../support/registry-under-test.ts';
import {
  BriskClock,
  REGISTRY_HOST,
  RunningPinnace,
  Surroundings,
} from '../support/running-pinnace.ts';

const APP = 'team/app';
const CANARY = {
  registryPassword: 'canary-registry-password',
  notaryPassword: 'canary-notary-password',
  clientToken: 'canary-client-token',
  clientCookie: 'canary-client-cookie',
  clientQuery: 'canary-client-query',
  upstreamBody: 'canary-upstream-body',
  notaryBody: 'canary-notary-body',
};

describe('the whole proxy: secrets', () => {
  it('shows none of them in logs, answers, metrics, status or files', async () => {
    const bearer = (password: string) =>
      ({ kind: 'bearer', credentials: { username: 'ci', password } }) as const;
    await using around = await Surroundings.start({
      registry: { auth: bearer(CANARY.registryPassword), redirectBlobs: true },
      notary: { auth: bearer(CANARY.notaryPassword) },
    });
    const app = around.publisher(APP);
    const image = buildImage({ message: 'secret', bigLayerBytes: 200_000 });
    app.release('1', image);
    app.release('broken', buildImage({ message: 'broken' }));
    around.registry.push('scratch/app', image, '1');
    const env = { REGISTRY: CANARY.registryPassword, NOTARY: CANARY.notaryPassword };
    const config = await around.writeConfig({
      upstream: { credentials: { username: 'ci', passwordEnv: 'REGISTRY' } },
      trust: { credentials: { username: 'ci', passwordEnv: 'NOTARY' } },
      policy: [
        { match: `${REGISTRY_HOST}/scratch/**`, allowUnverified: true, reason: 'throw-away' },
        { match: `${REGISTRY_HOST}/**`, trust: 'corp' },
      ],
      more: { log: { level: 'debug' } },
    });
    const clock = new BriskClock();
    const said: string[] = [];
    await using pinnace = await RunningPinnace.start(config, { clock, env });
    const headers = {
      authorization: `Bearer ${CANARY.clientToken}`,
      cookie: `session=${CANARY.clientCookie}`,
    };
    const ask = async (path: string): Promise<number> => {
      const answer = await pinnace.get(`${path}?token=${CANARY.clientQuery}`, { headers });
      said.push(JSON.stringify(answer.headers));
      if (answer.status >= 300) said.push(answer.body.toString());
      return answer.status;
    };
    assert.equal(await ask(`${APP}/manifests/1`), 200);
    for (const blob of [image.config, ...image.layers]) {
      assert.equal(await ask(`${APP}/blobs/${blob.digest}`), 200);
    }
    assert.equal(await ask('scratch/app/manifests/1'), 200);
    assert.ok([200, 307].includes(await ask(`scratch/app/blobs/${image.config.digest}`)));

    // Everything that can fail does, with a body that must not be repeated.
    const { upstreamBody, notaryBody } = CANARY;
    around.registry.inject(/manifests/, { kind: 'status', status: 500, body: upstreamBody });
    assert.equal(await ask(`${APP}/manifests/broken`), 503);
    around.registry.inject(/manifests/, { kind: 'redirect', location: `http://[${upstreamBody}` });
    assert.equal(await ask(`${APP}/manifests/broken`), 503);
    around.notary.inject(/timestamp/, { kind: 'status', status: 500, body: notaryBody });
    clock.advance(70_000);
    assert.equal(await ask(`${APP}/manifests/1`), 200);
    around.notary.clearFaults();
    around.notary.inject(/timestamp/, { kind: 'replace', body: Buffer.from(`{"${notaryBody}"`) });
    clock.advance(70_000);
    assert.equal(await ask(`${APP}/manifests/1`), 403);
    around.notary.revokeTokens();
    around.registry.revokeTokens();
    around.registry.inject('/token', { kind: 'status', status: 401, body: upstreamBody });
    around.notary.inject('/token', { kind: 'status', status: 401, body: notaryBody });
    clock.advance(70_000);
    for (const tag of ['1', 'broken']) await ask(`${APP}/manifests/${tag}`);
    await ask('scratch/app/manifests/1');

    for (const path of ['/metrics', '/api/v1/status', '/']) {
      said.push((await pinnace.admin(path)).body.toString());
    }
    said.push(...pinnace.lines);
    const files = await readdir(join(around.folder, 'data'), { recursive: true });
    for (const file of files.filter((name) => name.includes('state.sqlite'))) {
      said.push((await readFile(join(around.folder, 'data', file))).toString('latin1'));
    }
    const secrets = [...Object.values(CANARY), ...tokensSeen(around)];
    assert.ok(secrets.length >= Object.keys(CANARY).length + 2, 'tokens were used');
    assert.ok(said.length > 30);
    for (const secret of secrets) {
      const leak = said.find((text) => text.includes(secret));
      assert.equal(leak, undefined, `${secret} in ${leak?.slice(0, 300)}`);
    }
  });

  it('shows nothing of what callers log in with', async () => {
    await using around = await Surroundings.start();
    around.publisher(APP).release('1', buildImage({ message: 'kept' }));
    const users = join(around.folder, 'htpasswd');
    const password = 'canary-caller-password';
    const hash = hashSync(password, 4);
    await writeFile(users, `alice:${hash}\n`);
    const entry = { kind: 'token-endpoint', service: 'p', htpasswd: users, refreshLifetime: '1h' };
    const address = '127.0.0.1:0';
    const listener = { address, defaultRegistry: REGISTRY_HOST };
    const config = await around.writeConfig({
      listeners: {
        registry: { ...listener, clients: 'people' },
        basic: { ...listener, clients: 'staff' },
      },
      more: {
        log: { level: 'debug' },
        clients: { people: entry, staff: { kind: 'basic', htpasswd: users } },
      },
    });
    await using pinnace = await RunningPinnace.start(config);
    const said: string[] = [];
    const secrets: string[] = [password, 'canary-wrong-password', hash];
    const asked = async (options: Ask & { listener?: string }, path = `${APP}/manifests/1`) => {
      const answer = await pinnace.get(path, options);
      said.push(JSON.stringify(answer.headers), answer.body.toString('latin1'));
      return answer.status;
    };
    const token = async (options: Ask, query = '') => {
      const answer = await ask(pinnace.port(), `/token${query}`, options);
      if (answer.status !== 200) said.push(answer.body.toString());
      return answer;
    };
    const basic = (given: string) => {
      const encoded = Buffer.from(`alice:${given}`).toString('base64');
      secrets.push(encoded);
      return { headers: { authorization: `Basic ${encoded}` } };
    };
    const query = `?offline_token=true&scope=repository:${APP}:pull`;
    const granted = await token(basic(password), query);
    const { access_token: access, refresh_token: refresh } = JSON.parse(granted.body.toString());
    secrets.push(access, refresh);
    for (const given of [access, refresh, `${access}x`, 'canary-bearer-token']) {
      secrets.push(given);
      await asked({ headers: { authorization: `Bearer ${given}` } });
    }
    for (const given of [password, 'canary-wrong-password', 'canary-wrong-password-2']) {
      secrets.push(given);
      await asked({ ...basic(given), listener: 'basic' });
      await token(basic(given));
      await token({}, `?password=${given}`);
      const headers = { 'content-type': 'application/x-www-form-urlencoded' };
      for (const body of [
        `grant_type=password&username=alice&password=${given}&service=p`,
        `grant_type=refresh_token&refresh_token=${given}`,
        `grant_type=${given}`,
      ]) {
        const answer = await token({ method: 'POST', headers, body });
        if (answer.status === 200) secrets.push(JSON.parse(answer.body.toString()).token);
      }
    }
    await writeFile(users, 'alice:canary-plain-password\n');
    secrets.push('canary-plain-password');
    await pinnace.reload();
    for (const path of ['/metrics', '/api/v1/status', '/']) {
      said.push((await pinnace.admin(path)).body.toString());
    }
    said.push(...pinnace.lines);
    assert.ok(said.length > 30);
    for (const secret of secrets) {
      const leak = said.find((text) => text.includes(secret));
      assert.equal(leak, undefined, `${secret} in ${leak?.slice(0, 300)}`);
    }
  });
});

/** Tokens that the upstreams gave out, passwords as sent, and the signatures of redirected blobs. */
function tokensSeen({ registry, notary }: Surroundings): readonly string[] {
  const requests = [...registry.requests, ...notary.requests, ...registry.blobHost.requests];
  return [
    ...new Set(
      requests.flatMap(({ headers, query }) => {
        const authorization = headers.authorization?.split(' ')[1];
        const signature = query.get('signature');
        return [authorization, signature].filter((text): text is string => (text ?? '') !== '');
      }),
    ),
  ];
}
