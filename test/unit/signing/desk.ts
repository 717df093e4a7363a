import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import type { Digest } from '../../../src/oci/digest.ts';
import { sha256Digest } from '../../../src/oci/digest.ts';
import { approve, type EditContext, revoke } from '../../../src/signing/approvals.ts';
import { beginCollection, type FirstKeys } from '../../../src/signing/begin.ts';
import {
  conclude,
  type OpenCollection,
  openCollection,
  publicationOf,
} from '../../../src/signing/collection.ts';
import type { Conclusion } from '../../../src/signing/conclusion.ts';
import type { Draft } from '../../../src/signing/draft.ts';
import { targetEntryOf } from '../../../src/signing/image-approval.ts';
import { openedKeys, type Signers } from '../../../src/signing/key-ring.ts';
import {
  type CollectionSettings,
  DEFAULT_SETTINGS,
  writeSettings,
} from '../../../src/signing/settings.ts';
import { signDraft } from '../../../src/signing/sign-draft.ts';
import { SigningKey } from '../../../src/signing/signing-key.ts';
import { DiskCollectionFolder } from '../../../src/store/collection-folder.ts';
import { tuf10 } from '../../../src/trust/dialect/tuf-1.0.ts';
import { namedConvention } from '../../../src/trust/target-search.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { TrustBench } from '../../support/trust-bench.ts';

export const DAY = 86_400_000;
export const GUN = 'registry.test/team/app';

/** How a test's collection begins. */
export interface DeskOptions {
  /** How many keys root and targets have, and how many must sign; default 1 of 1. */
  readonly root?: readonly [keys: number, threshold: number];
  readonly targets?: readonly [keys: number, threshold: number];
  readonly settings?: Partial<CollectionSettings>;
}

/** New keys that no file holds. */
export function newKeys(count: number): readonly SigningKey[] {
  return Array.from({ length: count }, () => SigningKey.generate().key);
}

/** A folder for one test. */
export async function temporaryFolder(context: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'pinnace-collection-'));
  context.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** The digest of something made up. */
export function digestOf(text: string): Digest {
  return sha256Digest(Buffer.from(text));
}

/** A site's collection on disk, with all its keys, and a client of its published files. */
export class Desk {
  readonly dir: string;
  readonly clock = new FakeClock();
  readonly folder: DiskCollectionFolder;
  /** By role; tests add those of teams. */
  readonly keys = new Map<string, readonly SigningKey[]>();
  readonly bench: TrustBench;

  private constructor(dir: string, bench: TrustBench) {
    this.dir = dir;
    this.bench = bench;
    this.clock = bench.clock;
    this.folder = new DiskCollectionFolder(dir, { clock: systemClock, patienceMs: 50 });
  }

  static async begin(context: TestContext, options: DeskOptions = {}): Promise<Desk> {
    const { root = [1, 1], targets = [1, 1] } = options;
    const dir = await temporaryFolder(context);
    const clock = new FakeClock();
    const settings = { ...DEFAULT_SETTINGS, ...options.settings };
    const roles = new Map<'root' | 'targets' | 'snapshot' | 'timestamp', FirstKeys>([
      ['root', { keys: newKeys(root[0]), threshold: root[1] }],
      ['targets', { keys: newKeys(targets[0]), threshold: targets[1] }],
      ['snapshot', { keys: newKeys(1), threshold: 1 }],
      ['timestamp', { keys: newKeys(1), threshold: 1 }],
    ]);
    const { files } = await beginCollection(roles, { settings, now: clock.now() });
    const bench = new TrustBench({
      gun: GUN,
      clock,
      anchor: { kind: 'root-file', bytes: files.metadata?.get('1.root.json') ?? new Uint8Array() },
      rules: {
        dialect: tuf10,
        convention: namedConvention({ prefix: `${GUN}:`, suffix: '' }),
      },
    });
    const desk = new Desk(dir, bench);
    for (const [role, { keys }] of roles) desk.keys.set(role, keys);
    await desk.folder.begin(writeSettings(settings), files);
    return desk;
  }

  async open(): Promise<OpenCollection> {
    return await openCollection(this.folder);
  }

  /** All keys of these roles; without any, all keys there are. */
  ring(...roles: readonly string[]): Signers {
    const wanted = roles.length === 0 ? [...this.keys.keys()] : roles;
    return openedKeys(wanted.flatMap((role) => this.keys.get(role) ?? []));
  }

  /** The online keys and these. */
  ringWith(...keys: readonly SigningKey[]): Signers {
    const online = [...(this.keys.get('snapshot') ?? []), ...(this.keys.get('timestamp') ?? [])];
    return openedKeys([...keys, ...online]);
  }

  /** Carries a change through as the commands do. */
  async change(
    edit: (context: EditContext) => Draft,
    ring: Signers = this.ring(),
  ): Promise<Conclusion> {
    const open = await this.open();
    const draft = edit({ open, now: this.clock.now() });
    const signed = await signDraft(open.repository, draft, ring);
    return await conclude(open, signed, { ring, clock: this.clock });
  }

  async approve(
    tag: string,
    digest: Digest = digestOf(tag),
    { ring, expiresAt }: { readonly ring?: Signers; readonly expiresAt?: number } = {},
  ): Promise<Conclusion> {
    const image = { source: `${GUN}:${tag}@${digest}`, digest, length: 7, platforms: [] };
    const entry = targetEntryOf(image, { approvedAt: this.clock.now(), expiresAt });
    return await this.change(
      (context) => approve(context, [{ name: `${GUN}:${tag}`, entry }]),
      ring,
    );
  }

  async revoke(tag: string): Promise<Conclusion> {
    return await this.change((context) => revoke(context, `${GUN}:${tag}`));
  }

  /** The files that are to be published now. */
  async files(): Promise<ReadonlyMap<string, Uint8Array>> {
    return publicationOf((await this.open()).repository);
  }

  /** What a client that has followed the collection so far makes of a tag: its digest, or the code of the refusal. */
  async seen(tag: string): Promise<string> {
    this.bench.serve(await this.files());
    try {
      await this.bench.collection.refreshAnew();
      const { value } = await this.bench.collection.pin(tag, []);
      return `sha256:${value.sha256}`;
    } catch (error) {
      if (error instanceof Error && 'code' in error) return String(error.code);
      throw error;
    }
  }
}
