import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import type { CollectionIo } from '../../../src/cli/collection-io.ts';
import type { Terminal } from '../../../src/cli/collection-terminal.ts';
import { beginCollection, type FirstKeys } from '../../../src/signing/begin.ts';
import { createKeyFile } from '../../../src/signing/key-file.ts';
import { DEFAULT_SETTINGS, writeSettings } from '../../../src/signing/settings.ts';
import { DiskCollectionFolder } from '../../../src/store/collection-folder.ts';
import { writeKeyFile } from '../../../src/store/collection-keys.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { temporaryFolder } from '../signing/desk.ts';

export const PASSPHRASE = 'correct horse battery staple';

/** A person who gives these answers in turn, or nobody at all. */
class Person implements Terminal {
  readonly isInteractive: boolean;
  readonly asked: string[] = [];
  readonly #answers: string[];

  constructor(answers: readonly string[] | undefined) {
    this.isInteractive = answers !== undefined;
    this.#answers = [...(answers ?? [])];
  }

  ask(question: string): Promise<string> {
    this.asked.push(question);
    return Promise.resolve(this.#answers.shift() ?? '');
  }

  askSecret(question: string): Promise<string> {
    return this.ask(question);
  }
}

/** What the commands print, and who answers them. */
export class CommandBench {
  readonly dir: string;
  readonly clock = new FakeClock();
  out = '';
  err = '';
  env: Record<string, string> = { PINNACE_PASSPHRASE: PASSPHRASE };
  person = new Person(undefined);

  constructor(dir: string) {
    this.dir = dir;
  }

  get io(): CollectionIo {
    return {
      stdout: { write: (text: string) => (this.out += text) },
      stderr: { write: (text: string) => (this.err += text) },
      env: this.env,
      terminal: this.person,
      clock: this.clock,
    };
  }

  /** From now on somebody is there and gives these answers. */
  answers(...answers: readonly string[]): void {
    this.env = {};
    this.person = new Person(answers);
  }

  /** Forgets what was printed. */
  clear(): void {
    this.out = '';
    this.err = '';
  }
}

/** A folder for commands, with nothing in it. */
export async function emptyBench(context: TestContext): Promise<CommandBench> {
  return new CommandBench(join(await temporaryFolder(context), 'collection'));
}

/** A collection as `init` makes it, with key files that are quick to open. */
export async function collectionBench(
  context: TestContext,
  {
    targets = [1, 1],
    encryptOnline = false,
  }: {
    readonly targets?: readonly [keys: number, threshold: number];
    readonly encryptOnline?: boolean;
  } = {},
): Promise<CommandBench> {
  const bench = await emptyBench(context);
  const folder = new DiskCollectionFolder(bench.dir, { clock: systemClock });
  const roles = new Map<'root' | 'targets' | 'snapshot' | 'timestamp', FirstKeys>();
  for (const [role, count, threshold] of [
    ['root', 1, 1],
    ['targets', ...targets],
    ['snapshot', 1, 1],
    ['timestamp', 1, 1],
  ] as const) {
    const made = Array.from({ length: count }, async (_, index) => {
      const isOffline = role === 'root' || role === 'targets';
      const protection =
        isOffline || encryptOnline ? { passphrase: PASSPHRASE, cost: 2 ** 14 } : {};
      const file = await createKeyFile({ role, createdAt: bench.clock.now(), ...protection });
      await writeKeyFile(join(bench.dir, 'keys', `${role}-${index + 1}.json`), file.bytes);
      return file.key;
    });
    roles.set(role, { keys: await Promise.all(made), threshold });
  }
  const begin = { settings: DEFAULT_SETTINGS, now: bench.clock.now() };
  const { files } = await beginCollection(roles, begin);
  await folder.begin(writeSettings(DEFAULT_SETTINGS), files);
  return bench;
}
