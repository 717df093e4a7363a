import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { ConfigFiles } from '../../../src/config/config-files.ts';
import { ConfigWatch } from '../../../src/config/config-watch.ts';
import { ConfigError } from '../../../src/config/errors.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { rejectsWithCode } from '../../support/reject-with-code.ts';

const USABLE = `data: ./data
listeners: { registry: { address: 127.0.0.1:0 } }
upstreams:
  registry.example.com:
    url: https://registry.example.com
    credentials: { username: ci, passwordFile: secrets/password }
policy: [{ match: registry.example.com/**, allowUnverified: true, reason: a test }]
`;

async function place(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'pinnace-config-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await mkdir(join(folder, 'first'));
  await writeFile(join(folder, 'first', 'password'), 'one\n');
  await symlink('first', join(folder, 'secrets'));
  await writeFile(join(folder, 'pinnace.yaml'), USABLE);
  return folder;
}

describe('ConfigFiles', () => {
  it('has not changed as long as nothing happens to its files', async (t) => {
    const folder = await place(t);
    const files = new ConfigFiles(join(folder, 'pinnace.yaml'), { env: {} });
    await files.load();
    assert.equal(await files.changed(), undefined);
    await writeFile(join(folder, 'another.yaml'), 'of no concern');
    assert.equal(await files.changed(), undefined);
  });

  for (const [name, change] of [
    [
      'the file is written',
      (folder: string) => writeFile(join(folder, 'pinnace.yaml'), `${USABLE}\n`),
    ],
    ['the file goes', (folder: string) => rm(join(folder, 'pinnace.yaml'))],
    [
      'a file it names is written',
      (folder: string) => writeFile(join(folder, 'first', 'password'), 'two\n'),
    ],
    [
      'a link on the way is exchanged, as for secrets of Kubernetes',
      async (folder: string) => {
        await mkdir(join(folder, 'second'));
        await writeFile(join(folder, 'second', 'password'), 'two\n');
        await symlink('second', join(folder, 'secrets-next'));
        await rename(join(folder, 'secrets-next'), join(folder, 'secrets'));
      },
    ],
  ] as const) {
    it(`has changed when ${name}, until it is loaded`, async (t) => {
      const folder = await place(t);
      const files = new ConfigFiles(join(folder, 'pinnace.yaml'), { env: {} });
      await files.load();
      await change(folder);
      assert.notEqual(await files.changed(), undefined);
      await files.load().catch(() => undefined);
      assert.equal(await files.changed(), undefined);
    });
  }

  it('knows what a configuration that cannot be used would need', async (t) => {
    const folder = await place(t);
    const files = new ConfigFiles(join(folder, 'pinnace.yaml'), { env: {} });
    await rm(join(folder, 'first', 'password'));
    await rejectsWithCode(files.load(), ConfigError, 'config_invalid');
    assert.equal(await files.changed(), undefined);
    await writeFile(join(folder, 'first', 'password'), 'two\n');
    assert.notEqual(await files.changed(), undefined);
    await files.load();
  });
});

/** Files of which a test says what they look like. */
class Looks {
  now: string | undefined;
  changes = 0;
  readonly clock = new FakeClock();
  readonly watch: ConfigWatch = new ConfigWatch(
    { changed: async () => this.now },
    {
      clock: this.clock,
      onChange: async () => {
        this.changes += 1;
      },
      everyMs: 1_000,
    },
  );

  async pass(...seen: readonly (string | undefined)[]): Promise<void> {
    for (const each of seen) {
      this.now = each;
      this.clock.advance(1_000);
      await new Promise(setImmediate);
    }
  }
}

describe('ConfigWatch', () => {
  it('tells of a change once it keeps still', async () => {
    const looks = new Looks();
    looks.watch.start();
    await looks.pass(undefined, 'a', 'b', 'c');
    assert.equal(looks.changes, 0);
    await looks.pass('c');
    assert.equal(looks.changes, 1);
    await looks.pass(undefined, undefined);
    assert.equal(looks.changes, 1);
    await looks.pass('d', 'd');
    assert.equal(looks.changes, 2);
    looks.watch.stop();
  });

  it('forgets a change that was taken back', async () => {
    const looks = new Looks();
    looks.watch.start();
    await looks.pass('a', undefined, 'a', undefined);
    assert.equal(looks.changes, 0);
    looks.watch.stop();
  });

  it('looks no more once it is stopped', async () => {
    const looks = new Looks();
    looks.watch.start();
    await looks.pass('a');
    looks.watch.stop();
    await looks.pass('a', 'a', 'a');
    assert.equal(looks.changes, 0);
  });
});
