import assert from 'node:assert/strict';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { checkConfig } from '../../src/cli/check-config.ts';
import { resetTrust, showTrust } from '../../src/cli/trust.ts';
import { ConfigError } from '../../src/config/errors.ts';
import { buildImage, signedContentOf } from '../support/images.ts';
import { rejectsWithCode } from '../support/reject-with-code.ts';
import {
  printedBy,
  resolved,
  SITE_REGISTRY,
  type TufSettings,
  TufSite,
  type TufWay,
} from '../support/tuf-site.ts';

const APP = 'team/app';
const IMAGE = buildImage({ message: 'vetted', bigLayerBytes: 100_000 });
const NEXT = buildImage({ message: 'vetted later' });
const HOUR_MS = 3_600_000;

async function siteWithImages(): Promise<TufSite> {
  const site = await TufSite.start();
  site.registry.push(APP, IMAGE, '1.0', 'unsigned');
  site.registry.push(APP, NEXT, '2.0');
  site.registry.push('team/other', NEXT, '1.0');
  approve(site, '1.0', IMAGE);
  await site.publish();
  return site;
}

function approve(site: TufSite, tag: string, image: typeof IMAGE, path = APP): void {
  const custom = { approvedBy: 'alice', ticket: 7 };
  const content = { ...signedContentOf(image), custom };
  site.repository.sign(`${SITE_REGISTRY}/${path}:${tag}`, content);
}

/** The tags that the registry was asked about, the artifact's own left out. */
function tagsAsked(site: TufSite): readonly string[] {
  return site.registry.requests
    .map(({ path }) => path)
    .filter((path) => path.includes('/manifests/') && !path.includes('/manifests/sha256:'))
    .filter((path) => !path.startsWith('/v2/trust/'));
}

