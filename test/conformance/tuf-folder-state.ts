import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { StoredTrustRecord, TrustRecord, TrustStateStore } from '../../src/metadata/ports.ts';
import { encodeRoleName } from '../../src/trust/dialect/tuf-1.0.ts';

/**
 * Trust state as the public conformance suite wants to see it: one folder that holds the trusted files, and only those, byte
 * for byte as received. For one process at a time.
 */
export class FolderState implements TrustStateStore {
  readonly #folder: string;
  #revision = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Begins with a root file. */
  async begin(root: Uint8Array): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    await this.#write('root', root);
  }

  async load(): Promise<StoredTrustRecord | undefined> {
    const files = new Map<string, Uint8Array>();
    for (const name of await readdir(this.#folder)) {
      if (!name.endsWith('.json')) continue;
      const role = decodeURIComponent(name.slice(0, -'.json'.length));
      files.set(role, await readFile(join(this.#folder, name)));
    }
    const root = files.get('root');
    if (root === undefined) return undefined;
    const timestamp = files.get('timestamp');
    const snapshot = files.get('snapshot');
    for (const role of ['root', 'timestamp', 'snapshot']) files.delete(role);
    this.#revision = 1;
    const record: TrustRecord = {
      anchorRoot: root,
      admission: 'anchor',
      admittedAt: 0,
      root,
      timestamp,
      snapshot,
      targets: files,
      checkedAt: 0,
    };
    return { revision: this.#revision, record };
  }

  async revision(): Promise<number> {
    return this.#revision;
  }

  async save(_key: unknown, record: TrustRecord): Promise<number> {
    await this.#write('root', record.root);
    if (record.timestamp !== undefined) await this.#write('timestamp', record.timestamp);
    if (record.snapshot !== undefined) await this.#write('snapshot', record.snapshot);
    for (const [role, bytes] of record.targets) await this.#write(role, bytes);
    this.#revision += 1;
    return this.#revision;
  }

  async reset(): Promise<boolean> {
    await rm(this.#folder, { recursive: true, force: true });
    return true;
  }

  async list(): Promise<readonly []> {
    return [];
  }

  async newestTimeSeen(): Promise<number> {
    return 0;
  }

  async noteTime(): Promise<void> {}

  async #write(role: string, bytes: Uint8Array): Promise<void> {
    const path = join(this.#folder, `${encodeRoleName(role)}.json`);
    await writeFile(`${path}.new`, bytes);
    await rename(`${path}.new`, path);
  }
}
