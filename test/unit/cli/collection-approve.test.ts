import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { approveImages, promoteImage, revokeImage } from '../../../src/cli/collection-approve.ts';
import { reportMigration } from '../../../src/cli/collection-migrate.ts';
import { listCollection } from '../../../src/cli/collection-show.ts';
import { EXIT } from '../../../src/cli/exit-codes.ts';
import { SigningError } from '../../../src/signing/errors.ts';
import { buildImage, buildIndex, signedContentOf } from '../../support/images.ts';
import { NotaryRepository } from '../../support/notary-repository.ts';
import { NotaryServer } from '../../support/notary-server.ts';
import { Registry } from '../../support/registry.ts';
import { rejectsWithCode } from '../../support/reject-with-code.ts';
import { type CommandBench, collectionBench } from './collection-bench.ts';

const DAY = 86_400_000;
const APP = buildImage({ message: 'one', architecture: 'amd64' });
const OTHER = buildImage({ message: 'two', architecture: 'amd64' });
const INDEX = buildIndex([APP, buildImage({ message: 'one', architecture: 'arm64' })]);

async function registryOf(context: TestContext): Promise<Registry> {
  const registry = await new Registry().start();
  context.after(() => registry.stop());
  registry.push('team/app', APP, '1.0');
  registry.push('team/app', OTHER, '2.0');
  registry.push('team/multi', INDEX, '1.0');
  return registry;
}

function hostOf(registry: Registry): string {
  return new URL(registry.url).host;
}

interface Listed {
  readonly images: readonly { readonly name: string; readonly words: string }[];
}

async function listed(bench: CommandBench): Promise<Listed['images']> {
  bench.clear();
  await listCollection({ options: { dir: bench.dir, json: true }, io: bench.io });
  const document: Listed = JSON.parse(bench.out);
  return document.images;
}

