import assert from 'node:assert/strict';
import {
  mkdir,
  mkdtemp,
  readdir,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { readHanded, writeHanded } from '../../../src/front/handed-file.ts';
import { readInnerHead, writeAskedBy } from '../../../src/front/inner-head.ts';
import { makeRunFolder } from '../../../src/front/run-folder.ts';
import { StoredFiles } from '../../../src/front/stored-files.ts';
import { WatchedClients } from '../../../src/front/watched-clients.ts';
import { sha256Digest } from '../../../src/oci/digest.ts';
import { parseRepositoryName } from '../../../src/oci/names.ts';
import { ByteBudget } from '../../../src/resolve/byte-budget.ts';
import type { StoredFile } from '../../../src/resolve/ports.ts';
import type { HandedContent } from '../../../src/server/peer.ts';
import { ContentLayout } from '../../../src/store/content-layout.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const SECRET = 'a'.repeat(64);

async function folderFor(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'pinnace-front-'));
  t.after(async () => await rm(folder, { recursive: true, force: true }));
  return folder;
}

describe('what a front says of a request', () => {
  const head = {
    ...{ listener: 'registry', client: '2001:db8::1', isTls: true },
    ...{ takesFiles: true, isSurplus: false },
  };

  it('reads as it was written', () => {
    const headers = { 'x-pinnace-front': writeAskedBy(SECRET, head) };
    assert.deepEqual(readInnerHead(headers, SECRET), head);
  });

  const ROWS: readonly { readonly name: string; readonly line: string | undefined }[] = [
    { name: 'no line', line: undefined },
    { name: 'an empty line', line: '' },
    { name: 'no secret', line: writeAskedBy('', head) },
    { name: 'another secret', line: writeAskedBy('b'.repeat(64), head) },
    { name: 'the beginning of the secret', line: writeAskedBy('a'.repeat(63), head) },
    { name: 'more than the secret', line: writeAskedBy('a'.repeat(65), head) },
  ];
  for (const { name, line } of ROWS) {
    it(`counts for nothing with ${name}`, () => {
      const headers = line === undefined ? {} : { 'x-pinnace-front': line };
      assert.equal(readInnerHead(headers, SECRET), undefined);
    });
  }
});

describe('clients that are watched', () => {
  it('are so by their plain address, for the time given', () => {
    const clock = new FakeClock();
    const watched = new WatchedClients(clock);
    watched.watch('10.0.0.1', 1_000);
    assert.equal(watched.has('::ffff:10.0.0.1'), true);
    assert.equal(watched.has('10.0.0.2'), false);
    clock.advance(1_000);
    assert.equal(watched.has('10.0.0.1'), false);
  });
});

describe('the folder of a run', () => {
  it('is for nobody else, and gone with what dead processes left', async (t) => {
    const data = await folderFor(t);
    // No process has an id as high as this.
    await mkdir(join(data, 'pinnace-run-4194999-abcdef'));
    await mkdir(join(data, `pinnace-run-${process.ppid}-abcdef`));
    const folder = await makeRunFolder(data);
    assert.equal((await stat(folder.path)).mode & 0o777, 0o700);
    const others = (await readdir(data)).filter((name) => join(data, name) !== folder.path);
    assert.deepEqual(others, [`pinnace-run-${process.ppid}-abcdef`]);
    await folder.remove();
    await assert.rejects(stat(folder.path), { code: 'ENOENT' });
  });

  it('is a temporary one where the path would be too long for a socket', async (t) => {
    const data = join(await folderFor(t), 'x'.repeat(90));
    const folder = await makeRunFolder(data);
    t.after(async () => await folder.remove());
    assert.equal(dirname(folder.path), tmpdir());
  });
});

