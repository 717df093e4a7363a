import assert from 'node:assert/strict';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Command, CommanderError } from 'commander';
import { CodedError } from '../../../src/base/coded-error.ts';
import { addCollectionCommands } from '../../../src/cli/collection.ts';
import { initCollection, makeKey } from '../../../src/cli/collection-init.ts';
import { publishCollection, renewCollection } from '../../../src/cli/collection-publish.ts';
import { diffCollection, listCollection } from '../../../src/cli/collection-show.ts';
import {
  addTeam,
  discardChange,
  extendRole,
  removeTeam,
  rotateKey,
  signPending,
} from '../../../src/cli/collection-signers.ts';
import { EXIT } from '../../../src/cli/exit-codes.ts';
import { SigningError } from '../../../src/signing/errors.ts';
import { readKeyFile } from '../../../src/signing/key-file.ts';
import { rejectsWithCode } from '../../support/reject-with-code.ts';
import { collectionBench, emptyBench, PASSPHRASE } from './collection-bench.ts';

const DAY = 86_400_000;
const ONE_OF_ONE = { rootKeys: 1, rootThreshold: 1, targetsKeys: 1, targetsThreshold: 1 };

describe('collection init', () => {
  it('asks for each passphrase twice, and writes keys that only their owner can read', async (context) => {
    const bench = await emptyBench(context);
    bench.answers(
      '12345678',
      'other',
      '12345678',
      '12345678',
      'targets passphrase',
      'targets passphrase',
    );
    const options = { dir: bench.dir, ...ONE_OF_ONE };
    assert.equal(await initCollection({ options, io: bench.io }), EXIT.ok);
    assert.match(bench.err, /not the same/);
    const keys = await readdir(join(bench.dir, 'keys'));
    assert.equal(keys.length, 4);
    for (const name of keys) {
      const path = join(bench.dir, 'keys', name);
      assert.equal((await stat(path)).mode & 0o777, 0o600);
      const file = readKeyFile(await readFile(path));
      assert.equal(file.isEncrypted, file.role === 'root' || file.role === 'targets');
    }
    assert.deepEqual((await readdir(join(bench.dir, 'metadata'))).sort(), [
      '1.root.json',
      '1.snapshot.json',
      '1.targets.json',
      'timestamp.json',
    ]);
    const again = initCollection({ options, io: bench.io });
    await rejectsWithCode(again, SigningError, 'collection_exists');
  });

  it('writes nothing when it cannot go through', async (context) => {
    const bench = await emptyBench(context);
    bench.env = {};
    const options = { dir: bench.dir, ...ONE_OF_ONE };
    const nobody = initCollection({ options, io: bench.io });
    await rejectsWithCode(nobody, SigningError, 'passphrase_missing');
    const high = initCollection({ options: { ...options, rootThreshold: 2 }, io: bench.io });
    await rejectsWithCode(high, SigningError, 'threshold_impossible');
    bench.env = { PINNACE_PASSPHRASE: 'short' };
    const short = initCollection({ options, io: bench.io });
    await rejectsWithCode(short, SigningError, 'passphrase_unfit');
    await assert.rejects(readdir(bench.dir), { code: 'ENOENT' });
  });
});

