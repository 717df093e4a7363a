import assert from 'node:assert/strict';
import { chmod, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { stringify } from 'yaml';
import { requireUsableCollections } from '../../../src/app/usable-collections.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { checkConfig } from '../../../src/cli/check-config.ts';
import { ConfigError } from '../../../src/config/errors.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { createKeyFile } from '../../../src/signing/key-file.ts';
import type { FakeClock } from '../../support/fake-clock.ts';
import { giveUpRoot } from '../../support/without-root.ts';
import { collectionBench, PASSPHRASE } from '../cli/collection-bench.ts';
import { DAY } from '../signing/desk.ts';

/** A configuration file that keeps the collection of a bench; its clock is the bench's. */
class Site {
  readonly dir: string;
  readonly file: string;
  readonly clock: FakeClock;

  private constructor(dir: string, clock: FakeClock) {
    this.dir = dir;
    this.clock = clock;
    this.file = join(dir, '..', 'pinnace.yaml');
  }

  static async make(
    context: TestContext,
    more: object = {},
    { encryptOnline = false } = {},
  ): Promise<Site> {
    const bench = await collectionBench(context, { encryptOnline });
    const site = new Site(bench.dir, bench.clock);
    const publish = [{ url: `file://${join(bench.dir, '../published')}` }];
    await writeFile(
      site.file,
      stringify({
        data: './data',
        listeners: { registry: { address: '127.0.0.1:0' } },
        collections: { vetted: { dir: './collection', publish, ...more } },
      }),
    );
    return site;
  }

  key(role: string): string {
    return join(this.dir, 'keys', `${role}-1.json`);
  }

  /** The paths of problems, and of warnings behind a question mark, each with its words. */
  async findings(): Promise<readonly string[]> {
    const { config } = await loadConfig(this.file, { env: {}, clock: this.clock });
    try {
      const warnings = await requireUsableCollections(config, this.clock);
      return warnings.map(({ path, problem }) => `${path}? ${problem}`);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return error.problems.map(({ path, problem }) => `${path}: ${problem}`);
    }
  }
}

async function isFound(site: Site, expected: RegExp): Promise<void> {
  const findings = await site.findings();
  assert.equal(findings.length, 1, findings.join('\n'));
  assert.match(findings[0] ?? '', expected);
}

describe('a configured collection', () => {
  it('is usable as init made it', async (context) => {
    const site = await Site.make(context);
    assert.deepEqual(await site.findings(), []);
  });

  it('has to be there', async (context) => {
    const site = await Site.make(context);
    await rename(site.dir, `${site.dir}-other`);
    await isFound(site, /^collections\.vetted\.dir: there is no collection/);
    await mkdir(site.dir);
    await isFound(site, /^collections\.vetted\.dir: there is no collection/);
  });

  it('needs both online keys at hand', async (context) => {
    const site = await Site.make(context);
    for (const role of ['snapshot', 'timestamp']) {
      await rename(site.key(role), `${site.key(role)}.away`);
      await isFound(site, new RegExp(`^collections\\.vetted\\.keys: .*${role} needs 1 more`));
      await rename(`${site.key(role)}.away`, site.key(role));
    }
    // The keys of holders need not be where the online keys are.
    await rm(site.key('root'));
    await rm(site.key('targets'));
    assert.deepEqual(await site.findings(), []);
  });

  it('finds its online keys elsewhere, where the configuration says so', async (context) => {
    const site = await Site.make(context, { keys: ['./online'] });
    await isFound(site, /^collections\.vetted\.keys: there is no key file or folder/);
    await mkdir(join(site.dir, '../online'));
    for (const role of ['snapshot', 'timestamp']) {
      await rename(site.key(role), join(site.dir, '../online', `${role}.json`));
    }
    assert.deepEqual(await site.findings(), []);
  });

  it('says what is the matter with keys of another collection', async (context) => {
    const site = await Site.make(context);
    const { bytes } = await createKeyFile({ role: 'timestamp', createdAt: 0 });
    await writeFile(site.key('timestamp'), bytes);
    await isFound(site, /^collections\.vetted\.keys: .*timestamp needs 1 more/);
  });

  it('opens online keys with the passphrase of a file, which is asked for where it is missing', async (context) => {
    const bare = await Site.make(context, {}, { encryptOnline: true });
    await isFound(
      bare,
      /^collections\.vetted\.keys: .*encrypted.*collections\.vetted\.passphraseFile/,
    );
    const site = await Site.make(context, { passphraseFile: './secret' }, { encryptOnline: true });
    await writeFile(join(site.dir, '../secret'), 'another one\n');
    await isFound(site, /^collections\.vetted\.keys: .*passphrase is wrong/);
    await writeFile(join(site.dir, '../secret'), `${PASSPHRASE}\n`);
    assert.deepEqual(await site.findings(), []);
  });

  it('is warned of where it is damaged, or about to end', async (context) => {
    const site = await Site.make(context);
    site.clock.advance(340 * DAY);
    const endings = await site.findings();
    assert.equal(endings.length, 2);
    assert.match(endings[0] ?? '', /^collections\.vetted\? its root ends 2027-11-23/);
    await rm(join(site.dir, 'metadata', '1.targets.json'));
    await isFound(site, /^collections\.vetted\.dir\? the metadata is not complete/);
  });
});

describe('check-config', () => {
  async function run(site: Site, checkFiles: boolean): Promise<readonly [number, string]> {
    let printed = '';
    const sink = { write: (text: string) => (printed += text) };
    const io = { stdout: sink, stderr: sink, env: {}, checkFiles };
    return [await checkConfig(site.file, io), printed];
  }

  it('names what is kept current, and finds what stands in its way', async (context) => {
    const site = await Site.make(context);
    assert.ok(site.clock.now() <= systemClock.now());
    const [good, said] = await run(site, true);
    assert.equal(good, 0);
    assert.match(said, /renews {5}vetted/);
    await rm(site.key('timestamp'));
    const [bad, complained] = await run(site, true);
    assert.equal(bad, 1);
    assert.match(complained, /collections\.vetted\.keys\n/);
    assert.equal((await run(site, false))[0], 0, '--no-files');
  });
});

describe('a configured collection that Pinnace does not own', () => {
  it('has to be writable', async (context) => {
    const site = await Site.make(context);
    giveUpRoot(join(site.dir, '..'));
    assert.deepEqual(await site.findings(), []);
    for (const folder of [site.dir, join(site.dir, 'metadata')]) {
      await chmod(folder, 0o555);
      await isFound(site, /^collections\.vetted\.dir: EACCES/);
      await chmod(folder, 0o755);
    }
  });
});
