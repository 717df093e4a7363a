import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { TrustServerError } from '../../../src/metadata/errors.ts';
import { FolderMetadataSource } from '../../../src/store/folder-metadata-source.ts';
import { TrustError } from '../../../src/trust/errors.ts';
import { rejectsWithCode } from '../../support/reject-with-code.ts';
import { giveUpRoot } from '../../support/without-root.ts';

const LIMIT = { maxBytes: 100 };
const CONTENT = Buffer.from('{"signed":{}}');

async function setUp(
  t: TestContext,
): Promise<{ readonly folder: string; readonly source: FolderMetadataSource }> {
  const parent = await mkdtemp(join(tmpdir(), 'pinnace-folder-'));
  t.after(() => rm(parent, { recursive: true, force: true }));
  const folder = join(parent, 'tuf');
  await mkdir(folder);
  return { folder, source: new FolderMetadataSource(folder) };
}

describe('FolderMetadataSource', () => {
  it('gives back the exact bytes of a file, and undefined when there is none', async (t) => {
    const { folder, source } = await setUp(t);
    for (const name of ['timestamp.json', '12.root.json', '1.team%2Fa.json', '1.~a_b-c.d.json']) {
      await writeFile(join(folder, name), CONTENT);
      assert.deepEqual(await source.fetch('*', name, LIMIT), CONTENT);
    }
    await writeFile(join(folder, 'empty.json'), '');
    assert.equal((await source.fetch('*', 'empty.json', LIMIT))?.length, 0);
    assert.equal(await source.fetch('*', '13.root.json', LIMIT), undefined);
    await source.close();
  });

  it('sees what is new at once, also when the folder is exchanged', async (t) => {
    const { folder, source } = await setUp(t);
    assert.equal(await source.fetch('*', 'timestamp.json', LIMIT), undefined);
    await mkdir(`${folder}.new`);
    await writeFile(join(`${folder}.new`, 'timestamp.json'), CONTENT);
    await rename(folder, `${folder}.old`);
    await symlink(`${folder}.new`, folder);
    assert.deepEqual(await source.fetch('*', 'timestamp.json', LIMIT), CONTENT);
  });

  it('takes a file of just the limit and no longer one', async (t) => {
    const { folder, source } = await setUp(t);
    await writeFile(join(folder, 'a.json'), CONTENT);
    const exact = { maxBytes: CONTENT.length };
    assert.deepEqual(await source.fetch('*', 'a.json', exact), CONTENT);
    await writeFile(join(folder, 'a.json'), `${CONTENT} `);
    await rejectsWithCode(source.fetch('*', 'a.json', exact), TrustError, 'length_exceeded');
  });

  const escapes = [
    '../secret.json',
    '..%2Fsecret.json/../../secret.json',
    '/etc/passwd.json',
    'a/b.json',
    'a\\b.json',
    'a\u0000.json',
    'timestamp.json\n',
    'timestamp',
    '.json',
    '',
    '%2f.json',
    '%zz.json',
    `${'a'.repeat(1300)}.json`,
  ];
  for (const name of escapes) {
    it(`does not look for ${JSON.stringify(name.slice(0, 40))}`, async (t) => {
      const { folder, source } = await setUp(t);
      await writeFile(join(folder, '..', 'secret.json'), CONTENT);
      await rejectsWithCode(source.fetch('*', name, LIMIT), TrustError, 'malformed');
    });
  }

  it('a folder that is not there is an outage, not a repository without files', async (t) => {
    const { folder, source } = await setUp(t);
    await rm(folder, { recursive: true });
    const error = await rejectsWithCode(
      source.fetch('*', 'timestamp.json', LIMIT),
      TrustServerError,
      'trust_server_unreachable',
    );
    assert.equal(error.detail['systemCode'], 'ENOENT');
    await writeFile(folder, 'a file');
    await rejectsWithCode(
      source.fetch('*', 'a.json', LIMIT),
      TrustServerError,
      'trust_server_unreachable',
    );
  });

  it('what is no file cannot be judged, and nothing waits for it', async (t) => {
    const { folder, source } = await setUp(t);
    await mkdir(join(folder, 'timestamp.json'));
    execFileSync('mkfifo', [join(folder, 'pipe.json')]);
    for (const name of ['timestamp.json', 'pipe.json']) {
      await rejectsWithCode(source.fetch('*', name, LIMIT), TrustServerError, 'trust_server_error');
    }
  });

  it('does not begin when its signal has fired', async (t) => {
    const { source } = await setUp(t);
    const reason = new Error('gone');
    const call = source.fetch('*', 'a.json', { ...LIMIT, signal: AbortSignal.abort(reason) });
    await assert.rejects(call, (error) => error === reason);
  });

  it('a file that may not be read is one for the operator', async (t) => {
    const { folder, source } = await setUp(t);
    await writeFile(join(folder, 'a.json'), CONTENT);
    await chmod(join(folder, 'a.json'), 0);
    giveUpRoot(join(folder, '..'));
    await rejectsWithCode(
      source.fetch('*', 'a.json', LIMIT),
      TrustServerError,
      'trust_server_unauthorized',
    );
  });
});