describe('passphrases', () => {
  it('come from a file, from a variable, or from whoever is there', async (context) => {
    const bench = await collectionBench(context);
    const file = join(bench.dir, 'passphrase');
    await writeFile(file, `${PASSPHRASE}\nsecond line\n`);
    bench.env = {};
    const common = { dir: bench.dir, yes: true };
    const fromFile = { options: { ...common, passphraseFile: file }, io: bench.io };
    assert.equal(await extendRole('targets', fromFile), EXIT.ok);
    bench.env = { OTHER: PASSPHRASE };
    const fromVariable = { options: { ...common, passphraseEnv: 'OTHER' }, io: bench.io };
    assert.equal(await extendRole('targets', fromVariable), EXIT.ok);
    bench.answers('yes', PASSPHRASE);
    const asking = { options: { dir: bench.dir }, io: bench.io };
    assert.equal(await extendRole('targets', asking), EXIT.ok);
    assert.match(bench.person.asked[1] ?? '', /targets key [0-9a-f]{12} .*targets-1\.json/);
  });

  it('that are wrong or missing change nothing', async (context) => {
    const bench = await collectionBench(context);
    const options = { dir: bench.dir, yes: true };
    const before = await readdir(join(bench.dir, 'metadata'));
    bench.env = { PINNACE_PASSPHRASE: 'something else' };
    const wrong = extendRole('targets', { options, io: bench.io });
    await rejectsWithCode(wrong, SigningError, 'wrong_passphrase');
    bench.env = {};
    const none = extendRole('targets', { options, io: bench.io });
    await rejectsWithCode(none, SigningError, 'passphrase_missing');
    const unset = { ...options, passphraseEnv: 'NOT_SET' };
    const missing = extendRole('targets', { options: unset, io: bench.io });
    await rejectsWithCode(missing, SigningError, 'passphrase_missing');
    bench.answers('');
    const declined = extendRole('targets', { options, io: bench.io });
    await rejectsWithCode(declined, SigningError, 'key_missing');
    assert.deepEqual(await readdir(join(bench.dir, 'metadata')), before);
  });
});

describe('several holders', () => {
  it('sign one after the other, each with their own key', async (context) => {
    const bench = await collectionBench(context, { targets: [2, 2] });
    const common = { dir: bench.dir, yes: true };
    const one = { ...common, key: [join(bench.dir, 'keys', 'targets-1.json')] };
    const two = { ...common, key: [join(bench.dir, 'keys', 'targets-2.json')] };
    assert.equal(await extendRole('targets', { options: one, io: bench.io }), EXIT.inconclusive);
    assert.match(bench.out, /NOT in effect yet/);
    bench.clear();
    await diffCollection({ options: common, io: bench.io });
    assert.match(bench.out, /targets version 2:/);
    bench.clear();
    assert.equal(await signPending({ options: two, io: bench.io }), EXIT.ok);
    const nothing = signPending({ options: two, io: bench.io });
    await rejectsWithCode(nothing, SigningError, 'nothing_pending');
  });

  it('can drop what waits', async (context) => {
    const bench = await collectionBench(context, { targets: [2, 2] });
    const key = [join(bench.dir, 'keys', 'targets-1.json')];
    const options = { dir: bench.dir, yes: true, key };
    await extendRole('targets', { options, io: bench.io });
    assert.equal(await discardChange({ options, io: bench.io }), EXIT.ok);
    bench.clear();
    await diffCollection({ options, io: bench.io });
    assert.match(bench.out, /Nothing waits/);
  });

  it('hand a part to a team and take it back', async (context) => {
    const bench = await collectionBench(context);
    const file = join(bench.dir, 'team', 'team-a.json');
    await makeKey(file, { options: { dir: '', role: 'team-a' }, io: bench.io });
    const pub = [join(bench.dir, 'team', 'team-a.pub')];
    const common = { dir: bench.dir, yes: true };
    const team = { ...common, prefix: ['registry.test/team/'], pub, threshold: 1 };
    const waits = await addTeam('team-a', { options: team, io: bench.io });
    assert.equal(waits, EXIT.inconclusive);
    const theirs = { ...common, key: [file] };
    assert.equal(await signPending({ options: theirs, io: bench.io }), EXIT.ok);
    bench.clear();
    await listCollection({ options: common, io: bench.io });
    assert.match(bench.out, /team-a version 1/);
    assert.equal(await removeTeam('team-a', { options: common, io: bench.io }), EXIT.ok);
  });
});

describe('rotate-key', () => {
  for (const role of ['root', 'targets', 'snapshot', 'timestamp']) {
    it(`makes a new key for ${role} and leaves the old one without a say`, async (context) => {
      const bench = await collectionBench(context);
      const options = { dir: bench.dir, yes: true };
      assert.equal(await rotateKey(role, { options, io: bench.io }), EXIT.ok);
      bench.clear();
      const listing = { options: { ...options, json: true }, io: bench.io };
      await listCollection(listing);
      const document: { roles: { role: string; keys: string[] }[] } = JSON.parse(bench.out);
      const [key = ''] = document.roles.find((each) => each.role === role)?.keys ?? [];
      const path = join(bench.dir, 'keys', `${role}-${key.slice(0, 12)}.json`);
      assert.equal(readKeyFile(await readFile(path)).publicKey.keyId, key);
    });
  }
});

