import assert from 'node:assert/strict';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Updater } from 'tuf-js';
import { buildImage, buildIndex, type Image, type ImageIndex } from '../support/images.ts';
import { SiteCollection } from '../support/site-collection.ts';

/** What Pinnace pins an image to. */
interface Pinned {
  readonly digest: string;
  readonly size: number;
  readonly custom: unknown;
  readonly manifest: Buffer;
}

const REFUSED = 1;
const WAITING = 2;
const TEAM = 'team-a';

describe('tuf-js reads a collection that is kept with the commands of pinnace', () => {
  let site: SiteCollection;
  /** A client that has been there since the first root. */
  let oldTimer: string;
  let clients = 0;
  let teamKeyId = '';
  /** Every image that is approved and published, by its full name. */
  const approved = new Map<string, Pinned>();

  before(async () => {
    const two = ['root', 'targets'].flatMap((role) => [
      `--${role}-keys=2`,
      `--${role}-threshold=2`,
    ]);
    site = await SiteCollection.create(...two);
    oldTimer = await newClient();
  });

  after(async () => await site[Symbol.asyncDispose]());

  it('begins with the first root, and finds nothing while nothing is approved', async () => {
    await push('team/app:1.0', buildImage());
    await seesWhatPinnaceSees();
    assert.equal(await infoOf(oldTimer, nameOf('team/app:1.0')), undefined);
  });

  it('finds approved images, and downloads them', async () => {
    await approve('team/app:1.0');
    await approve('team/index:1.0', buildIndex([buildImage({ message: 'one of several' })]));
    await seesWhatPinnaceSees();
    assert.equal(await infoOf(oldTimer, nameOf('team/app:unseen')), undefined);
  });

  it('does not see what one of two holders has signed, and sees it once both have', async () => {
    const image = buildImage({ message: 'signed by two' });
    const name = await push('team/app:two', image);
    const [first = '', second = ''] = await site.keyFiles('targets');
    await waits('approve', '--key', first, name);
    await site.publish();
    await seesWhatPinnaceSees();
    assert.equal(await infoOf(oldTimer, name), undefined);
    await site.run('sign', '--yes', '--key', second);
    await published(name, image);
    await seesWhatPinnaceSees();
  });

  it('follows a delegation to what a team approves below its prefix', async () => {
    const key = join(site.folder, `${TEAM}.json`);
    teamKeyId = await makeTeamKey(key);
    const pub = join(site.folder, `${TEAM}.pub`);
    await waits('add-signer', TEAM, '--prefix', nameOf('team-a/'), '--pub', pub);
    await site.run('sign', '--yes', '--key', key);
    await approve('team-a/deep/below/app:1.0', buildImage({ message: 'deep' }), ['--key', key]);
    await seesWhatPinnaceSees();
    const beside = await push('team-b/app:1.0', buildImage());
    const outside = await site.tryTo('approve', '--yes', '--role', TEAM, '--key', key, beside);
    assert.equal(outside.exitCode, REFUSED);
  });

  for (const role of ['root', 'targets', 'snapshot', 'timestamp']) {
    it(`follows a change of all keys of ${role}`, async () => {
      const old = await site.keyFiles(role);
      await site.run('rotate-key', role, '--yes');
      for (const file of old) await rm(file);
      await approve(`team/after:${role}`);
      await seesWhatPinnaceSees();
    });
  }

  it("follows a change of a team's keys", async () => {
    const key = join(site.folder, 'team-a-2.json');
    const old = teamKeyId;
    await makeTeamKey(key);
    const pub = join(site.folder, 'team-a-2.pub');
    await waits('rotate-key', TEAM, '--add', pub, '--remove', old);
    await site.run('sign', '--yes', '--key', key);
    await approve('team-a/app:2.0', buildImage({ message: 'by the new key' }), ['--key', key]);
    await seesWhatPinnaceSees();
  });

  it('takes the renewed timestamp', async () => {
    const old = await versionOf(oldTimer, 'timestamp');
    await site.run('renew', '--publish', site.published);
    await seesWhatPinnaceSees();
    assert.equal(await versionOf(oldTimer, 'timestamp'), old + 1);
  });

  it('no longer finds an image whose approval was taken back', async () => {
    const name = nameOf('team/app:1.0');
    await site.run('revoke', '--yes', name);
    await site.publish();
    approved.delete(name);
    await seesWhatPinnaceSees();
    assert.equal(await infoOf(oldTimer, name), undefined);
  });

  function nameOf(image: string): string {
    return `${site.host}/${image}`;
  }

  /** Puts an image into the registry and gives back its full name. */
  async function push(name: string, image: Image | ImageIndex): Promise<string> {
    const [repository = '', tag = ''] = name.split(':');
    site.registry.push(repository, image, tag);
    site.offerTarget(nameOf(name), image.manifest);
    return nameOf(name);
  }

  async function approve(
    name: string,
    image: Image | ImageIndex = buildImage({ message: name }),
    options: readonly string[] = [],
  ): Promise<void> {
    await site.run('approve', '--yes', ...options, await push(name, image));
    await published(nameOf(name), image);
  }

  /** Publishes, and keeps what Pinnace says about the image for comparison. */
  async function published(name: string, { manifest }: Image | ImageIndex): Promise<void> {
    await site.publish();
    const { out, err } = await site.command('resolve', name, '--json', '--config', site.configFile);
    const { verdict, digest, size, custom } = JSON.parse(out);
    assert.equal(verdict, 'pinned', err);
    assert.equal(digest, manifest.digest);
    approved.set(name, { digest, size, custom, manifest: manifest.bytes });
  }

  /** Runs a command whose signatures do not suffice yet. */
  async function waits(command: string, ...words: readonly string[]): Promise<void> {
    const { exitCode, out, err } = await site.tryTo(command, '--yes', ...words);
    assert.equal(exitCode, WAITING, out + err);
  }

  /** Has a client that has been there since the beginning and a new one find every approved image as Pinnace does. */
  async function seesWhatPinnaceSees(): Promise<void> {
    for (const client of [oldTimer, await newClient()]) {
      const updater = updaterIn(client);
      await updater.refresh();
      for (const [name, pinned] of approved) {
        const found = await updater.getTargetInfo(name);
        assert.ok(found, name);
        const { length, hashes, custom } = found;
        assert.deepEqual(
          { length, hashes },
          { length: pinned.size, hashes: { sha256: pinned.digest.slice(7) } },
        );
        assert.ok(pinned.custom);
        assert.deepEqual(custom, pinned.custom);
        const file = await updater.downloadTarget(found, join(client, 'download'));
        assert.deepEqual(await readFile(file), pinned.manifest);
      }
    }
  }

  /** A client's folder with nothing in it but the first root. */
  async function newClient(): Promise<string> {
    clients += 1;
    const folder = join(site.folder, `client-${clients}`);
    await mkdir(folder);
    await writeFile(join(folder, 'root.json'), await site.firstRoot());
    return folder;
  }

  function updaterIn(client: string): Updater {
    return new Updater({
      metadataDir: client,
      metadataBaseUrl: `${site.web.url}/metadata`,
      targetBaseUrl: `${site.web.url}/targets`,
      config: { fetchRetry: 0 },
    });
  }

  async function infoOf(client: string, name: string): Promise<unknown> {
    const updater = updaterIn(client);
    await updater.refresh();
    return await updater.getTargetInfo(name);
  }

  async function versionOf(client: string, role: string): Promise<number> {
    return JSON.parse(await readFile(join(client, `${role}.json`), 'utf8')).signed.version;
  }

  /** Makes a key for the team and gives back its ID. */
  async function makeTeamKey(file: string): Promise<string> {
    const { out } = await site.run('keygen', file, '--role', TEAM);
    return /^Made team-a key ([0-9a-f]{64})\n/.exec(out)?.[1] ?? assert.fail(out);
  }
});
