import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { promote, revoke } from '../../../src/signing/approvals.ts';
import { conclude, discardPending, publicationOf, renew } from '../../../src/signing/collection.ts';
import { SigningError } from '../../../src/signing/errors.ts';
import { openedKeys } from '../../../src/signing/key-ring.ts';
import { signDraft } from '../../../src/signing/sign-draft.ts';
import { addSigner, changeKeys, extend, removeSigner } from '../../../src/signing/signers.ts';
import { rejectsWithCode } from '../../support/reject-with-code.ts';
import { DAY, Desk, digestOf, GUN, newKeys } from './desk.ts';

async function metadataOf(desk: Desk): Promise<ReadonlyMap<string, string>> {
  const folder = join(desk.dir, 'metadata');
  const names = (await readdir(folder)).sort();
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
  return new Map(names.map((name, index) => [name, texts[index] ?? '']));
}

describe('a collection of one’s own', () => {
  it('begins empty, and is believed by a client that has its first root', async (context) => {
    const desk = await Desk.begin(context);
    assert.equal(await desk.seen('1.0'), 'tag_not_signed');
  });

  it('serves what is approved, moved, promoted and revoked', async (context) => {
    const desk = await Desk.begin(context);
    assert.equal(await desk.approve('1.0'), 'in-effect');
    assert.equal(await desk.seen('1.0'), digestOf('1.0'));
    await desk.approve('1.0', digestOf('other'));
    assert.equal(await desk.seen('1.0'), digestOf('other'));
    await desk.change((edit) => promote(edit, { from: `${GUN}:1.0`, to: `${GUN}:stable` }));
    assert.equal(await desk.seen('stable'), digestOf('other'));
    await desk.revoke('1.0');
    assert.equal(await desk.seen('1.0'), 'tag_not_signed');
    assert.equal(await desk.seen('stable'), digestOf('other'));
  });

  it('makes no new version of what says the same', async (context) => {
    const desk = await Desk.begin(context);
    await desk.approve('1.0');
    const before = await desk.open();
    const draft = await (async () => {
      const entry = before.repository.current.get('targets')?.signed;
      assert.ok(entry);
      return promote(
        { open: before, now: desk.clock.now() + 5 },
        { from: `${GUN}:1.0`, to: `${GUN}:1.0` },
      );
    })();
    assert.equal(draft, before.pending);
  });

  it('refuses what is not there', async (context) => {
    const desk = await Desk.begin(context);
    await rejectsWithCode(desk.revoke('1.0'), SigningError, 'not_approved');
    const promoting = desk.change((edit) => promote(edit, { from: 'a', to: 'b' }));
    await rejectsWithCode(promoting, SigningError, 'not_approved');
  });

  it('ends an approval at its own time', async (context) => {
    const desk = await Desk.begin(context, { settings: {} });
    const expiresAt = desk.clock.now() + 3600_000;
    await desk.approve('1.0', digestOf('a'), { expiresAt });
    await desk.approve('2.0', digestOf('a'));
    assert.equal(await desk.seen('1.0'), digestOf('a'));
    const { value } = await desk.bench.collection.pin('1.0', []);
    assert.equal(value.freshUntil, expiresAt);
    desk.clock.advance(3600_000);
    assert.equal(await desk.seen('1.0'), 'targets_expired');
    assert.equal(await desk.seen('2.0'), digestOf('a'));
    assert.deepEqual((await desk.bench.collection.tags([])).value, ['2.0']);
    const hex = digestOf('a').slice('sha256:'.length);
    assert.equal(await desk.bench.collection.tagOf(hex, []), '2.0');
    await desk.revoke('2.0');
    await desk.seen('2.0');
    assert.equal(await desk.bench.collection.tagOf(hex, []), undefined);
  });
});