describe('renew and publish', () => {
  it('renews without a passphrase and publishes in one go', async (context) => {
    const bench = await collectionBench(context);
    bench.env = {};
    const place = join(bench.dir, 'published');
    const options = { dir: bench.dir, publish: [place] };
    assert.equal(await renewCollection({ options, io: bench.io }), EXIT.ok);
    assert.match(bench.out, /timestamp version 2/);
    assert.ok((await readdir(place)).includes('timestamp.json'));
    bench.clear();
    await publishCollection(place, { options, io: bench.io });
    assert.match(bench.out, /up to date/);
    bench.clear();
    const against = { ...options, against: place };
    await diffCollection({ options: against, io: bench.io });
    assert.match(bench.out, /says the same/);
  });

  it('does not send a password over a plain line, or publish to what is no place', async (context) => {
    const bench = await collectionBench(context);
    const passwordFile = join(bench.dir, 'password');
    await writeFile(passwordFile, 'secret\n');
    const options = { dir: bench.dir, user: 'ci', passwordFile };
    for (const place of [
      'http://tuf.example.com/',
      'ftp://tuf.example.com/',
      'oci://a/b@sha256:0',
    ]) {
      const publishing = publishCollection(place, { options, io: bench.io });
      await assert.rejects(publishing, CodedError);
    }
  });

  it('warns of what ends soon, and then stops', async (context) => {
    const bench = await collectionBench(context);
    const options = { dir: bench.dir };
    bench.clock.advance(340 * DAY);
    await renewCollection({ options, io: bench.io });
    assert.match(bench.err, /warning: root ends in 25 days/);
    bench.clock.advance(24 * DAY);
    const renewing = renewCollection({ options, io: bench.io });
    await rejectsWithCode(renewing, SigningError, 'about_to_expire');
  });
});

describe('the command line', () => {
  async function run(...words: readonly string[]): Promise<{ error?: unknown; code?: number }> {
    let code: number | undefined;
    const sink = { write: () => true };
    const program = new Command().exitOverride().configureOutput({
      writeOut: () => undefined,
      writeErr: () => undefined,
    });
    addCollectionCommands(program, { stdout: sink, stderr: sink, env: {} }, (given) => {
      code = given;
    });
    try {
      await program.parseAsync(['collection', ...words], { from: 'user' });
      return code === undefined ? {} : { code };
    } catch (error) {
      return { error };
    }
  }

  for (const words of [
    ['list'],
    ['init', '--dir', 'x', '--root-keys', '0'],
    ['init', '--dir', 'x', '--root-lifetime', '10'],
    ['approve', '--dir', 'x', '--expires', 'soon'],
    ['promote', '--dir', 'x', 'a:1'],
    ['add-signer', '--dir', 'x', 'team', '--prefix', 'a/b/'],
  ]) {
    it(`refuses ${words.join(' ')}`, async () => {
      const { error } = await run(...words);
      assert.ok(error instanceof CommanderError);
      assert.notEqual(error.exitCode, 0);
    });
  }

  it('keeps a repeated option and the argument behind it apart', async (context) => {
    const bench = await collectionBench(context);
    const key = join(bench.dir, 'keys', 'targets-1.json');
    const { error } = await run('extend', '--dir', bench.dir, '-y', '-k', key, 'targets');
    assert.ok(error instanceof SigningError);
    assert.equal(error.code, 'passphrase_missing');
    assert.equal((await run('list', '--dir', bench.dir)).code, EXIT.ok);
  });

  it('says that there is no collection', async () => {
    const { error } = await run('list', '--dir', '/nonexistent');
    assert.ok(error instanceof SigningError);
    assert.equal(error.code, 'collection_missing');
  });
});
