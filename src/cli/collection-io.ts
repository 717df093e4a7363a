import { readFile } from 'node:fs/promises';
import type { Clock } from '../base/clock.ts';
import { SigningError } from '../signing/errors.ts';
import type { KeyFile } from '../signing/key-file.ts';
import { shortKeyId } from '../signing/words.ts';
import type { Terminal } from './collection-terminal.ts';
import type { CommandIo } from './serve.ts';

/** What the commands about a collection work with. */
export interface CollectionIo extends CommandIo {
  readonly terminal: Terminal;
  readonly clock: Clock;
}

/** What a command line works with; somebody may stand in for the terminal of this process. */
export type CommandLineIo = CommandIo & Partial<Pick<CollectionIo, 'terminal'>>;

/** Options that all commands about a collection share. */
export interface CollectionOptions {
  readonly dir: string;
  /** Key files, or folders of them. */
  readonly key?: readonly string[];
  readonly passphraseFile?: string;
  /** Name of the environment variable with the passphrase. */
  readonly passphraseEnv?: string;
  /** Sign without asking. */
  readonly yes?: boolean;
}

const DEFAULT_ENV = 'PINNACE_PASSPHRASE';
const MAX_TRIES = 3;

/**
 * The passphrase for an existing key: from the file or variable named, else from whoever is at the terminal.
 *
 * @returns undefined when the person does not want to sign with that key
 * @throws {SigningError} `passphrase_missing` when there is nobody to ask
 */
export async function askPassphrase(
  path: string,
  file: Pick<KeyFile, 'role' | 'publicKey'>,
  { options, io }: { readonly options: CollectionOptions; readonly io: CollectionIo },
): Promise<string | undefined> {
  const stored = await storedPassphrase(options, io);
  if (stored !== undefined) return stored;
  if (!io.terminal.isInteractive) throw nobodyToAsk(path);
  const what = `${file.role} key ${shortKeyId(file.publicKey.keyId)}`;
  const typed = await io.terminal.askSecret(
    `Passphrase of the ${what} (${path}; only Enter: do not sign with it): `,
  );
  return typed === '' ? undefined : typed;
}

/**
 * A passphrase for a new key, typed twice.
 *
 * @throws {SigningError} `passphrase_missing`, `passphrase_unfit`
 */
export async function newPassphrase(
  what: string,
  { options, io }: { readonly options: CollectionOptions; readonly io: CollectionIo },
): Promise<string> {
  const stored = await storedPassphrase(options, io);
  if (stored !== undefined) return stored;
  if (!io.terminal.isInteractive) throw nobodyToAsk(what);
  for (let attempt = 0; attempt < MAX_TRIES; attempt += 1) {
    const first = await io.terminal.askSecret(`New passphrase for ${what}: `);
    const second = await io.terminal.askSecret('The same again: ');
    if (first === second) return first;
    io.stderr.write('These are not the same.\n');
  }
  throw new SigningError('passphrase_unfit', 'no passphrase was typed twice in the same way');
}

/**
 * Asks whether to go on, unless told that nobody has to be asked.
 *
 * @throws {SigningError} `not_confirmed`
 */
export async function confirm(
  question: string,
  { options, io }: { readonly options: CollectionOptions; readonly io: CollectionIo },
): Promise<void> {
  if (options.yes === true) return;
  if (!io.terminal.isInteractive) {
    throw new SigningError(
      'not_confirmed',
      'nothing was signed: there is nobody to ask; add --yes if what is said above is right',
    );
  }
  const answer = await io.terminal.ask(`${question} Type yes to do it: `);
  if (answer.trim().toLowerCase() !== 'yes') {
    throw new SigningError('not_confirmed', 'nothing was signed');
  }
}

/** A number of bytes for people. */
export function formatBytes(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

async function storedPassphrase(
  { passphraseFile, passphraseEnv }: CollectionOptions,
  { env }: CollectionIo,
): Promise<string | undefined> {
  if (passphraseFile !== undefined) {
    const text = await readFile(passphraseFile, 'utf8');
    return text.split(/\r?\n/, 1)[0] ?? '';
  }
  const name = passphraseEnv ?? DEFAULT_ENV;
  const value = env[name];
  if (value === undefined && passphraseEnv !== undefined) {
    throw new SigningError('passphrase_missing', `the variable ${passphraseEnv} is not set`);
  }
  return value === '' ? undefined : value;
}

function nobodyToAsk(what: string): SigningError {
  return new SigningError(
    'passphrase_missing',
    `a passphrase is needed for ${what}: name a file with --passphrase-file, or set ${DEFAULT_ENV}`,
  );
}