describe('thresholds', () => {
  it('keeps a change waiting until enough holders have signed it', async (context) => {
    const desk = await Desk.begin(context, { targets: [3, 2] });
    const [first, second] = desk.keys.get('targets') ?? [];
    assert.ok(first && second);
    const one = await desk.approve('1.0', digestOf('a'), { ring: desk.ringWith(first) });
    assert.equal(one, 'waits-for-signatures');
    assert.equal(await desk.seen('1.0'), 'tag_not_signed');
    const again = desk.change(({ open }) => open.pending, desk.ringWith(first));
    await rejectsWithCode(again, SigningError, 'key_missing');
    const two = await desk.change(({ open }) => open.pending, desk.ringWith(second));
    assert.equal(two, 'in-effect');
    assert.equal(await desk.seen('1.0'), digestOf('a'));
    assert.equal((await desk.open()).pending.size, 0);
  });

  it('joins a further change to one that waits, and drops the signatures on what it replaces', async (context) => {
    const desk = await Desk.begin(context, { targets: [2, 2] });
    const [first, second] = desk.keys.get('targets') ?? [];
    assert.ok(first && second);
    await desk.approve('1.0', digestOf('a'), { ring: desk.ringWith(first) });
    await desk.approve('2.0', digestOf('b'), { ring: desk.ringWith(second) });
    const { pending } = await desk.open();
    assert.deepEqual([...(pending.get('targets')?.signatures.keys() ?? [])], [second.keyId]);
    await desk.change(({ open }) => open.pending, desk.ringWith(first));
    assert.equal(await desk.seen('1.0'), digestOf('a'));
    assert.equal(await desk.seen('2.0'), digestOf('b'));
  });

  it('does not take keys that are not the role’s', async (context) => {
    const desk = await Desk.begin(context);
    const [stranger] = newKeys(1);
    assert.ok(stranger);
    const approving = desk.approve('1.0', digestOf('a'), { ring: desk.ringWith(stranger) });
    await rejectsWithCode(approving, SigningError, 'key_missing');
    assert.equal((await desk.open()).pending.size, 0);
  });

  it('forgets on request what waits', async (context) => {
    const desk = await Desk.begin(context, { targets: [2, 2] });
    const [first] = desk.keys.get('targets') ?? [];
    assert.ok(first);
    await desk.approve('1.0', digestOf('a'), { ring: desk.ringWith(first) });
    assert.deepEqual(await discardPending(desk.folder), ['targets.json']);
    assert.equal((await desk.open()).pending.size, 0);
    await rejectsWithCode(discardPending(desk.folder), SigningError, 'nothing_pending');
  });
});

describe('rotation', () => {
  for (const role of ['timestamp', 'snapshot', 'targets', 'root']) {
    it(`gives ${role} a new key, and a client that knew the old one follows`, async (context) => {
      const desk = await Desk.begin(context);
      await desk.approve('1.0');
      assert.equal(await desk.seen('1.0'), digestOf('1.0'));
      const [old] = desk.keys.get(role) ?? [];
      const [next] = newKeys(1);
      assert.ok(old && next);
      desk.keys.set(`new ${role}`, [next]);
      const change = { role, add: [next.publicKey], remove: [old.keyId.slice(0, 12)] };
      assert.equal(await desk.change((edit) => changeKeys(edit, change)), 'in-effect');
      assert.equal(await desk.seen('1.0'), digestOf('1.0'));
      desk.keys.set(role, []);
      await desk.approve('2.0');
      assert.equal(await desk.seen('2.0'), digestOf('2.0'));
    });
  }

  it('raises a threshold that the new keys have to meet', async (context) => {
    const desk = await Desk.begin(context);
    const added = newKeys(1);
    desk.keys.set('more root', added);
    const add = added.map(({ publicKey }) => publicKey);
    await desk.change((edit) => changeKeys(edit, { role: 'root', add, remove: [], threshold: 2 }));
    assert.equal(await desk.seen('1.0'), 'tag_not_signed');
    const [first] = desk.keys.get('root') ?? [];
    assert.ok(first);
    const alone = await desk.change((edit) => extend(edit, 'root'), desk.ringWith(first));
    assert.equal(alone, 'waits-for-signatures');
  });

  it('refuses thresholds that cannot be met and keys that are not there', async (context) => {
    const desk = await Desk.begin(context);
    const change = { role: 'targets', add: [], remove: [] };
    const tooHigh = desk.change((edit) => changeKeys(edit, { ...change, threshold: 2 }));
    await rejectsWithCode(tooHigh, SigningError, 'threshold_impossible');
    const unknown = desk.change((edit) => changeKeys(edit, { ...change, remove: ['abcdef'] }));
    await rejectsWithCode(unknown, SigningError, 'key_missing');
    const nobody = desk.change((edit) => changeKeys(edit, { ...change, role: 'team-x' }));
    await rejectsWithCode(nobody, SigningError, 'name_unfit');
  });
});

