import { Collection } from '../../../src/metadata/collection.ts';
import type {
  CollectionKey,
  MetadataFetchOptions,
  MetadataSource,
  StoredTrustRecord,
  TrustRecord,
  TrustStateStore,
} from '../../../src/metadata/ports.ts';
import type { CollectionRules } from '../../../src/metadata/rules.ts';
import { TrustedMetadata } from '../../../src/metadata/trusted-metadata.ts';
import { StateError } from '../../../src/store/errors.ts';
import { MemoryState } from '../../../src/store/memory-state.ts';
import { notaryV1 } from '../../../src/trust/dialect/notary-v1-dialect.ts';
import { dockerConvention } from '../../../src/trust/tag-search.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { MemoryMetadataSource } from '../../support/memory-metadata-source.ts';
import { NotaryRepository, type NotaryRepositoryOptions } from '../../support/notary-repository.ts';
import type { RoleEdit } from '../../support/publication.ts';

/** The delegation that the scenes' repository has. */
export const RELEASES = 'targets/releases';

/** What a tag was signed for in its n-th version. */
export function content(n: number): { readonly sha256: string; readonly length: number } {
  return { sha256: n.toString(16).padStart(64, '0'), length: 500 + n };
}

/** Requests that wait until they are let go. */
export interface Held {
  /** Settles when the first request has arrived. */
  readonly arrived: Promise<void>;
  letGo(): void;
}

/** A trust server in memory whose answers can be held back. */
export class SceneSource implements MetadataSource {
  readonly inner = new MemoryMetadataSource();
  /** File names asked for, in order. */
  readonly asked: string[] = [];
  readonly options: MetadataFetchOptions[] = [];
  #hold:
    | {
        readonly file: RegExp;
        arrive: () => void;
        readonly gate: Promise<void>;
        readonly once: boolean;
      }
    | undefined;

  /** Holds back the answers, as they are now, to requests that match; `once` only to the first of them. */
  hold(file: RegExp, { once = false }: { readonly once?: boolean } = {}): Held {
    const arrived = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    this.#hold = { file, arrive: arrived.resolve, gate: gate.promise, once };
    return {
      arrived: arrived.promise,
      letGo: () => {
        this.#hold = undefined;
        gate.resolve();
      },
    };
  }

  /** The requests since the last call. */
  takeAsked(): readonly string[] {
    return this.asked.splice(0);
  }

  async fetch(
    gun: string,
    file: string,
    options: MetadataFetchOptions,
  ): Promise<Uint8Array | undefined> {
    this.asked.push(file);
    this.options.push(options);
    const held = this.#hold;
    if (held?.file.test(file) === true) {
      const answer = this.inner.fetch(gun, file, options);
      answer.catch(() => undefined);
      if (held.once) this.#hold = undefined;
      held.arrive();
      const { promise: aborted, reject } = Promise.withResolvers<never>();
      options.signal?.addEventListener('abort', () => reject(options.signal?.reason));
      await Promise.race([held.gate, aborted]);
      return await answer;
    }
    return await this.inner.fetch(gun, file, options);
  }

  async close(): Promise<void> {}
}

/** State in memory that can fail, and that can be told to be slow. */
export class SceneStore implements TrustStateStore {
  readonly inner: MemoryState;
  /** Operations that fail from now on. */
  readonly failing = new Set<'load' | 'save' | 'revision'>();
  saves = 0;
  /** Runs before each save is done. */
  beforeSave: () => Promise<void> = async () => undefined;

  constructor(clock: FakeClock) {
    this.inner = new MemoryState(clock);
  }

  async load(key: CollectionKey): Promise<StoredTrustRecord | undefined> {
    this.#mayFail('load');
    return await this.inner.load(key);
  }

  async revision(key: CollectionKey): Promise<number> {
    this.#mayFail('revision');
    return await this.inner.revision(key);
  }

  async save(
    key: CollectionKey,
    record: TrustRecord,
    expectedRevision: number,
  ): Promise<number | undefined> {
    this.saves += 1;
    await this.beforeSave();
    this.#mayFail('save');
    return await this.inner.save(key, record, expectedRevision);
  }

  reset(key: CollectionKey, reason: string): Promise<boolean> {
    return this.inner.reset(key, reason);
  }

  list(): Promise<readonly CollectionKey[]> {
    return this.inner.list();
  }

  newestTimeSeen(): Promise<number> {
    return this.inner.newestTimeSeen();
  }

  noteTime(now: number): Promise<void> {
    return this.inner.noteTime(now);
  }

