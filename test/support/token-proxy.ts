import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hashSync } from 'bcryptjs';
import { buildImage } from './images.ts';
import { type Answer, ask } from './registry-under-test.ts';
import { BriskClock, REGISTRY_HOST, RunningPinnace, type Surroundings } from './running-pinnace.ts';

export const APP = 'team/app';
export const OTHER = 'team/other';
export const SERVICE = 'pinnace.example.com';
export const MANIFEST = `${APP}/manifests/1`;
export const SECONDS = Date.parse('2026-11-23T00:00:00Z') / 1000;

export const bearer = (token: unknown) => ({
  headers: { authorization: `Bearer ${String(token)}` },
});
export const basic = (user: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
});

/** A Pinnace with one repository for `users/alice` and the group `users/@web`, and one for everybody. */
export async function startWithClients(
  around: Surroundings,
  clients: Readonly<Record<string, unknown>>,
): Promise<RunningPinnace> {
  for (const path of [APP, OTHER])
    around.publisher(path).release('1', buildImage({ message: path }));
  const address = '127.0.0.1:0';
  const config = await around.writeConfig({
    listeners: { registry: { address, defaultRegistry: REGISTRY_HOST, clients: 'users' } },
    policy: [
      { match: `${REGISTRY_HOST}/**`, trust: 'corp' },
      { match: `${REGISTRY_HOST}/${APP}`, trust: 'corp', clients: ['users/alice', 'users/@web'] },
    ],
    more: { clients: { users: clients } },
  });
  return await RunningPinnace.start(config, { clock: new BriskClock() });
}

/** Asks the token endpoint as engines do: GET, or POST with a form. */
export async function askToken(
  pinnace: RunningPinnace,
  fields: Readonly<Record<string, string>>,
  how: { readonly headers?: Readonly<Record<string, string>>; readonly isForm?: boolean } = {},
): Promise<Answer> {
  const query = new URLSearchParams(fields).toString();
  if (how.isForm !== true)
    return await ask(pinnace.port(), `/token?${query}`, { headers: how.headers ?? {} });
  const headers = { 'content-type': 'application/x-www-form-urlencoded', ...how.headers };
  return await ask(pinnace.port(), '/token', { method: 'POST', headers, body: query });
}

export function fieldsOf(answer: Answer): Readonly<Record<string, unknown>> {
  assert.equal(answer.status, 200, answer.body.toString());
  assert.equal(answer.headers['cache-control'], 'no-store');
  return JSON.parse(answer.body.toString());
}

export function claimsOf(token: unknown): Readonly<Record<string, unknown>> {
  return JSON.parse(Buffer.from(String(token).split('.')[1] ?? '', 'base64url').toString());
}

export async function htpasswd(around: Surroundings, users: Readonly<Record<string, string>>) {
  const file = join(around.folder, 'htpasswd');
  const lines = Object.entries(users).map(
    ([user, password]) => `${user}:${hashSync(password, 4)}\n`,
  );
  await writeFile(file, lines.join(''));
  return file;
}