async function deskWithTeam(context: TestContext): Promise<Desk> {
  const desk = await Desk.begin(context);
  const team = newKeys(2);
  desk.keys.set('team-a', team);
  const keys = team.map(({ publicKey }) => publicKey);
  const signer = { name: 'team-a', prefixes: ['registry.test/team/'], keys, threshold: 2 };
  assert.equal(await desk.change((edit) => addSigner(edit, signer)), 'in-effect');
  return desk;
}

describe('teams', () => {
  it('lets a team sign its part with its own keys and nothing else', async (context) => {
    const desk = await deskWithTeam(context);
    const ring = desk.ring('team-a', 'snapshot', 'timestamp');
    assert.equal(await desk.approve('1.0', digestOf('a'), { ring }), 'in-effect');
    assert.equal(await desk.seen('1.0'), digestOf('a'));
    const { repository } = await desk.open();
    assert.equal(repository.current.get('targets')?.version, 2);
    assert.equal(repository.current.get('team-a')?.version, 2);
    const outside = desk.change(
      (edit) => promote(edit, { from: `${GUN}:1.0`, to: 'registry.test/other/app:1.0' }),
      ring,
    );
    await rejectsWithCode(outside, SigningError, 'key_missing');
  });

  it('needs the threshold of the team', async (context) => {
    const desk = await deskWithTeam(context);
    const [first] = desk.keys.get('team-a') ?? [];
    assert.ok(first);
    const ring = desk.ringWith(first);
    const conclusion = await desk.approve('1.0', digestOf('a'), { ring });
    assert.equal(conclusion, 'waits-for-signatures');
    assert.equal(await desk.seen('1.0'), 'tag_not_signed');
  });

  it('rotates the keys of a team', async (context) => {
    const desk = await deskWithTeam(context);
    await desk.approve('1.0');
    const old = desk.keys.get('team-a') ?? [];
    const next = newKeys(1);
    desk.keys.set('new team-a', next);
    await desk.change((edit) =>
      changeKeys(edit, {
        role: 'team-a',
        add: next.map(({ publicKey }) => publicKey),
        remove: old.map(({ keyId }) => keyId),
        threshold: 1,
      }),
    );
    desk.keys.set('team-a', []);
    assert.equal(await desk.seen('1.0'), digestOf('1.0'));
    await desk.approve('2.0');
    assert.equal(await desk.seen('2.0'), digestOf('2.0'));
  });

  it('takes the right back, and can give it again', async (context) => {
    const desk = await deskWithTeam(context);
    await desk.approve('1.0');
    assert.equal(await desk.seen('1.0'), digestOf('1.0'));
    await desk.change((edit) => removeSigner(edit, 'team-a'));
    assert.equal(await desk.seen('1.0'), 'tag_not_signed');
    const keys = (desk.keys.get('team-a') ?? []).map(({ publicKey }) => publicKey);
    const signer = { name: 'team-a', prefixes: [GUN], keys, threshold: 1 };
    await desk.change((edit) => addSigner(edit, signer));
    assert.equal(await desk.seen('1.0'), 'tag_not_signed');
    await desk.approve('1.0');
    assert.equal(await desk.seen('1.0'), digestOf('1.0'));
  });

  it('does not let the team’s word be lost behind that of targets', async (context) => {
    const desk = await Desk.begin(context);
    await desk.approve('1.0');
    const keys = newKeys(1);
    desk.keys.set('team-a', keys);
    const signer = {
      name: 'team-a',
      prefixes: [GUN],
      keys: keys.map(({ publicKey }) => publicKey),
      threshold: 1,
    };
    await desk.change((edit) => addSigner(edit, signer));
    await rejectsWithCode(desk.approve('1.0', digestOf('b')), SigningError, 'name_unfit');
  });

  for (const name of ['root', 'targets', 'Team', '../x', '']) {
    it(`refuses ${JSON.stringify(name)} as a name`, async (context) => {
      const desk = await Desk.begin(context);
      const keys = newKeys(1).map(({ publicKey }) => publicKey);
      const adding = desk.change((edit) =>
        addSigner(edit, { name, prefixes: [GUN], keys, threshold: 1 }),
      );
      await rejectsWithCode(adding, SigningError, 'name_unfit');
    });
  }
});

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
    assert.deepEqual(await renew(await desk.open(), online), { tookEffect: true });
    assert.equal(await desk.seen('1.0'), digestOf('a'));
    assert.equal((await desk.open()).pending.size, 0);
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
    const beginning = desk.folder.begin(new Uint8Array(), publicationOf(repository));
    await rejectsWithCode(beginning, SigningError, 'collection_exists');
  });
});