  #mayFail(operation: 'load' | 'save' | 'revision'): void {
    if (this.failing.has(operation)) throw new StateError('state_unreadable', 'injected');
  }
}

/** What a collection reported: its kind and facts. */
export type SceneEvent =
  | { readonly kind: 'refreshed'; readonly failure: unknown }
  | { readonly kind: 'firstUse'; readonly rootKeyIds: readonly string[] }
  | { readonly kind: 'advanced'; readonly versions: ReadonlyMap<string, number> };

/** Options of a `Scene`. */
export interface SceneOptions {
  readonly rules?: Partial<CollectionRules>;
  readonly repository?: Partial<NotaryRepositoryOptions>;
}

const GUN = 'registry.example.test/team/app';

/** A publisher, a trust server, a clock, durable state, and a collection between them. */
export class Scene {
  readonly clock = new FakeClock();
  readonly source = new SceneSource();
  readonly store: SceneStore;
  readonly repository: NotaryRepository;
  readonly events: SceneEvent[] = [];
  readonly key: CollectionKey = { source: 'test', gun: GUN };
  rules: CollectionRules;
  collection: Collection;

  /** Tag `v1` is published by `targets/releases`, for content 1. */
  constructor({ rules, repository }: SceneOptions = {}) {
    this.store = new SceneStore(this.clock);
    this.repository = new NotaryRepository({ gun: GUN, ...repository });
    this.repository.addDelegation(RELEASES);
    this.rules = {
      dialect: notaryV1,
      convention: dockerConvention,
      anchor: { kind: 'first-use' },
      weak: { rsaPkcs1v15: false, p224: false },
      clockSkewMs: 0,
      maxAgeMs: 0,
      outageGraceMs: 0,
      ...rules,
    };
    this.collection = this.another();
    this.sign('v1', 1);
  }

  /** A collection as another process would have it: same state, same server, nothing in memory. */
  another(): Collection {
    const { events, key, rules, source, store, clock } = this;
    const metadata = new TrustedMetadata({
      ...{ key, rules, source, store, clock },
      events: {
        refreshed: (_key, _durationMs, failure) => events.push({ kind: 'refreshed', failure }),
        firstUse: (_key, rootKeyIds) => events.push({ kind: 'firstUse', rootKeyIds }),
        advanced: (_key, versions) => events.push({ kind: 'advanced', versions }),
      },
    });
    return new Collection({ key, convention: rules.convention, metadata, clock });
  }

  /** Forgets what is in memory; `rules` change the configuration. */
  restart(rules: Partial<CollectionRules> = {}): void {
    this.rules = { ...this.rules, ...rules };
    this.collection = this.another();
  }

  /** Publishes, with edits by role, and serves it. */
  publish(edits: Readonly<Record<string, RoleEdit>> = {}): ReadonlyMap<string, Uint8Array> {
    this.repository.now = new Date(this.clock.now());
    const files = this.repository.publish(new Map(Object.entries(edits)));
    this.serve(files);
    return files;
  }

  /** Signs a tag for content `n` and publishes it. */
  sign(tag: string, n: number, role: string = RELEASES): ReadonlyMap<string, Uint8Array> {
    this.repository.sign(tag, content(n), role);
    return this.publish();
  }

  serve(files: ReadonlyMap<string, Uint8Array>): void {
    this.source.inner.serve(this.key.gun, files);
  }

  /** The server goes down, for files whose names match. */
  goDown(file = /./): void {
    this.source.inner.inject(file, 'trust_server_unreachable');
  }

  comeBack(): void {
    this.source.inner.clearFaults();
  }

  /** Pins a tag and gives the number of its content, and for how long the server was not seen. */
  async pin(tag = 'v1', collection: Collection = this.collection): Promise<number> {
    const { value } = await collection.pin(tag, []);
    return Number.parseInt(value.sha256, 16);
  }

  async staleSeconds(tag = 'v1'): Promise<number | undefined> {
    return (await this.collection.pin(tag, [])).staleSeconds;
  }

  /** The version of a role's file on record, or undefined. */
  async versionOnRecord(role: string): Promise<number | undefined> {
    const stored = await this.store.inner.load(this.key);
    if (stored === undefined) return undefined;
    const { root, timestamp, snapshot, targets } = stored.record;
    const named = { root, timestamp, snapshot }[role] ?? targets.get(role);
    if (named === undefined) return undefined;
    const file: { signed: { version: number } } = JSON.parse(Buffer.from(named).toString());
    return file.signed.version;
  }
}