for (const way of ['https', 'folder', 'artifact'] as const satisfies readonly TufWay[]) {
  describe(`the whole proxy before a TUF repository (${way})`, () => {
    let site: TufSite;
    before(async () => {
      site = await siteWithImages();
    });
    after(() => site[Symbol.asyncDispose]());

    it('gives out a vetted image byte for byte, as engines pull it', async () => {
      await using pinnace = await site.pinnace(await site.writeConfig(way));
      const head = await pinnace.get(`${APP}/manifests/1.0`, { method: 'HEAD' });
      assert.deepEqual(
        [head.status, head.headers['docker-content-digest']],
        [200, IMAGE.manifest.digest],
      );
      const manifest = await pinnace.get(`${APP}/manifests/${IMAGE.manifest.digest}`);
      assert.deepEqual(manifest.body, IMAGE.manifest.bytes);
      for (const blob of [IMAGE.config, ...IMAGE.layers]) {
        const answer = await pinnace.get(`${APP}/blobs/${blob.digest}`);
        assert.deepEqual([answer.status, answer.body], [200, blob.bytes]);
      }
      const tags = await pinnace.get(`${APP}/tags/list`);
      assert.deepEqual(JSON.parse(tags.body.toString()), { name: APP, tags: ['1.0'] });
      assert.deepEqual(tagsAsked(site), []);
    });

    it('refuses what nobody vetted, and a tag that was moved keeps its meaning', async () => {
      await using pinnace = await site.pinnace(await site.writeConfig(way));
      site.registry.moveTag(APP, '1.0', NEXT.manifest.digest);
      assert.equal(await pinnace.verdict(APP, '1.0'), IMAGE.manifest.digest);
      assert.equal(await pinnace.verdict(APP, 'unsigned'), 'tag_not_signed');
      assert.equal(await pinnace.verdict('team/other', '1.0'), 'tag_not_signed');
      const path = `${SITE_REGISTRY}/${APP}/_trust/tuf/root.json`;
      assert.equal((await pinnace.get(path)).status, 404, 'no metadata of another kind');
      assert.equal(await pinnace.verdict(APP, NEXT.manifest.digest), 'digest_not_vouched');
      assert.equal(await pinnace.verdict('elsewhere/app', '1.0'), 'no_rule');
    });

    it('serves a vetted digest that was never pulled by its tag', async () => {
      await using pinnace = await site.pinnace(await site.writeConfig(way));
      assert.equal(await pinnace.verdict(APP, IMAGE.manifest.digest), IMAGE.manifest.digest);
    });

    it('refuses tampered, older and expired metadata with their codes, also after a restart', async () => {
      const config = await site.writeConfig(way, { trust: { outageGrace: '4h' } });
      const good = await site.publish();
      for (let restarts = 0; restarts < 2; restarts += 1) {
        await using pinnace = await site.pinnace(config);
        await site.serve(good);
        approve(site, '2.0', NEXT);
        const newer = await site.publish();
        assert.equal(await pinnace.verdict(APP, '2.0'), NEXT.manifest.digest);
        await site.serve(good);
        assert.equal(await pinnace.verdict(APP, '1.0'), 'rollback');
        const text = site.repository.file('timestamp.json').toString();
        const forged = Buffer.from(text.replace(/"expires":"\d+/, '"expires":"2999'));
        await site.serve(new Map([...newer, ['timestamp.json', forged]]));
        assert.equal(await pinnace.verdict(APP, '1.0'), 'bad_signature');
        await site.serve(new Map([...newer].filter(([name]) => name !== 'timestamp.json')));
        assert.equal(await pinnace.verdict(APP, '1.0'), 'no_trust_data');
        await site.serve(newer);
        assert.equal(await pinnace.verdict(APP, '1.0'), IMAGE.manifest.digest);
        site.clock.advance(25 * HOUR_MS);
        assert.equal(await pinnace.verdict(APP, '1.0'), 'timestamp_expired');
        await site.publish();
        assert.equal(await pinnace.verdict(APP, '1.0'), IMAGE.manifest.digest);
        const [refusal] = pinnace.logged('trust.refused');
        assert.deepEqual([refusal?.['trust'], refusal?.['errorCode']], ['vetted', 'rollback']);
        assert.equal(
          JSON.stringify(pinnace.logged('trust.changed')).includes('"trust":"vetted"'),
          true,
        );
      }
    });

    it('takes a revoked tag back, and a later approval up', async () => {
      await using pinnace = await site.pinnace(
        await site.writeConfig(way, { trust: { maxAge: '60s' } }),
      );
      await pinnace.verdict(APP, '1.0');
      site.repository.removeTag(`${SITE_REGISTRY}/${APP}:1.0`);
      await site.publish();
      site.clock.advance(60_000);
      assert.equal(await pinnace.verdict(APP, '1.0'), 'tag_not_signed');
      approve(site, '1.0', IMAGE);
      await site.publish();
      site.clock.advance(60_000);
      assert.equal(await pinnace.verdict(APP, '1.0'), IMAGE.manifest.digest);
    });
  });
}

describe('a TUF source that is away', () => {
  const settings: TufSettings = { trust: { outageGrace: '1h' } };

  it('as a server: verified answers for the grace, marked, and no longer', async () => {
    await using site = await siteWithImages();
    await using pinnace = await site.pinnace(await site.writeConfig('https', settings));
    await pinnace.verdict(APP, '1.0');
    await site.files.down();
    site.clock.advance(600_000);
    const answer = await pinnace.get(`${APP}/manifests/1.0`);
    assert.equal(answer.status, 200);
    assert.ok(answer.headers['warning'] !== undefined);
    site.clock.advance(HOUR_MS);
    assert.equal(await pinnace.verdict(APP, '1.0'), 'trust_server_unreachable');
    await site.files.up();
    site.clock.advance(10_000);
    assert.equal(await pinnace.verdict(APP, '1.0'), IMAGE.manifest.digest);
  });

  it('as a folder that is not mounted: the same', async () => {
    await using site = await siteWithImages();
    await using pinnace = await site.pinnace(await site.writeConfig('folder', settings));
    await pinnace.verdict(APP, '1.0');
    const folder = join(site.folder, 'published files');
    await rename(folder, `${folder}.away`);
    site.clock.advance(600_000);
    assert.equal(await pinnace.verdict(APP, '1.0'), IMAGE.manifest.digest);
    site.clock.advance(HOUR_MS);
    assert.equal(await pinnace.verdict(APP, '1.0'), 'trust_server_unreachable');
  });
});

describe('a TUF source, seen by an operator', () => {
  it('has a row per repository on the status page, and is refreshed by any of them', async () => {
    await using site = await siteWithImages();
    approve(site, '1.0', NEXT, 'team/other');
    await site.publish();
    await using pinnace = await site.pinnace(
      await site.writeConfig('https', { trust: { maxAge: '1h' } }),
    );
    for (const path of [APP, 'team/other']) await pinnace.verdict(path, '1.0');
    const { repositories } = JSON.parse((await pinnace.admin('/api/v1/status')).body.toString());
    assert.deepEqual(
      repositories.map(({ repository, trust, rule, roles }: Record<string, unknown>) => [
        repository,
        trust,
        rule,
        Array.isArray(roles) && roles.length,
      ]),
      [APP, 'team/other'].map((path) => [
        `${SITE_REGISTRY}/${path}`,
        'vetted',
        `${SITE_REGISTRY}/team/**`,
        4,
      ]),
    );
    const metrics = (await pinnace.admin('/metrics')).body.toString();
    assert.match(
      metrics,
      /pinnace_trust_expires_in_seconds\{rule="registry\.example\.com\/team\/\*\*",trust="vetted",role="timestamp"\} 8\d{4}/,
    );
    approve(site, '2.0', NEXT);
    await site.publish();
    const body = JSON.stringify({ repository: `${SITE_REGISTRY}/team/other` });
    const answer = await pinnace.admin('/api/v1/refresh', { method: 'POST', body });
    assert.equal(answer.status, 200);
    assert.equal(await pinnace.verdict(APP, '2.0'), NEXT.manifest.digest);
  });

  it('resolve shows what the publisher says of an image, as text and as JSON', async () => {
    await using site = await siteWithImages();
    const config = await site.writeConfig('folder');
    const json = await resolved(`${SITE_REGISTRY}/${APP}:1.0`, config, true);
    const report = JSON.parse(json.out);
    assert.equal(json.exitCode, 0);
    assert.deepEqual(
      [report.verdict, report.digest, report.trust, report.publishedBy, report.custom],
      ['pinned', IMAGE.manifest.digest, 'vetted', 'targets', { approvedBy: 'alice', ticket: 7 }],
    );
    const text = await resolved(`${SITE_REGISTRY}/${APP}:1.0`, config, false);
    assert.ok(text.out.includes('{"approvedBy":"alice","ticket":7}'), text.out);
    const refused = await resolved(`${SITE_REGISTRY}/${APP}:unsigned`, config, true);
    assert.deepEqual([refused.exitCode, JSON.parse(refused.out).reason], [1, 'tag_not_signed']);
  });

  it('trust show and trust reset go by any of its repositories', async () => {
    await using site = await siteWithImages();
    const config = await site.writeConfig('artifact');
    const name = `${SITE_REGISTRY}/${APP}`;
    const shown = await printedBy((io) => showTrust(name, { ...io, config, json: true }));
    assert.equal(shown.exitCode, 0);
    const facts = JSON.parse(shown.out);
    assert.deepEqual(
      [facts.gun, facts.trust, facts.admission, facts.roles.length],
      [name, 'vetted', 'anchor', 4],
    );
    const reset = (path: string): Promise<number> =>
      printedBy((io) =>
        resetTrust(`${SITE_REGISTRY}/${path}`, { ...io, config, reason: 'test' }),
      ).then(({ exitCode }) => exitCode);
    assert.equal(await reset('team/other'), 0);
    assert.equal(await reset(APP), 1);
  });

  it('a root file with a false signature is found before anything starts', async () => {
    await using site = await siteWithImages();
    const config = await site.writeConfig('https');
    const root = join(site.folder, 'root.json');
    const text = await readFile(root, 'utf8');
    await writeFile(root, text.replace(/"expires":"\d+/, '"expires":"2999'));
    const error = await rejectsWithCode(site.pinnace(config), ConfigError, 'config_invalid');
    assert.deepEqual(
      error.problems.map(({ path }) => path),
      ['trust.vetted.root'],
    );
    const checked = await printedBy((io) => checkConfig(config, io));
    assert.equal(checked.exitCode, 1);
    assert.ok(checked.err.includes('trust.vetted.root'), checked.err);
    const unread = await printedBy((io) => checkConfig(config, { ...io, checkFiles: false }));
    assert.equal(unread.exitCode, 0);
  });
});
