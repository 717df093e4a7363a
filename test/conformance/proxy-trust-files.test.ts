import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { sha256Hex } from '../../src/trust/verified-file.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { buildImage } from '../support/images.ts';
import type { NotaryRepository } from '../support/notary-repository.ts';
import { type Answer, ociError } from '../support/registry-under-test.ts';
import {
  BriskClock,
  type Publisher,
  REGISTRY_HOST,
  RunningPinnace,
  reasonOf,
  Surroundings,
} from '../support/running-pinnace.ts';

const APP = `${REGISTRY_HOST}/team/app`;
const RELEASES = 'targets/releases';

/** Asks for a metadata file as clients of Notary v1 do. */
async function file(pinnace: RunningPinnace, name: string, gun = APP): Promise<Answer> {
  return await pinnace.get(`${gun}/_trust/tuf/${name}`);
}

describe('the whole proxy: trust metadata for clients that verify it themselves', () => {
  let around: Surroundings;
  let pinnace: RunningPinnace;
  let app: Publisher;
  let trust: NotaryRepository;
  const image = buildImage({ message: 'signed' });

  before(async () => {
    around = await Surroundings.start();
    app = around.publisher('team/app');
    trust = app.trust;
    trust.addDelegation(RELEASES);
    trust.addDelegation('targets/alice');
    trust.addDelegation('targets/alice/builds');
    trust.addDelegation('targets/quiet');
    app.release('1.0', image);
    app.release('1.0', image, RELEASES);
    app.release('nightly', image, 'targets/alice/builds');
    for (let rotation = 0; rotation < 3; rotation += 1) {
      trust.rotateRoot();
      app.publish();
    }
    pinnace = await RunningPinnace.start(
      await around.writeConfig({
        policy: [
          { match: `${REGISTRY_HOST}/**`, trust: 'corp' },
          { match: `${REGISTRY_HOST}/scratch/**`, allowUnverified: true, reason: 'test' },
        ],
      }),
    );
  });
  after(async () => {
    await pinnace.stop();
    await around[Symbol.asyncDispose]();
  });

  const served = (): readonly (readonly [name: string, bytes: Buffer])[] => {
    const roles = ['root', 'timestamp', 'snapshot', 'targets', RELEASES, 'targets/alice/builds'];
    return roles.flatMap((role) => {
      const bytes = trust.bytes(role);
      return [
        [`${role}.json`, bytes] as const,
        [`${role}.${sha256Hex(bytes)}.json`, bytes] as const,
        [`${trust.version(role)}.${role}.json`, bytes] as const,
      ];
    });
  };

  it('gives out every file in every form, byte for byte, with HEAD like GET', async () => {
    for (const [name, bytes] of served()) {
      const answer = await file(pinnace, name);
      assert.deepEqual([name, answer.status, answer.body], [name, 200, bytes]);
      assert.equal(answer.headers['content-type'], 'application/json');
      assert.equal(answer.headers['content-length'], String(bytes.length));
      assert.equal(answer.headers['cache-control'], 'no-cache');
      assert.equal(answer.headers['warning'], undefined);
      const head = await pinnace.head(`${APP}/_trust/tuf/${name}`);
      assert.deepEqual([head.status, head.body.length], [200, 0]);
      assert.equal(head.headers['content-length'], String(bytes.length));
    }
  });

  it('asks the trust server no more than pulls do', async () => {
    const before = around.notary.requests.length;
    for (const [name] of served()) await file(pinnace, name);
    assert.equal(around.notary.requests.length, before);
  });

  it('gives out roots of the chain by version, each verified', async () => {
    const asked = around.notary.filesAsked().length;
    for (const version of [1, 2, 3, 4]) {
      const answer = await file(pinnace, `${version}.root.json`);
      assert.equal(answer.status, 200);
      assert.equal(JSON.parse(answer.body.toString()).signed.version, version);
    }
    assert.ok(around.notary.filesAsked().length - asked <= 3);
    assert.equal((await file(pinnace, '5.root.json')).status, 404);
  });

  const missing: readonly (readonly [row: string, path: string])[] = [
    ['a role that nobody delegated', `${APP}/_trust/tuf/targets/nobody.json`],
    ['a role below one that nobody delegated', `${APP}/_trust/tuf/targets/nobody/x.json`],
    ['a role that has published nothing', `${APP}/_trust/tuf/targets/quiet.json`],
    ['an unknown checksum', `${APP}/_trust/tuf/root.${'0'.repeat(64)}.json`],
    ['an unknown version', `${APP}/_trust/tuf/99.timestamp.json`],
    ['version 0', `${APP}/_trust/tuf/0.root.json`],
    ['version and checksum', `${APP}/_trust/tuf/1.root.${'0'.repeat(64)}.json`],
    ['a key of the server', `${APP}/_trust/tuf/snapshot.key`],
    ['another file', `${APP}/_trust/tuf/mirrors.json`],
    ['a part of a role', `${APP}/_trust/tuf/targetsx.json`],
    ['the name without its registry', 'team/app/_trust/tuf/root.json'],
    [
      'the name in capitals',
      `${APP.toUpperCase().replace('TEAM/APP', 'team/app')}/_trust/tuf/root.json`,
    ],
    ['a collection that was never signed', `${REGISTRY_HOST}/team/other/_trust/tuf/root.json`],
    ['a repository that is not verified', `${REGISTRY_HOST}/scratch/x/_trust/tuf/root.json`],
  ];
  for (const [row, path] of missing) {
    it(`has nothing for ${row}`, async () => {
      const answer = await pinnace.get(path);
      assert.deepEqual([answer.status, ociError(answer).code], [404, 'METADATA_NOT_FOUND']);
    });
  }

  it('never makes the server create a key, and takes no upload', async () => {
    assert.ok(!around.notary.requests.some(({ path }) => path.endsWith('.key')));
    const answer = await pinnace.get(`${APP}/_trust/tuf/`, { method: 'POST', body: 'x' });
    assert.equal(answer.status, 405);
  });

  it('is enough for another Pinnace to verify by', async () => {
    const config = await around.writeConfig(
      {
        trust: { url: `http://127.0.0.1:${pinnace.port()}` },
        more: { data: `${around.folder}/behind` },
      },
      'behind.yaml',
    );
    await using behind = await RunningPinnace.start(config);
    assert.equal(await behind.verdict('team/app', '1.0'), image.manifest.digest);
    assert.equal(await behind.verdict('team/app', 'nightly'), 'tag_not_released');
  });
});

