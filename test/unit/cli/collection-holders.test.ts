import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { type InitOptions, initCollection } from '../../../src/cli/collection-init.ts';
import { renewCollection } from '../../../src/cli/collection-publish.ts';
import { listCollection } from '../../../src/cli/collection-show.ts';
import { discardChange, signPending } from '../../../src/cli/collection-signers.ts';
import { EXIT } from '../../../src/cli/exit-codes.ts';
import { concludeBeginning, openBeginning } from '../../../src/signing/beginning.ts';
import { SigningError } from '../../../src/signing/errors.ts';
import { createKeyFile, writePublicKeyFile } from '../../../src/signing/key-file.ts';
import { openedKeys } from '../../../src/signing/key-ring.ts';
import { DiskCollectionFolder } from '../../../src/store/collection-folder.ts';
import { rejectsWithCode } from '../../support/reject-with-code.ts';
import { type CommandBench, emptyBench, PASSPHRASE } from './collection-bench.ts';

/** Holders whose keys were made elsewhere, and the folder that they are to sign in. */
class Holders {
  readonly bench: CommandBench;
  readonly #folder: string;

  private constructor(bench: CommandBench) {
    this.bench = bench;
    this.#folder = join(bench.dir, '..', 'holders');
  }

  static async make(context: TestContext): Promise<Holders> {
    const holders = new Holders(await emptyBench(context));
    await mkdir(holders.#folder);
    return holders;
  }

  /** Makes a key and gives back its public file; the key itself is beside it, ending in `.json`. */
  async key(name: string, role: string): Promise<string> {
    const { key, bytes } = await createKeyFile({
      role,
      createdAt: 0,
      passphrase: PASSPHRASE,
      cost: 2 ** 14,
    });
    await this.file(`${name}.json`, bytes);
    return await this.file(`${name}.pub`, writePublicKeyFile(role, key.publicKey));
  }

  async file(name: string, content: string | Uint8Array): Promise<string> {
    const path = join(this.#folder, name);
    await writeFile(path, content);
    return path;
  }

  async init(more: Partial<InitOptions>): Promise<number> {
    this.bench.clear();
    const options = { dir: this.bench.dir, rootThreshold: 1, targetsThreshold: 1, ...more };
    return await initCollection({ options, io: this.bench.io });
  }

  async sign(...names: readonly string[]): Promise<number> {
    this.bench.clear();
    const key = names.map((name) => join(this.#folder, `${name}.json`));
    const options = { dir: this.bench.dir, key, yes: true };
    return await signPending({ options, io: this.bench.io });
  }

  get options(): { readonly dir: string; readonly yes: true } {
    return { dir: this.bench.dir, yes: true };
  }

  async metadata(): Promise<readonly string[]> {
    return (await readdir(join(this.bench.dir, 'metadata'))).sort();
  }
}

const BEGUN = ['1.root.json', '1.snapshot.json', '1.targets.json', 'timestamp.json'];

describe('collection init with keys of holders', () => {
  it('drafts what they have to sign, in words, and begins when the thresholds are met', async (context) => {
    const holders = await Holders.make(context);
    const rootPub = [await holders.key('anna', 'root'), await holders.key('ben', 'root')];
    const targetsPub = [await holders.key('carla', 'targets')];
    const { bench } = holders;
    assert.equal(await holders.init({ rootPub, targetsPub, rootThreshold: 2 }), EXIT.inconclusive);
    assert.match(bench.out, /^root version 1 \(new\):\n {2}keys of root: 2 of /);
    assert.match(bench.out, /Drafted a collection.*\nOffline keys are with their holders \(2 of 2/);
    assert.match(bench.out, /NOT begun yet[\s\S]*root: 2 more signatures/);
    assert.deepEqual(await readdir(join(bench.dir, 'keys')), await keysOf(bench, 2));
    assert.equal(await holders.sign('anna'), EXIT.inconclusive);
    assert.match(bench.out, /root: 1 more signature by/);
    await rejectsWithCode(holders.sign('anna'), SigningError, 'key_missing');
    assert.equal(await holders.sign('carla'), EXIT.inconclusive);
    assert.deepEqual(await holders.metadata(), []);
    assert.equal(await holders.sign('ben'), EXIT.ok);
    assert.match(bench.out, /in effect in[\s\S]*Clients begin with/);
    assert.deepEqual(await holders.metadata(), BEGUN);
    assert.equal(await listCollection({ options: holders.options, io: bench.io }), EXIT.ok);
  });

  it('mixes keys made here with those handed in', async (context) => {
    const holders = await Holders.make(context);
    const rootPub = [await holders.key('anna', 'root')];
    const { bench } = holders;
    const code = await holders.init({ rootPub, rootKeys: 1, rootThreshold: 2 });
    assert.equal(code, EXIT.inconclusive);
    assert.match(bench.out, /root: 1 more signature by/);
    assert.doesNotMatch(bench.out, /targets: \d more/);
    assert.equal(await holders.sign('anna'), EXIT.ok);
    assert.deepEqual(await holders.metadata(), BEGUN);
  });

  it('begins at once when the keys made here are enough', async (context) => {
    const holders = await Holders.make(context);
    const rootPub = [await holders.key('anna', 'root')];
    assert.equal(await holders.init({ rootPub, rootKeys: 1 }), EXIT.ok);
    assert.match(holders.bench.out, /1 of 2 root keys/);
    assert.deepEqual(await holders.metadata(), BEGUN);
  });

  it('waits for online keys that are elsewhere, and begins where they are', async (context) => {
    const holders = await Holders.make(context);
    const timestampPub = [await holders.key('timestamp', 'timestamp')];
    const { bench } = holders;
    assert.equal(await holders.init({ timestampPub }), EXIT.inconclusive);
    assert.match(bench.out, /has all its signatures and waits for the online keys/);
    const without = renewCollection({ options: holders.options, io: bench.io });
    await rejectsWithCode(without, SigningError, 'not_begun');
    assert.deepEqual(await holders.metadata(), []);
    const key = [join(bench.dir, '../holders/timestamp.json')];
    const options = { ...holders.options, key };
    assert.equal(await renewCollection({ options, io: bench.io }), EXIT.ok);
    assert.match(bench.out, /The collection has begun/);
  });

  it('can be dropped and done again, but not written over', async (context) => {
    const holders = await Holders.make(context);
    const { bench } = holders;
    const rootPub = [await holders.key('anna', 'root')];
    await holders.init({ rootPub });
    await rejectsWithCode(holders.init({ rootPub }), SigningError, 'collection_exists');
    await rejectsWithCode(
      listCollection({ options: holders.options, io: bench.io }),
      SigningError,
      'not_begun',
    );
    await discardChange({ options: holders.options, io: bench.io });
    assert.equal(await holders.init({ rootPub }), EXIT.inconclusive);
    assert.equal(await holders.sign('anna'), EXIT.ok);
  });

  it('loses nothing when two holders sign at the same time', async (context) => {
    const holders = await Holders.make(context);
    const { bench } = holders;
    const rootPub = [await holders.key('anna', 'root'), await holders.key('ben', 'root')];
    await holders.init({ rootPub, rootThreshold: 2 });
    const folder = new DiskCollectionFolder(bench.dir, { clock: systemClock });
    const slower = await openBeginning(folder);
    assert.ok(slower !== undefined);
    await holders.sign('anna');
    const late = { ring: openedKeys([]), clock: bench.clock };
    const concluding = concludeBeginning(slower, slower.draft, late);
    await rejectsWithCode(concluding, SigningError, 'collection_changed');
    assert.equal(await holders.sign('ben'), EXIT.ok);
    const again = concludeBeginning(slower, slower.draft, late);
    await rejectsWithCode(again, SigningError, 'collection_exists');
  });

  it('does not begin with half of a draft', async (context) => {
    const holders = await Holders.make(context);
    const { bench } = holders;
    await holders.init({ rootPub: [await holders.key('anna', 'root')] });
    const targets = join(bench.dir, 'pending', 'targets.json');
    await cp(targets, join(bench.dir, 'pending', 'team.json'));
    await rejectsWithCode(holders.sign('anna'), SigningError, 'pending_unreadable');
    await rm(join(bench.dir, 'pending', 'team.json'));
    await rm(targets);
    await rejectsWithCode(holders.sign('anna'), SigningError, 'pending_unreadable');
    assert.deepEqual(await holders.metadata(), []);
    // Without settings there is no collection: a crash in the midst of init leaves nothing in the way.
    await rm(join(bench.dir, 'collection.json'));
    assert.equal(await holders.init({}), EXIT.ok);
  });
});

describe('what cannot be handed in', () => {
  const cases: readonly (readonly [
    name: string,
    code: SigningError['code'],
    words: RegExp,
    make: (holders: Holders) => Promise<Partial<InitOptions>>,
  ])[] = [
    [
      'the same key twice',
      'key_repeated',
      /twice for root/,
      async (holders) => {
        const pub = await holders.key('anna', 'root');
        return { rootPub: [pub, pub], rootThreshold: 2 };
      },
    ],
    [
      'one key for two roles',
      'key_repeated',
      /for root and for targets/,
      async (holders) => {
        const pub = await holders.file('anna.pem', pem('ed25519').publicKey);
        return { rootPub: [pub], targetsPub: [pub] };
      },
    ],
    [
      'fewer keys than the threshold',
      'threshold_impossible',
      /root would have 1 key and need 2/,
      async (holders) => ({ rootPub: [await holders.key('anna', 'root')], rootThreshold: 2 }),
    ],
    [
      'a private key file',
      'key_unreadable',
      /anna\.json: .*private key, which stays with its holder/,
      async (holders) => {
        const pub = await holders.key('anna', 'root');
        return { rootPub: [pub.replace(/pub$/, 'json')] };
      },
    ],
    [
      'a private key in PEM',
      'key_unreadable',
      /private key, which stays/,
      async (holders) => ({
        rootPub: [await holders.file('anna.pem', pem('ed25519').privateKey)],
      }),
    ],
    [
      'a key of another scheme',
      'key_unreadable',
      /only Ed25519/,
      async (holders) => ({ rootPub: [await holders.file('anna.pem', pem('x25519').publicKey)] }),
    ],
    [
      'a key that was made for another role',
      'key_unreadable',
      /made for "targets" and is handed in for root/,
      async (holders) => ({ rootPub: [await holders.key('carla', 'targets')] }),
    ],
    [
      'something else',
      'key_unreadable',
      /cannot be/,
      async (holders) => ({ rootPub: [await holders.file('anna.pub', 'ssh-ed25519 AAAA')] }),
    ],
    [
      'a file that is not there',
      'key_missing',
      /none\.pub/,
      () => Promise.resolve({ rootPub: ['none.pub'] }),
    ],
  ];
  for (const [name, code, words, make] of cases) {
    it(`${name}: nothing is written`, async (context) => {
      const holders = await Holders.make(context);
      const options = await make(holders);
      await rejectsWithCode(holders.init(options), SigningError, code);
      await assert.rejects(holders.init(options), words);
      await assert.rejects(readdir(holders.bench.dir), { code: 'ENOENT' });
    });
  }

  it('but a public key in PEM can be', async (context) => {
    const holders = await Holders.make(context);
    const pub = await holders.file('anna.pem', pem('ed25519').publicKey);
    assert.equal(await holders.init({ rootPub: [pub], rootKeys: 1 }), EXIT.ok);
  });
});

function pem(type: 'ed25519' | 'x25519'): {
  readonly publicKey: string;
  readonly privateKey: string;
} {
  const pair = type === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('x25519');
  return {
    publicKey: String(pair.publicKey.export({ type: 'spki', format: 'pem' })),
    privateKey: String(pair.privateKey.export({ type: 'pkcs8', format: 'pem' })),
  };
}

/** The key files in the collection's own folder, which have to be so many, of the online roles alone. */
async function keysOf(bench: CommandBench, count: number): Promise<readonly string[]> {
  const names = await readdir(join(bench.dir, 'keys'));
  assert.equal(names.length, count);
  assert.ok(names.every((name) => /^(?:snapshot|timestamp)-/.test(name)));
  return names;
}
