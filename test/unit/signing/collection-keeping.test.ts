import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { revoke } from '../../../src/signing/approvals.ts';
import { conclude, needsRenewal, publicationOf, renew } from '../../../src/signing/collection.ts';
import { SigningError } from '../../../src/signing/errors.ts';
import { openedKeys } from '../../../src/signing/key-ring.ts';
import { renewalDueAt } from '../../../src/signing/schedule.ts';
import { DEFAULT_SETTINGS } from '../../../src/signing/settings.ts';
import { signDraft } from '../../../src/signing/sign-draft.ts';
import { changeKeys, extend } from '../../../src/signing/signers.ts';
import { rejectsWithCode } from '../../support/reject-with-code.ts';
import { DAY, Desk, digestOf, GUN, newKeys } from './desk.ts';

async function metadataOf(desk: Desk): Promise<ReadonlyMap<string, string>> {
  const folder = join(desk.dir, 'metadata');
  const names = (await readdir(folder)).sort();
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
  return new Map(names.map((name, index) => [name, texts[index] ?? '']));
}

describe('renewal', () => {
  it('needs the online keys only, and keeps pulls going', async (context) => {
    const desk = await Desk.begin(context);
    await desk.approve('1.0');
    const ring = desk.ring('snapshot', 'timestamp');
    for (let day = 0; day < 10; day += 1) {
      desk.clock.advance(DAY - 3600_000);
      await renew(await desk.open(), { ring, clock: desk.clock });
      assert.equal(await desk.seen('1.0'), digestOf('1.0'));
    }
    const { repository } = await desk.open();
    assert.equal(repository.current.get('targets')?.version, 2);
    assert.equal(repository.current.get('timestamp')?.version, 12);
    assert.equal(repository.current.get('snapshot')?.version, 4);
    desk.clock.advance(DAY);
    assert.equal(await desk.seen('1.0'), 'timestamp_expired');
  });

  it('cannot sign anything else', async (context) => {
    const desk = await Desk.begin(context);
    const ring = desk.ring('snapshot', 'timestamp');
    await rejectsWithCode(
      desk.approve('1.0', digestOf('a'), { ring }),
      SigningError,
      'key_missing',
    );
  });

  it('stops when root or targets are about to end, and changes nothing then', async (context) => {
    const desk = await Desk.begin(context);
    desk.clock.advance(363 * DAY);
    const before = await metadataOf(desk);
    const ring = desk.ring('snapshot', 'timestamp');
    const renewing = renew(await desk.open(), { ring, clock: desk.clock });
    await rejectsWithCode(renewing, SigningError, 'about_to_expire');
    assert.deepEqual(await metadataOf(desk), before);
    // A snapshot and timestamp that have ended are no obstacle to those who sign.
    await desk.change((edit) => extend(edit, 'root'));
    await desk.change((edit) => extend(edit, 'targets'));
    await renew(await desk.open(), { ring, clock: desk.clock });
    assert.equal(await desk.seen('1.0'), 'tag_not_signed');
  });

  it('brings a change into effect that was signed where the online keys are not', async (context) => {
    const desk = await Desk.begin(context);
    const ring = desk.ring('targets');
    const signed = await desk.approve('1.0', digestOf('a'), { ring });
    assert.equal(signed, 'waits-for-online-keys');
    assert.equal(await desk.seen('1.0'), 'tag_not_signed');
    const online = { ring: desk.ring('snapshot', 'timestamp'), clock: desk.clock };
    assert.equal(await renew(await desk.open(), online), 'took-effect');
    assert.equal(await desk.seen('1.0'), digestOf('a'));
    assert.equal((await desk.open()).pending.size, 0);
  });

  it('does nothing where somebody else has renewed in time', async (context) => {
    const desk = await Desk.begin(context);
    const online = { ring: desk.ring('snapshot', 'timestamp'), clock: desk.clock };
    const due = { ...online, onlyWhenDue: true };
    assert.equal(await renew(await desk.open(), due), 'not-due');
    desk.clock.advance(DAY / 3 - 1);
    assert.equal(needsRenewal(await desk.open(), desk.clock.now()), false);
    desk.clock.advance(1);
    assert.equal(needsRenewal(await desk.open(), desk.clock.now()), true);
    const slower = await desk.open();
    assert.equal(await renew(await desk.open(), due), 'renewed');
    assert.equal(await renew(slower, due), 'not-due');
    assert.equal((await desk.open()).repository.current.get('timestamp')?.version, 2);
    assert.equal(await renew(await desk.open(), online), 'renewed', 'asked for by hand');
  });

  it('is due for a snapshot that ends before the timestamp', async (context) => {
    const lifetimes = { ...DEFAULT_SETTINGS.lifetimes, snapshot: 3_600_000 };
    const desk = await Desk.begin(context, { settings: { lifetimes } });
    desk.clock.advance(1_800_000);
    const open = await desk.open();
    assert.equal(renewalDueAt(open.repository, open.settings), desk.clock.now());
    const online = { ring: desk.ring('snapshot', 'timestamp'), clock: desk.clock };
    assert.equal(await renew(open, { ...online, onlyWhenDue: true }), 'renewed');
    assert.equal((await desk.open()).repository.current.get('snapshot')?.version, 2);
  });

  it('says which keys it misses', async (context) => {
    const desk = await Desk.begin(context);
    const renewing = renew(await desk.open(), { ring: openedKeys([]), clock: desk.clock });
    await rejectsWithCode(renewing, SigningError, 'key_missing');
  });
});

