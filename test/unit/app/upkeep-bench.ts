import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { UpkeepEvents } from '../../../src/app/collection-events.ts';
import { CollectionUpkeep } from '../../../src/app/collection-upkeep.ts';
import { Publishing } from '../../../src/app/publishing.ts';
import type { Signers } from '../../../src/signing/key-ring.ts';
import type { CollectionFolder } from '../../../src/signing/ports.ts';
import type { PublishTarget } from '../../../src/signing/publish.ts';
import { tuf10 } from '../../../src/trust/dialect/tuf-1.0.ts';
import type { Desk } from '../signing/desk.ts';

export const SECOND = 1_000;
export const MINUTE = 60_000;
export const HOUR = 3_600_000;

/** A place in memory that can be made to fail, or to take its time. */
export class MemoryPlace implements PublishTarget {
  readonly name = 'a place';
  readonly files = new Map<string, Uint8Array>();
  failure: Error | undefined;
  /** Every write waits for this. */
  gate: Promise<void> = Promise.resolve();
  /** Called when a write begins. */
  onWrite: () => void = () => undefined;
  isClosed = false;

  async read(file: string): Promise<Uint8Array | undefined> {
    if (this.failure !== undefined) throw this.failure;
    return await Promise.resolve(this.files.get(file));
  }

  async write(file: string, bytes: Uint8Array): Promise<void> {
    this.onWrite();
    await this.gate;
    this.files.set(file, bytes);
  }

  /** The version of the timestamp that is there; 0: none. */
  get version(): number {
    const bytes = this.files.get('timestamp.json');
    return bytes === undefined ? 0 : tuf10.parseTimestamp(tuf10.parseEnvelope(bytes)).version;
  }
}

/** How the upkeep under test differs from the usual one. */
export interface UpkeepChange {
  readonly folder?: CollectionFolder;
  readonly keys?: () => Promise<Signers>;
  readonly places?: readonly MemoryPlace[];
}

/** The upkeep of a desk's collection, with its online keys, and what it has told. */
export class UpkeepBench {
  readonly desk: Desk;
  readonly upkeep: CollectionUpkeep;
  /** Events, each as one line. */
  readonly told: string[] = [];

  constructor(desk: Desk, change: UpkeepChange = {}) {
    this.desk = desk;
    const { clock } = desk;
    const events = this.#events();
    const publishings = (change.places ?? []).map(
      (target, index) =>
        new Publishing({
          place: `place ${index}`,
          open: () => ({
            value: target,
            close: () => {
              target.isClosed = true;
              return Promise.resolve();
            },
          }),
          clock,
          onPublished: (files) => events.published('vetted', `place ${index}`, files),
          onFailed: (error) => events.publishingFailed('vetted', `place ${index}`, error),
        }),
    );
    this.upkeep = new CollectionUpkeep({
      name: 'vetted',
      folder: change.folder ?? desk.folder,
      keys: change.keys ?? (() => Promise.resolve(desk.ring('snapshot', 'timestamp'))),
      publishings,
      clock,
      events,
    });
  }

  /** Moves the clock and has it look. */
  async after(durationMs: number): Promise<void> {
    this.desk.clock.advance(durationMs);
    await this.upkeep.look();
  }

  /** What was told since the last call. */
  news(): readonly string[] {
    return this.told.splice(0);
  }

  /** The version of the timestamp in the folder. */
  async version(): Promise<number> {
    const bytes = await readFile(join(this.desk.dir, 'metadata', 'timestamp.json'));
    return tuf10.parseTimestamp(tuf10.parseEnvelope(bytes)).version;
  }

  #events(): UpkeepEvents {
    const tell = (...words: readonly string[]): void => void this.told.push(words.join(' '));
    return {
      renewed: (_, renewal, version) => tell(renewal, String(version)),
      renewalFailed: (_, error) => tell('failed', codeOf(error)),
      ending: (_, { role, stopsRenewal }) => tell(stopsRenewal ? 'stops:' : 'ending:', role),
      published: (_, place, files) => tell(place, files.length > 0 ? 'published' : 'unchanged'),
      publishingFailed: (_, place, error) => tell(place, 'failed', codeOf(error)),
    };
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