describe('collection approve', () => {
  it('looks once, says what it found and what it signs, and then has it', async (context) => {
    const [bench, registry] = [await collectionBench(context), await registryOf(context)];
    const image = `${hostOf(registry)}/team/multi:1.0`;
    const options = { dir: bench.dir, yes: true };
    assert.equal(await approveImages([image], { options, io: bench.io }), EXIT.ok);
    assert.match(bench.out, new RegExp(`digest +${INDEX.manifest.digest}`));
    assert.match(bench.out, /platforms +linux\/amd64 linux\/arm64/);
    assert.match(bench.out, /built +2026-11-01T00:00:00Z/);
    assert.match(bench.out, /today +not approved/);
    assert.ok(bench.out.indexOf('approve ') < bench.out.indexOf('Signed'));
    assert.equal(registry.requestsTo('/manifests/1.0').length, 1);
    const [only] = await listed(bench);
    assert.equal(only?.name, image);
    assert.match(only?.words ?? '', new RegExp(`^${INDEX.manifest.digest}, `));
  });

  it('signs nothing for an image that is approved already', async (context) => {
    const [bench, registry] = [await collectionBench(context), await registryOf(context)];
    const images = [`${hostOf(registry)}/team/app:1.0`];
    const options = { dir: bench.dir, yes: true };
    await approveImages(images, { options, io: bench.io });
    bench.clear();
    bench.env = {};
    assert.equal(await approveImages(images, { options, io: bench.io }), EXIT.ok);
    assert.match(bench.out, /Nothing to sign/);
  });

  it('signs nothing without a word of approval', async (context) => {
    const [bench, registry] = [await collectionBench(context), await registryOf(context)];
    const images = [`${hostOf(registry)}/team/app:1.0`];
    const options = { dir: bench.dir };
    const approving = approveImages(images, { options, io: bench.io });
    await rejectsWithCode(approving, SigningError, 'not_confirmed');
    bench.answers('no');
    const declined = approveImages(images, { options, io: bench.io });
    await rejectsWithCode(declined, SigningError, 'not_confirmed');
    assert.deepEqual(await listed(bench), []);
  });

  it('shows what would change of an approved tag, under a tag of its own and with an end', async (context) => {
    const [bench, registry] = [await collectionBench(context), await registryOf(context)];
    const host = hostOf(registry);
    const options = { dir: bench.dir, yes: true, as: 'stable' };
    await approveImages([`${host}/team/app:1.0`], { options, io: bench.io });
    bench.clear();
    const later = { ...options, expires: 90 * DAY };
    await approveImages([`${host}/team/app:2.0`], { options: later, io: bench.io });
    assert.match(bench.out, new RegExp(`today +${APP.manifest.digest}`));
    assert.match(
      bench.out,
      new RegExp(`move ${host}/team/app:stable: to ${OTHER.manifest.digest}`),
    );
    assert.match(bench.out, /until 2027-02-21T00:00:00Z/);
    bench.clock.advance(91 * DAY);
    bench.clear();
    await listCollection({ options: { dir: bench.dir }, io: bench.io });
    assert.match(bench.out, /stable \(ENDED/);
  });

  it('takes an image by digest only when it says under which tag', async (context) => {
    const [bench, registry] = [await collectionBench(context), await registryOf(context)];
    const image = `${hostOf(registry)}/team/app@${OTHER.manifest.digest}`;
    const options = { dir: bench.dir, yes: true };
    const untold = approveImages([image], { options, io: bench.io });
    await rejectsWithCode(untold, SigningError, 'name_unfit');
    await approveImages([image], { options: { ...options, as: '2.0' }, io: bench.io });
    assert.match((await listed(bench))[0]?.name ?? '', /app:2\.0$/);
  });

  it('approves a list, and nothing of it or the rest of it when one is missing', async (context) => {
    const [bench, registry] = [await collectionBench(context), await registryOf(context)];
    const host = hostOf(registry);
    const file = join(bench.dir, 'list.txt');
    const text = `# vetted\n${host}/team/app:1.0\n${host}/team/app:2.0  stable\n\n${host}/team/app:9\n`;
    await writeFile(file, text);
    const options = { dir: bench.dir, yes: true, file };
    const whole = approveImages([], { options, io: bench.io });
    await rejectsWithCode(whole, SigningError, 'image_unusable');
    assert.match(bench.err, /\[3\/3\]/);
    assert.match(bench.err, /app:9 FAILED/);
    assert.deepEqual(await listed(bench), []);
    const rest = { ...options, keepGoing: true };
    assert.equal(await approveImages([], { options: rest, io: bench.io }), EXIT.refused);
    const names = (await listed(bench)).map(({ name }) => name);
    assert.deepEqual(names, [`${host}/team/app:1.0`, `${host}/team/app:stable`]);
  });

  for (const [name, line] of [
    ['what is no image', 'Not An Image At All'],
    ['a tag that is none', 'r.test/a:1 !'],
    ['an image without a tag', `r.test/a@sha256:${'ab'.repeat(32)}`],
  ] as const) {
    it(`refuses a list with ${name}`, async (context) => {
      const bench = await collectionBench(context);
      const file = join(bench.dir, 'list.txt');
      await writeFile(file, `\n${line}\n`);
      const options = { dir: bench.dir, yes: true, file };
      const error = await rejectsWithCode(
        approveImages([], { options, io: bench.io }),
        SigningError,
        'name_unfit',
      );
      assert.match(error.message, /line 2/);
    });
  }

  it('does not approve what the registry passes off as something else', async (context) => {
    const [bench, registry] = [await collectionBench(context), await registryOf(context)];
    const host = hostOf(registry);
    registry.putManifest('team/app', { ...OTHER.manifest, digest: APP.manifest.digest });
    const options = { dir: bench.dir, yes: true, as: '1.0' };
    const image = `${host}/team/app@${APP.manifest.digest}`;
    const approving = approveImages([image], { options, io: bench.io });
    await rejectsWithCode(approving, SigningError, 'image_unusable');
    const bytes = Buffer.from('{"schemaVersion":1}');
    registry.putManifest('team/app', { bytes, digest: 'sha256:x', mediaType: 'text/plain' });
    registry.moveTag('team/app', 'odd', 'sha256:x');
    const odd = approveImages([`${host}/team/app:odd`], { options, io: bench.io });
    await rejectsWithCode(odd, SigningError, 'image_unusable');
  });

  it('promotes and revokes', async (context) => {
    const [bench, registry] = [await collectionBench(context), await registryOf(context)];
    const host = hostOf(registry);
    const options = { dir: bench.dir, yes: true };
    await approveImages([`${host}/team/app:1.0`], { options, io: bench.io });
    const promoting = { options: { ...options, as: 'prod' }, io: bench.io };
    assert.equal(await promoteImage(`${host}/team/app:1.0`, promoting), EXIT.ok);
    assert.equal(await revokeImage(`${host}/team/app:1.0`, { options, io: bench.io }), EXIT.ok);
    assert.deepEqual(
      (await listed(bench)).map(({ name }) => name),
      [`${host}/team/app:prod`],
    );
  });
});

describe('moving away from Notary', () => {
  async function notaryConfig(context: TestContext, bench: CommandBench): Promise<string> {
    const registry = await registryOf(context);
    const notary = await new NotaryServer().start();
    context.after(() => notary.stop());
    const gun = 'registry.test/team/app';
    const repository = new NotaryRepository({ gun });
    repository.sign('1.0', signedContentOf(APP));
    repository.sign('gone', { sha256: 'ab'.repeat(32), length: 7 });
    notary.serve(gun, repository.publish());
    const file = join(bench.dir, 'pinnace.yaml');
    await writeFile(
      file,
      [
        `data: ${join(bench.dir, 'data')}`,
        'listeners: { registry: { address: "127.0.0.1:5000" } }',
        `upstreams: { registry.test: { url: "${registry.url}" } }`,
        'trust:',
        `  old: { kind: notary, url: "${notary.url}", anchors: [{ gun: "${gun}", rootKeys: ["${repository.rootKeyIds[0]}"] }] }`,
        'policy: [{ match: "registry.test/**", trust: old }]',
      ].join('\n'),
    );
    return file;
  }

  it('takes over the pins that are verified now, as far as their images are there', async (context) => {
    const bench = await collectionBench(context);
    const config = await notaryConfig(context, bench);
    const gun = 'registry.test/team/app';
    const options = { dir: bench.dir, yes: true, config, fromNotary: gun, keepGoing: true };
    assert.equal(await approveImages([], { options, io: bench.io }), EXIT.refused);
    assert.match(bench.err, /2 signed tags of trust source "old"/);
    assert.match(bench.err, /app:gone FAILED/);
    const images = await listed(bench);
    assert.equal(images.length, 1);
    assert.match(
      images[0]?.words ?? '',
      new RegExp(`^${APP.manifest.digest}.*Notary.*role targets`),
    );
  });

  it('needs to know the trust source', async (context) => {
    const bench = await collectionBench(context);
    const options = { dir: bench.dir, yes: true, fromNotary: 'registry.test/team/app' };
    const approving = approveImages([], { options, io: bench.io });
    await rejectsWithCode(approving, SigningError, 'name_unfit');
  });

  it('reports who signs what, of repositories named and on record', async (context) => {
    const bench = await collectionBench(context);
    const options = { config: await notaryConfig(context, bench) };
    const report = { options, io: bench.io, clock: bench.clock };
    assert.equal(await reportMigration(['registry.test/team/app'], report), EXIT.ok);
    assert.match(bench.out, /targets publishes 2 tags, held by 1 key/);
    bench.clear();
    assert.equal(await reportMigration([], report), EXIT.ok);
    assert.match(bench.out, /^registry\.test\/team\/app\n/);
    bench.clear();
    assert.equal(await reportMigration(['elsewhere.test/a'], report), EXIT.refused);
    assert.match(bench.out, /no policy rule/);
  });
});
