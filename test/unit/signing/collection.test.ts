import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { promote } from '../../../src/signing/approvals.ts';
import { discardPending } from '../../../src/signing/collection.ts';
import { SigningError } from '../../../src/signing/errors.ts';
import { addSigner, changeKeys, extend, removeSigner } from '../../../src/signing/signers.ts';
import { rejectsWithCode } from '../../support/reject-with-code.ts';
import { Desk, digestOf, GUN, newKeys } from './desk.ts';

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
    assert.deepEqual(await desk.bench.collection.tagsOf(hex, []), ['2.0']);
    await desk.revoke('2.0');
    await desk.seen('2.0');
    assert.deepEqual(await desk.bench.collection.tagsOf(hex, []), []);
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
