import { SigningError } from './errors.ts';
import { type KeyFile, readKeyFile } from './key-file.ts';
import type { FoundKeyFile } from './ports.ts';
import type { SigningKey } from './signing-key.ts';

/**
 * Asks for the passphrase of a key file; undefined: whoever is asked does not want to sign with it.
 *
 * @param attempt - 1, and more after passphrases that were wrong
 */
export type AskPassphrase = (
  path: string,
  file: KeyFile,
  attempt: number,
) => Promise<string | undefined>;

/** Keys that can be asked to sign. */
export interface Signers {
  readonly keyIds: readonly string[];
  /** Files that could not be read, with what is wrong with them. */
  readonly unreadable: ReadonlyMap<string, string>;
  /** The key, or undefined when it is not there or its holder does not want to sign. */
  open(keyId: string): Promise<SigningKey | undefined>;
}

/** Keys that are open already. */
export function openedKeys(keys: readonly SigningKey[]): Signers {
  const byId = new Map(keys.map((key) => [key.keyId, key]));
  return {
    keyIds: [...byId.keys()],
    unreadable: new Map(),
    open: (keyId) => Promise.resolve(byId.get(keyId)),
  };
}

/** The key files at hand. Each is opened when it is needed, once. */
export class KeyRing implements Signers {
  /** Files that are no readable key files, with what is wrong with them. */
  readonly unreadable: ReadonlyMap<string, string>;
  readonly #files: ReadonlyMap<string, { readonly path: string; readonly file: KeyFile }>;
  readonly #ask: AskPassphrase;
  readonly #attempts: number;
  readonly #opened = new Map<string, SigningKey | undefined>();

  /**
   * @param found - of several files with one key the first counts
   * @param attempts - how often a passphrase is asked for when it is wrong; default 1
   */
  constructor(found: readonly FoundKeyFile[], ask: AskPassphrase, attempts = 1) {
    const files = new Map<string, { readonly path: string; readonly file: KeyFile }>();
    const unreadable = new Map<string, string>();
    for (const { path, bytes } of found) {
      try {
        const file = readKeyFile(bytes);
        if (!files.has(file.publicKey.keyId)) files.set(file.publicKey.keyId, { path, file });
      } catch (error) {
        if (!(error instanceof SigningError)) throw error;
        unreadable.set(path, error.message);
      }
    }
    this.#files = files;
    this.#ask = ask;
    this.#attempts = attempts;
    this.unreadable = unreadable;
  }

  /** Key IDs, in the order in which the files were found. */
  get keyIds(): readonly string[] {
    return [...this.#files.keys()];
  }

  /** Where a key is, or undefined when it is not at hand. */
  pathOf(keyId: string): string | undefined {
    return this.#files.get(keyId)?.path;
  }

  /**
   * Opens a key.
   *
   * @returns undefined when it is not at hand, or its holder does not want to sign
   * @throws {SigningError} `wrong_passphrase`, `passphrase_missing`, `key_unreadable`
   */
  async open(keyId: string): Promise<SigningKey | undefined> {
    if (this.#opened.has(keyId)) return this.#opened.get(keyId);
    const found = this.#files.get(keyId);
    if (found === undefined) return undefined;
    const key = await this.#open(found.path, found.file);
    this.#opened.set(keyId, key);
    return key;
  }

  async #open(path: string, file: KeyFile): Promise<SigningKey | undefined> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        if (!file.isEncrypted) return await file.open(undefined);
        const passphrase = await this.#ask(path, file, attempt);
        return passphrase === undefined ? undefined : await file.open(passphrase);
      } catch (error) {
        if (!(error instanceof SigningError)) throw error;
        if (error.code === 'wrong_passphrase' && attempt < this.#attempts) continue;
        throw new SigningError(error.code, `${path}: ${error.message}`, {
          detail: { ...error.detail, path, role: file.role },
          cause: error,
        });
      }
    }
  }
}
