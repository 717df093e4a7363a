import { Collection } from '../../src/metadata/collection.ts';
import type { TrustStateStore } from '../../src/metadata/ports.ts';
import type { CollectionRules } from '../../src/metadata/rules.ts';
import { type CollectionEvents, TrustedMetadata } from '../../src/metadata/trusted-metadata.ts';
import { MemoryState } from '../../src/store/memory-state.ts';
import type { RootAnchor } from '../../src/trust/anchor.ts';
import { notaryV1 } from '../../src/trust/dialect/notary-v1-dialect.ts';
import { dockerConvention } from '../../src/trust/tag-search.ts';
import { FakeClock } from './fake-clock.ts';
import { MemoryMetadataSource } from './memory-metadata-source.ts';

/** Events that nobody listens to. */
export const SILENT_EVENTS: CollectionEvents = {
  refreshed: () => undefined,
  firstUse: () => undefined,
  advanced: () => undefined,
};

/** Options of a `TrustBench`. */
export interface TrustBenchOptions {
  readonly gun: string;
  readonly anchor?: RootAnchor;
  readonly rules?: Partial<CollectionRules>;
  readonly store?: TrustStateStore;
  readonly clock?: FakeClock;
}

/** One collection with everything around it in memory: the trust server, the clock, the durable state. */
export class TrustBench {
  readonly source = new MemoryMetadataSource();
  readonly clock: FakeClock;
  readonly store: TrustStateStore;
  readonly gun: string;
  readonly #rules: CollectionRules;
  #collection: Collection;

  constructor({ gun, anchor, rules, store, clock }: TrustBenchOptions) {
    this.gun = gun;
    this.clock = clock ?? new FakeClock();
    this.store = store ?? new MemoryState(this.clock);
    this.#rules = {
      dialect: notaryV1,
      convention: dockerConvention,
      anchor: anchor ?? { kind: 'first-use' },
      weak: { rsaPkcs1v15: false, p224: false },
      clockSkewMs: 0,
      maxAgeMs: 0,
      outageGraceMs: 0,
      ...rules,
    };
    this.#collection = this.#newCollection();
  }

  get collection(): Collection {
    return this.#collection;
  }

  /** Forgets all that is in memory, as a restart does; the store stays. */
  restart(anchor?: RootAnchor): void {
    this.#collection = this.#newCollection(anchor);
  }

  serve(files: ReadonlyMap<string, Uint8Array>): void {
    this.source.serve(this.gun, files);
  }

  #newCollection(anchor: RootAnchor = this.#rules.anchor): Collection {
    const key = { source: 'test', gun: this.gun };
    const { source, store, clock } = this;
    const rules = { ...this.#rules, anchor };
    const metadata = new TrustedMetadata({
      key,
      rules,
      source,
      store,
      clock,
      events: SILENT_EVENTS,
    });
    return new Collection({ key, convention: rules.convention, metadata, clock });
  }
}

/** The verdict of one tag in the labels of the recorded vectors: `ok` or a reason code. */
export async function verdictOf(
  bench: TrustBench,
  tag: string,
  signers: readonly string[] = [],
): Promise<{ verdict: string; digest?: string; role?: string }> {
  try {
    const { value } = await bench.collection.pin(tag, signers);
    return { verdict: 'ok', digest: `sha256:${value.sha256}`, role: value.role };
  } catch (error) {
    if (error instanceof Error && 'code' in error) return { verdict: String(error.code) };
    throw error;
  }
}