describe('the whole proxy: trust metadata that is not as it should be', () => {
  it('is refused in words that the notary client shows, and good again once it is', async () => {
    await using around = await Surroundings.start();
    const app = around.publisher('team/app');
    app.release('1.0', buildImage());
    await using pinnace = await RunningPinnace.start(
      await around.writeConfig({ trust: { maxAge: '0s' } }),
    );
    const old = app.trust.publish();
    assert.equal((await file(pinnace, 'timestamp.json')).status, 200);
    app.release('1.1', buildImage({ message: 'more' }));
    assert.equal((await file(pinnace, 'timestamp.json')).status, 200);
    around.notary.serve(APP, old);
    const refused = await file(pinnace, 'timestamp.json');
    assert.equal(refused.status, 400);
    assert.equal(reasonOf(refused), 'rollback');
    assert.ok(refused.body.length <= 1024);
    const { detail } = JSON.parse(refused.body.toString()).errors[0];
    assert.equal(detail.Name, 'ErrValidation');
    assert.match(
      detail.Error.Msg,
      /^pinnace refused registry\.example\.com\/team\/app.*\(reason rollback, decision /,
    );
    app.publish();
    const good = await file(pinnace, 'timestamp.json');
    assert.deepEqual(good.body, app.trust.bytes('timestamp'));
  });

  it('is told apart from what could not be found out, and marked as stale within the grace', async () => {
    await using around = await Surroundings.start();
    const app = around.publisher('team/app');
    app.release('1.0', buildImage());
    const clock = new BriskClock();
    await using pinnace = await RunningPinnace.start(
      await around.writeConfig({ trust: { maxAge: '60s', outageGrace: '10m' } }),
      { clock },
    );
    assert.equal((await file(pinnace, 'snapshot.json')).status, 200);
    await around.notary.stop();
    clock.advance(120_000);
    const stale = await file(pinnace, 'snapshot.json');
    assert.equal(stale.status, 200);
    assert.match(String(stale.headers['warning']), /^110 - "pinnace could not ask/);
    clock.advance(3_600_000);
    const away = await file(pinnace, 'snapshot.json');
    assert.equal(away.status, 503);
    assert.equal(reasonOf(away), 'trust_server_unreachable');
    assert.ok(Number(away.headers['retry-after']) > 0);
  });

  it('is not given out once it has expired', async () => {
    await using around = await Surroundings.start();
    const app = around.publisher('team/app', { expiresAfterDays: { targets: 1 } });
    app.release('1.0', buildImage());
    const clock = new FakeClock();
    await using pinnace = await RunningPinnace.start(await around.writeConfig(), { clock });
    assert.equal((await file(pinnace, 'targets.json')).status, 200);
    clock.advance(2 * 86_400_000);
    const answer = await file(pinnace, 'targets.json');
    assert.deepEqual([answer.status, reasonOf(answer)], [400, 'targets_expired']);
  });
});
