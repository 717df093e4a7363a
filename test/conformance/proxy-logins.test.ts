import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { CredentialHelpers } from '../support/credential-helpers.ts';
import { buildImage } from '../support/images.ts';
import { BriskClock, RunningPinnace, Surroundings } from '../support/running-pinnace.ts';
import type { AuthOptions } from '../support/token-service.ts';

const APP = 'team/app';
const SECRET = 'canary-login-41d7';
const BASIC = Buffer.from(`ci:${SECRET}`).toString('base64');

/** A kind of login in the configuration file, and the registry and Notary server that it opens. */
interface Login {
  readonly auth: AuthOptions;
  readonly credentials: Readonly<Record<string, string>>;
  /** Files to be there, and helpers to be on the `PATH`. */
  readonly file?: string;
  readonly helper?: (helpers: CredentialHelpers) => Promise<void>;
}

const PASSWORD: AuthOptions = {
  kind: 'bearer',
  credentials: { username: 'ci', password: SECRET },
};
const EXCHANGE: AuthOptions = { kind: 'bearer', refreshToken: SECRET };

/** `FILE` stands for the file's name, `HOST` for the server. */
const LOGINS: Readonly<Record<string, Login>> = {
  passwordFile: {
    auth: PASSWORD,
    credentials: { username: 'ci', passwordFile: 'FILE' },
    file: SECRET,
  },
  'dockerConfig with a password': {
    auth: PASSWORD,
    credentials: { dockerConfig: 'FILE' },
    file: `{"auths":{"HOST":{"auth":"${BASIC}"}}}`,
  },
  'dockerConfig with an identity token': {
    auth: EXCHANGE,
    credentials: { dockerConfig: 'FILE' },
    file: `{"auths":{"HOST":{"identitytoken":"${SECRET}"}}}`,
  },
  'dockerConfig with a helper': {
    auth: { kind: 'basic', username: 'AWS', password: SECRET },
    credentials: { dockerConfig: 'FILE' },
    file: '{"credHelpers":{"HOST":"ecr-login"}}',
    helper: (helpers) => helpers.writeEcr(SECRET),
  },
  'helper by Basic': {
    auth: { kind: 'basic', username: 'AWS', password: SECRET },
    credentials: { helper: 'ecr-login' },
    helper: (helpers) => helpers.writeEcr(SECRET),
  },
  'helper by exchange': {
    auth: EXCHANGE,
    credentials: { helper: 'acr-env' },
    helper: (helpers) => helpers.writeAcr(SECRET),
  },
  refreshTokenFile: {
    auth: EXCHANGE,
    credentials: { refreshTokenFile: 'FILE' },
    file: `${SECRET}\n`,
  },
};

describe('the whole proxy: logins', () => {
  for (const [name, login] of Object.entries(LOGINS)) {
    it(`pulls with ${name}, and shows the secret nowhere, right or wrong`, async () => {
      const { auth } = login;
      await using around = await Surroundings.start({ registry: { auth }, notary: { auth } });
      const helpers = new CredentialHelpers(join(around.folder, 'bin'));
      await login.helper?.(helpers);
      const image = buildImage({ message: name });
      around.publisher(APP).release('1', image);
      const [upstream, trust] = [around.registry.url, around.notary.url].map((url, index) =>
        placed(login, { host: new URL(url).host, file: join(around.folder, `login-${index}`) }),
      );
      for (const { file, content } of [upstream, trust].flatMap((each) => each ?? [])) {
        await writeFile(file, content);
      }
      const config = await around.writeConfig({
        upstream: { credentials: upstream?.credentials },
        trust: { credentials: trust?.credentials },
        more: { log: { level: 'debug' } },
      });
      const clock = new BriskClock();
      await using pinnace = await RunningPinnace.start(config, { clock, env: helpers.environment });
      const said: string[] = [];
      assert.equal(await pinnace.verdict(APP, '1'), image.manifest.digest);
      const ok = 'pinnace_upstream_logins_total{upstream="registry.example.com",outcome="ok"}';
      assert.equal(await pinnace.metric(ok), 1);

      // The login is changed at the registry, and Pinnace goes on with the old one.
      around.registry.inject(/./, {
        kind: 'status',
        status: 401,
        headers: CHALLENGE,
        body: SECRET,
      });
      around.publisher('team/other').release('1', buildImage({ message: 'other' }));
      const refused = await pinnace.get('team/other/manifests/1');
      assert.equal(refused.headers['x-pinnace-reason'], 'upstream_denied');
      said.push(refused.body.toString(), JSON.stringify(refused.headers));
      for (const path of ['/metrics', '/api/v1/status', '/']) {
        said.push((await pinnace.admin(path)).body.toString());
      }
      said.push(...pinnace.lines);
      for (const secret of [SECRET, BASIC, Buffer.from(`AWS:${SECRET}`).toString('base64')]) {
        assert.equal(
          said.find((text) => text.includes(secret)),
          undefined,
        );
      }
    });
  }
});

const CHALLENGE = { 'www-authenticate': 'Basic realm="x"' };

function placed(
  { credentials, file: content = '' }: Login,
  { host, file }: { readonly host: string; readonly file: string },
): {
  readonly credentials: Readonly<Record<string, string>>;
  readonly file: string;
  readonly content: string;
} {
  const named = Object.entries(credentials).map(([key, value]) => [
    key,
    value === 'FILE' ? file : value,
  ]);
  return { credentials: Object.fromEntries(named), file, content: content.replace('HOST', host) };
}