describe('several people and crashes', () => {
  it('does not write over what someone else did in the meantime', async (context) => {
    const desk = await Desk.begin(context);
    const ring = desk.ring();
    await desk.approve('1.0');
    const open = await desk.open();
    const draft = revoke({ open, now: desk.clock.now() }, `${GUN}:1.0`);
    const signed = await signDraft(open.repository, draft, ring);
    await desk.approve('2.0');
    const concluding = conclude(open, signed, { ring, clock: desk.clock });
    await rejectsWithCode(concluding, SigningError, 'collection_changed');
    assert.equal(await desk.seen('1.0'), digestOf('1.0'));
    assert.equal(await desk.seen('2.0'), digestOf('2.0'));
  });

  it('builds upon a renewal in the meantime', async (context) => {
    const desk = await Desk.begin(context);
    const ring = desk.ring();
    await desk.approve('1.0');
    const open = await desk.open();
    const draft = revoke({ open, now: desk.clock.now() }, `${GUN}:1.0`);
    const signed = await signDraft(open.repository, draft, ring);
    await renew(await desk.open(), { ring, clock: desk.clock });
    assert.equal(await conclude(open, signed, { ring, clock: desk.clock }), 'in-effect');
    assert.equal(await desk.seen('1.0'), 'tag_not_signed');
  });

  it('does not write while someone else does', async (context) => {
    const desk = await Desk.begin(context);
    await writeFile(join(desk.dir, '.lock'), 'process 1 on elsewhere\n');
    await rejectsWithCode(desk.approve('1.0'), SigningError, 'collection_busy');
    await rm(join(desk.dir, '.lock'));
    assert.equal(await desk.approve('1.0'), 'in-effect');
  });

  it('completes, at whatever point it broke off, what was decided', async (context) => {
    const desk = await Desk.begin(context);
    const before = await metadataOf(desk);
    const [next] = newKeys(1);
    assert.ok(next);
    desk.keys.set('new targets', [next]);
    const remove = (desk.keys.get('targets') ?? []).map(({ keyId }) => keyId);
    await desk.change((edit) =>
      changeKeys(edit, { role: 'targets', add: [next.publicKey], remove }),
    );
    const after = await metadataOf(desk);
    const changed = [...after].filter(([name, text]) => before.get(name) !== text);
    const ordered = [
      ...changed.filter(([name]) => !name.includes('root') && name !== 'timestamp.json'),
      ...changed.filter(([name]) => name.includes('root')),
      ...changed.filter(([name]) => name === 'timestamp.json'),
    ];
    for (let moved = 0; moved <= ordered.length; moved += 1) {
      const metadata = join(desk.dir, 'metadata');
      const commit = join(desk.dir, 'commit');
      await rm(metadata, { recursive: true });
      await mkdir(metadata);
      await mkdir(commit);
      for (const [name, text] of before) await writeFile(join(metadata, name), text);
      for (const [index, [name, text]] of ordered.entries()) {
        await writeFile(join(index < moved ? metadata : commit, name), text);
      }
      const { repository } = await desk.open();
      assert.equal(repository.root.body.version, 2, `${moved} moved`);
      assert.deepEqual(await metadataOf(desk), after, `${moved} moved`);
      assert.deepEqual((await readdir(desk.dir)).sort(), ['collection.json', 'metadata']);
    }
  });

  it('drops what was not yet decided', async (context) => {
    const desk = await Desk.begin(context);
    const before = await metadataOf(desk);
    await mkdir(join(desk.dir, '.staging-1'));
    await writeFile(join(desk.dir, '.staging-1', 'timestamp.json'), '{}');
    await renew(await desk.open(), { ring: desk.ring(), clock: desk.clock });
    assert.deepEqual((await readdir(desk.dir)).sort(), ['collection.json', 'metadata']);
    assert.notDeepEqual(await metadataOf(desk), before);
  });

  it('leaves out a waiting change that came into effect before a crash', async (context) => {
    const desk = await Desk.begin(context, { targets: [2, 2] });
    const [first, second] = desk.keys.get('targets') ?? [];
    assert.ok(first && second);
    await desk.approve('1.0', digestOf('a'), { ring: desk.ringWith(first) });
    const waiting = await readFile(join(desk.dir, 'pending', 'targets.json'));
    await desk.change(({ open }) => open.pending, desk.ringWith(second));
    await writeFile(join(desk.dir, 'pending', 'targets.json'), waiting);
    assert.equal((await desk.open()).pending.size, 0);
    await desk.revoke('1.0');
    await writeFile(join(desk.dir, 'pending', 'targets.json'), waiting);
    await rejectsWithCode(desk.open(), SigningError, 'pending_stale');
  });

  for (const [name, text] of [
    ['targets.json', '{'],
    ['targets.json', '{"signatures":[],"signed":{"_type":"root"}}'],
    ['snapshot.json', '{"signatures":[],"signed":{}}'],
    ['..%2Ftargets.json', '{}'],
  ] as const) {
    it(`refuses to go on with ${text} waiting as ${name}`, async (context) => {
      const desk = await Desk.begin(context);
      await mkdir(join(desk.dir, 'pending'));
      await writeFile(join(desk.dir, 'pending', name), text);
      await rejectsWithCode(desk.open(), SigningError, 'pending_unreadable');
    });
  }

  for (const file of ['1.root.json', '1.targets.json', '1.snapshot.json', 'timestamp.json']) {
    it(`notices that ${file} was changed or is gone`, async (context) => {
      const desk = await Desk.begin(context);
      const path = join(desk.dir, 'metadata', file);
      const text = await readFile(path, 'utf8');
      await writeFile(path, text.replace(/"expires": "2/, '"expires": "3'));
      await rejectsWithCode(desk.open(), SigningError, 'collection_damaged');
      await rename(path, `${path}.away`);
      const code = file === '1.root.json' ? 'collection_missing' : 'collection_damaged';
      await rejectsWithCode(desk.open(), SigningError, code);
    });
  }

  it('begins no collection where there is one', async (context) => {
    const desk = await Desk.begin(context);
    const { repository } = await desk.open();
    const beginning = desk.folder.begin(new Uint8Array(), { metadata: publicationOf(repository) });
    await rejectsWithCode(beginning, SigningError, 'collection_exists');
  });
});
