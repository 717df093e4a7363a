import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isDigest } from '../../../src/oci/digest.ts';
import { DiskContentStore } from '../../../src/store/content-store.ts';
import { beforeRemoval, temporaryFolder } from '../../support/blob-doubles.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const CHILD = fileURLToPath(new URL('../../support/content-writer-child.ts', import.meta.url));

function spawnWriter(folder: string): ChildProcess {
  return spawn(process.execPath, [CHILD, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
}

async function startedStore(context: TestContext, folder: string): Promise<DiskContentStore> {
  const store = new DiskContentStore({ folder, maxBytes: 1e9, clock: new FakeClock(new Date()) });
  await store.start();
  await store.indexed;
  beforeRemoval(context, () => store.close());
  return store;
}

async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

test('a process killed while it writes leaves only right content, and its leftovers go at the next start', async (t) => {
  const folder = await temporaryFolder(t);
  let sawLeftovers = false;
  for (let round = 0; round < 4; round += 1) {
    const child = spawnWriter(folder);
    assert.ok(child.stdout);
    let kept = 0;
    for await (const chunk of child.stdout) {
      kept += String(chunk).split('\n').length - 1;
      // At another moment each time; the writes go on meanwhile.
      if (kept > 5 + round * 7) break;
    }
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    sawLeftovers ||= (await readdir(join(folder, 'tmp'))).length > 0;
  }
  assert.ok(sawLeftovers, 'no write was ever interrupted');
  const store = await startedStore(t, folder);
  assert.deepEqual(await readdir(join(folder, 'tmp')), []);
  const files = await filesBelow(join(folder, 'v1'));
  assert.ok(files.length > 20);
  for (const file of files) {
    const hex = createHash('sha256')
      .update(await readFile(file))
      .digest('hex');
    assert.equal(hex, basename(file));
    const digest = `sha256:${hex}`;
    assert.ok(isDigest(digest) && store.has(digest));
    const content = await store.open(digest);
    assert.ok(content);
    content.close();
  }
});

test('temporary files of a live process sharing the folder stay', async (t) => {
  const folder = await temporaryFolder(t);
  const child = spawnWriter(folder);
  const exited = once(child, 'exit');
  beforeRemoval(t, async () => {
    child.kill('SIGKILL');
    await exited;
  });
  assert.ok(child.stdout);
  let output = '';
  let starts = 0;
  for await (const chunk of child.stdout) {
    output += String(chunk);
    // Each start looks for leftovers while the child is in the middle of its files.
    await startedStore(t, folder);
    starts += 1;
    if (starts >= 10) break;
  }
  assert.ok(output.includes('kept') && !output.includes('lost'));
});

test('temporary files are told apart by name and age', async (t) => {
  const folder = await temporaryFolder(t);
  const tmp = join(folder, 'tmp');
  await mkdir(tmp, { recursive: true });
  const probe = await startedStore(t, folder);
  const digest = `sha256:${'0'.repeat(64)}`;
  assert.ok(isDigest(digest));
  const writer = await probe.create(digest, 1);
  beforeRemoval(t, () => writer.close());
  const [own] = await readdir(tmp);
  const [host] = own?.split('-') ?? [];
  const rows: readonly (readonly [string, string, boolean, boolean])[] = [
    [
      'an earlier life with our process id',
      `${host}-${process.pid}-aaaaaaaaaaaa-1.part`,
      false,
      false,
    ],
    ['a live process', `${host}-${process.ppid}-bbbbbbbbbbbb-1.part`, false, true],
    [
      'a live process, untouched for long',
      `${host}-${process.ppid}-bbbbbbbbbbbb-2.part`,
      true,
      false,
    ],
    ['another machine', '00000000-1-cccccccccccc-1.part', false, true],
    ['another machine, untouched for long', '00000000-1-cccccccccccc-2.part', true, false],
    ['not one of ours', 'notes.txt', true, true],
  ];
  for (const [, name, isOld] of rows) {
    await writeFile(join(tmp, name), 'x');
    if (isOld) await utimes(join(tmp, name), 1_000_000, 1_000_000);
  }
  await startedStore(t, folder);
  const left = new Set(await readdir(tmp));
  for (const [why, name, , stays] of rows) assert.equal(left.has(name), stays, why);
});
