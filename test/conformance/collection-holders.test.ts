import assert from 'node:assert/strict';
import { cp, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { runCommandLine } from '../../src/cli/program.ts';
import { tuf10 } from '../../src/trust/dialect/tuf-1.0.ts';
import { namedConvention } from '../../src/trust/target-search.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { TrustBench } from '../support/trust-bench.ts';
import { temporaryFolder } from '../unit/signing/desk.ts';

const GUN = 'registry.test/team/app';
const DONE = 0;
const WAITS = 2;

/** Machines of several people, between which a folder is handed to and fro. */
class Machines {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async make(context: TestContext, ...names: readonly string[]): Promise<Machines> {
    const folder = await temporaryFolder(context);
    for (const name of names) await mkdir(join(folder, name));
    return new Machines(folder);
  }

  path(machine: string, ...rest: readonly string[]): string {
    return join(this.folder, machine, ...rest);
  }

  /** Hands the collection over, without any key. */
  async handOver(from: string, to: string): Promise<void> {
    const [source, target] = [this.path(from, 'vetted'), this.path(to, 'vetted')];
    await rm(target, { recursive: true, force: true });
    await cp(source, target, {
      recursive: true,
      filter: (path) => path !== join(source, 'keys'),
    });
  }

  /** Makes a key on a machine of its own and gives back its public part. */
  async keygen(machine: string, role: string): Promise<string> {
    await this.run(DONE, 'keygen', this.path(machine, `${role}.json`), '--role', role);
    return this.path(machine, `${role}.pub`);
  }

  /** Runs a command of `pinnace collection` that has to end in a certain way. */
  async run(exitCode: number, ...words: readonly string[]): Promise<string> {
    let printed = '';
    const sink = { write: (text: string) => (printed += text) };
    const env = { PINNACE_PASSPHRASE: 'a passphrase for tests' };
    const ended = await runCommandLine(['collection', ...words], {
      stdout: sink,
      stderr: sink,
      env,
    });
    assert.equal(ended, exitCode, printed);
    return printed;
  }
}

it('a collection whose keys were all made by their holders begins, and a client reads what it publishes', async (context) => {
  const machines = await Machines.make(context, 'anna', 'ben', 'carla', 'renewer', 'desk');
  const anna = await machines.keygen('anna', 'root');
  const ben = await machines.keygen('ben', 'root');
  const carla = await machines.keygen('carla', 'targets');
  const online = ['snapshot', 'timestamp'];
  const [snapshot = '', timestamp = ''] = await Promise.all(
    online.map((role) => machines.keygen('renewer', role)),
  );
  const dir = (machine: string): readonly string[] => ['--dir', machines.path(machine, 'vetted')];
  const said = await machines.run(
    WAITS,
    ...['init', ...dir('desk'), '--root-threshold', '2'],
    ...['--root-pub', anna, '--root-pub', ben, '--targets-pub', carla],
    ...['--snapshot-pub', snapshot, '--timestamp-pub', timestamp],
  );
  assert.match(said, /root version 1 \(new\):\n {2}keys of root: 2 of \w+, \w+\n/);
  assert.match(said, /root: 2 more signatures by/);
  assert.deepEqual(await readdir(machines.path('desk', 'vetted', 'metadata')), []);
  await assert.rejects(readdir(machines.path('desk', 'vetted', 'keys')), { code: 'ENOENT' });

  let from = 'desk';
  for (const [holder, role] of [
    ['anna', 'root'],
    ['carla', 'targets'],
    ['ben', 'root'],
  ] as const) {
    await machines.handOver(from, holder);
    const key = machines.path(holder, `${role}.json`);
    const words = await machines.run(WAITS, 'sign', ...dir(holder), '--key', key, '--yes');
    assert.match(words, /keys of root: 2 of \w+, \w+[\s\S]*Signed/);
    from = holder;
  }
  await machines.handOver('ben', 'renewer');
  await machines.run(1, 'publish', ...dir('renewer'), machines.path('renewer', 'published'));
  const keys = online.flatMap((role) => ['--key', machines.path('renewer', `${role}.json`)]);
  const published = machines.path('renewer', 'published');
  const begun = await machines.run(
    DONE,
    ...['renew', ...dir('renewer'), ...keys, '--publish', published],
  );
  assert.match(begun, /has begun\nClients begin with .*1\.root\.json/);
  assert.deepEqual(await readdir(machines.path('renewer', 'vetted', 'pending')), []);

  const names = await readdir(published);
  const files = new Map<string, Uint8Array>();
  for (const name of names) files.set(name, await readFile(join(published, name)));
  const bench = new TrustBench({
    gun: GUN,
    clock: new FakeClock(new Date()),
    anchor: { kind: 'root-file', bytes: files.get('1.root.json') ?? new Uint8Array() },
    rules: { dialect: tuf10, convention: namedConvention({ prefix: `${GUN}:`, suffix: '' }) },
  });
  bench.serve(files);
  await bench.collection.refreshAnew();
  await assert.rejects(bench.collection.pin('1.0', []), { code: 'tag_not_signed' });
  // A holder's key goes on to sign changes as one that was made by init does.
  const root = machines.path('anna', 'root.json');
  await rename(machines.path('ben', 'root.json'), machines.path('anna', 'other.json'));
  const both = ['--key', root, '--key', machines.path('anna', 'other.json')];
  await machines.run(DONE, 'extend', 'root', ...dir('renewer'), ...keys, ...both, '--yes');
});