describe('content that is handed over', () => {
  const digest = sha256Digest(Buffer.from('content'));
  const file: StoredFile = {
    digest,
    size: 2n ** 40n,
    mtimeNs: 1_764_000_000_123_456_789n,
    ino: 9n,
  };
  const content = {
    ...{ file, range: { start: 5, end: 900 }, requestId: 'abc-1', caller: undefined },
    keep: undefined,
    repository: parseRepositoryName('registry.example.com/team/app'),
  };

  it('reads as it was written', () => {
    const caller = { source: 'staff', name: 'alice', groups: new Set<string>() };
    assert.deepEqual(readHanded(writeHanded(content)), content);
    assert.deepEqual(readHanded(writeHanded({ ...content, caller })), { ...content, caller });
    const keep = { epoch: 3, forMs: 10_000, newest: 5, resets: 1 };
    assert.deepEqual(readHanded(writeHanded({ ...content, keep })), { ...content, keep });
  });

  it('is not to be kept by words that are not whole', () => {
    const keep = { epoch: 3, forMs: 10_000, newest: 5, resets: 1 };
    for (const name of Object.keys(keep)) {
      for (const value of [undefined, null, '7', Number.POSITIVE_INFINITY]) {
        const spoiled = { ...content, keep: { ...keep, [name]: value } } as HandedContent;
        assert.equal(readHanded(writeHanded(spoiled))?.keep, undefined, name);
      }
    }
  });

  it('is none that is not whole', () => {
    for (const text of [undefined, '', 'e30', 'AAAA']) assert.equal(readHanded(text), undefined);
    const beyond = { ...content, range: { start: 0, end: 2 ** 41 } };
    assert.equal(readHanded(writeHanded(beyond)), undefined);
  });
});

describe('stored files that a front opens', () => {
  const bytes = Buffer.from('stored content');
  const digest = sha256Digest(bytes);

  async function store(t: TestContext): Promise<{
    readonly files: StoredFiles;
    readonly path: string;
    readonly stamp: StoredFile;
  }> {
    const folder = await folderFor(t);
    const path = new ContentLayout(folder).pathOf(digest);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, bytes);
    const { size, mtimeNs, ino } = await stat(path, { bigint: true });
    const limits = { bufferedBytes: 2 ** 20, waiting: { most: 1, waitMs: 1 } };
    const clock = systemClock;
    const files = new StoredFiles({ folder, budget: new ByteBudget(clock, limits), clock });
    return { files, path, stamp: { digest, size, mtimeNs, ino } };
  }

  it('are those that were verified', async (t) => {
    const { files, stamp } = await store(t);
    const blob = await files.open(stamp);
    assert.equal(blob?.size, bytes.length);
    blob?.close();
  });

  for (const member of ['size', 'mtimeNs', 'ino'] as const) {
    it(`are not any with another ${member}`, async (t) => {
      const { files, stamp } = await store(t);
      assert.equal(await files.open({ ...stamp, [member]: stamp[member] + 1n }), undefined);
    });
  }

  it('stay open for the next, until another one was verified in their place', async (t) => {
    const { files, path, stamp } = await store(t);
    const first = await files.open(stamp);
    first?.close();
    await rename(path, `${path}.old`);
    const again = await files.open(stamp);
    assert.equal(again?.size, bytes.length);
    again?.close();
    await writeFile(path, bytes);
    const { size, mtimeNs, ino } = await stat(path, { bigint: true });
    const next = await files.open({ digest, size, mtimeNs, ino });
    assert.equal(next?.size, bytes.length);
    next?.close();
    assert.equal(await files.open(stamp), undefined);
  });

  it('are not any that were removed while they were kept open', async (t) => {
    const { files, path, stamp } = await store(t);
    const first = await files.open(stamp);
    first?.close();
    await rm(path);
    assert.equal(await files.open(stamp), undefined);
  });

  it('are not any that were written to while they were kept open', async (t) => {
    const { files, path, stamp } = await store(t);
    (await files.open(stamp))?.close();
    await writeFile(path, Buffer.alloc(bytes.length, 'x'));
    await utimes(path, new Date(), new Date());
    assert.equal(await files.open(stamp), undefined);
  });

  it('are not any that were written to since, nor gone, nor links', async (t) => {
    const { files, path, stamp } = await store(t);
    await writeFile(path, Buffer.alloc(bytes.length, 'x'));
    await utimes(path, new Date(), new Date());
    assert.equal(await files.open(stamp), undefined);
    await rm(path);
    assert.equal(await files.open(stamp), undefined);
    const elsewhere = join(dirname(path), 'elsewhere');
    await writeFile(elsewhere, bytes);
    await symlink(elsewhere, path);
    const { size, mtimeNs, ino } = await stat(elsewhere, { bigint: true });
    assert.equal(await files.open({ digest, size, mtimeNs, ino }), undefined);
  });
});
