import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { hashSync } from 'bcryptjs';
import { buildImage } from '../support/images.ts';
import {
  REGISTRY_HOST,
  RunningPinnace,
  reasonOf,
  Surroundings,
} from '../support/running-pinnace.ts';

const APP = 'team/app';
const OTHER = 'team/other';
const basic = (user: string, password: string) => ({
  headers: { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` },
});
const ALICE = basic('alice', 'wonderland');
const BOB = basic('bob', 'builder');
const htpasswd = (users: Readonly<Record<string, string>>): string =>
  Object.entries(users)
    .map(([user, password]) => `${user}:${hashSync(password, 4)}\n`)
    .join('');

async function setUp(around: Surroundings): Promise<{ users: string; config: string }> {
  const users = join(around.folder, 'htpasswd');
  await writeFile(users, htpasswd({ alice: 'wonderland', bob: 'builder' }));
  const address = '127.0.0.1:0';
  const config = await around.writeConfig({
    listeners: {
      registry: { address, defaultRegistry: REGISTRY_HOST, clients: 'staff' },
      open: { address, defaultRegistry: REGISTRY_HOST },
    },
    policy: [
      { match: `${REGISTRY_HOST}/**`, trust: 'corp' },
      { match: `${REGISTRY_HOST}/${APP}`, trust: 'corp', clients: ['staff/alice'] },
      {
        match: `${REGISTRY_HOST}/scratch/**`,
        allowUnverified: true,
        reason: 'throw-away',
        clients: ['staff/alice'],
      },
    ],
    more: { clients: { staff: { kind: 'basic', htpasswd: users } } },
  });
  return { users, config };
}

describe('the whole proxy: who may pull', () => {
  it('keeps an image for one caller, whatever is cached and shared with others', async () => {
    await using around = await Surroundings.start();
    // The very same image in two repositories: every manifest and blob is in the stores for both.
    const image = buildImage({ message: 'shared' });
    for (const path of [APP, OTHER]) around.publisher(path).release('1', image);
    around.registry.push('scratch/app', image, '1');
    const { config } = await setUp(around);
    await using pinnace = await RunningPinnace.start(config);
    const { digest } = image.manifest;
    const routes = (path: string): readonly string[] => [
      `${path}/manifests/1`,
      `${path}/manifests/${digest}`,
      ...[image.config, ...image.layers].map((blob) => `${path}/blobs/${blob.digest}`),
      `${path}/tags/list`,
    ];
    for (const caller of [ALICE, BOB]) {
      for (const path of routes(OTHER)) assert.equal((await pinnace.get(path, caller)).status, 200);
    }
    for (const path of [...routes(APP), 'scratch/app/manifests/1']) {
      for (const method of ['GET', 'HEAD']) {
        assert.equal((await pinnace.get(path, { ...ALICE, method })).status, 200, path);
        const theirs = await pinnace.get(path, { ...BOB, method });
        assert.equal(reasonOf(theirs), 'client_forbidden', `${method} ${path}`);
        const nobodys = await pinnace.get(path, { method });
        assert.equal(nobodys.status, 401, path);
        assert.match(String(nobodys.headers['www-authenticate']), /^Basic realm="/);
        const unasked = await pinnace.get(path, { method, listener: 'open' });
        assert.equal(reasonOf(unasked), 'client_forbidden', path);
      }
    }
    const lines = pinnace.logged('request').filter((line) => line['caller'] === 'staff/bob');
    assert.ok(lines.length > 6);
  });

  it('follows the htpasswd file: who is gone is gone, cached or not', async () => {
    await using around = await Surroundings.start();
    around.publisher(APP).release('1', buildImage({ message: 'kept' }));
    const { users, config } = await setUp(around);
    await using pinnace = await RunningPinnace.start(config);
    const path = `${APP}/manifests/1`;
    assert.equal((await pinnace.get(path, ALICE)).status, 200);
    await writeFile(users, htpasswd({ alice: 'looking-glass' }));
    await pinnace.reload();
    assert.equal((await pinnace.get(path, ALICE)).status, 401);
    assert.equal((await pinnace.get(path, basic('alice', 'looking-glass'))).status, 200);
    assert.equal((await pinnace.get(path, BOB)).status, 401);
    await writeFile(users, 'alice:looking-glass\n');
    await pinnace.reload();
    assert.equal((await pinnace.get(path, basic('alice', 'looking-glass'))).status, 200);
    assert.equal(pinnace.logged('config.reload_refused').length, 1);
  });

  it('ends guessing, and not by a reload', async () => {
    await using around = await Surroundings.start();
    around.publisher(APP).release('1', buildImage({ message: 'kept' }));
    const { config } = await setUp(around);
    await using pinnace = await RunningPinnace.start(config);
    const path = `${APP}/manifests/1`;
    for (let turn = 0; turn < 10; turn += 1) {
      assert.equal((await pinnace.get(path, basic('alice', `guess-${turn}`))).status, 401);
    }
    await pinnace.reload();
    const limited = await pinnace.get(path, ALICE);
    assert.equal(limited.status, 429);
    assert.equal(reasonOf(limited), 'client_rate_limited');
    assert.equal(limited.headers['retry-after'], '300');
    assert.equal((await pinnace.get(`${OTHER}/tags/list`, BOB)).status !== 429, true);
    const [said] = pinnace.logged('client.limited');
    assert.deepEqual([said?.['clients'], said?.['user']], ['staff', 'alice']);
    const lines = pinnace.lines.join('\n');
    assert.doesNotMatch(lines, /guess-|wonderland|YWxpY2U6/);
    const series = 'pinnace_client_logins_total{clients="staff",outcome="wrong"}';
    assert.equal(await pinnace.metric(series), 10);
  });
});
