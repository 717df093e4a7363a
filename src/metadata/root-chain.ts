import { SingleFlight } from '../base/single-flight.ts';
import { TrustError } from '../trust/errors.ts';
import { TrustedRoot } from '../trust/trusted-root.ts';
import { withinDeadline } from './deadline.ts';
import type { CollectionKey, MetadataSource } from './ports.ts';
import { METADATA_LIMITS, type MetadataRules } from './rules.ts';

/** What a chain is walked with. */
export interface RootChainOptions {
  readonly key: CollectionKey;
  readonly rules: MetadataRules;
  readonly source: MetadataSource;
}

type Roots = ReadonlyMap<number, Uint8Array>;

const NO_ROOTS: Roots = new Map();

/**
 * The roots that led to the one trusted now. They are not on record, since the newest is all that answers rest on; clients
 * that were away for several rotations need each of them.
 */
export class RootChain {
  readonly #options: RootChainOptions;
  readonly #walking = new SingleFlight<TrustedRoot, Roots>();
  readonly #walked = new WeakMap<TrustedRoot, Roots>();

  constructor(options: RootChainOptions) {
    this.#options = options;
  }

  /**
   * The root of a version, out of a chain that is verified from its beginning to `newest`; undefined for what is no part of
   * it, and for all earlier ones when the source has no such chain.
   *
   * @throws {TrustServerError} could not find out
   * @source TUF 1.0.34 §5.3 (#update-root)
   */
  async version(newest: TrustedRoot, version: number): Promise<Uint8Array | undefined> {
    if (version === newest.body.version) return newest.bytes;
    if (version > newest.body.version) return undefined;
    const known = this.#walked.get(newest);
    const roots = known ?? (await this.#walking.run(newest, async () => await this.#walk(newest)));
    this.#walked.set(newest, roots);
    return roots.get(version);
  }

  async #walk(newest: TrustedRoot): Promise<Roots> {
    if (newest.body.version > METADATA_LIMITS.rootRotations) return NO_ROOTS;
    try {
      return await withinDeadline(METADATA_LIMITS.refreshMs, async (signal) => {
        return await this.#chainTo(newest, signal);
      });
    } catch (error) {
      // The newest stands by itself: it was admitted. What does not lead there is nobody's business.
      if (error instanceof TrustError) return NO_ROOTS;
      throw error;
    }
  }

  async #chainTo(newest: TrustedRoot, signal: AbortSignal): Promise<Roots> {
    const { key, rules, source } = this.#options;
    const { weak, dialect } = rules;
    const own = { gun: key.gun, anchor: { kind: 'first-use' }, weak, dialect } as const;
    const maxBytes = METADATA_LIMITS.rootBytes;
    const roots = new Map<number, Uint8Array>();
    let last: TrustedRoot | undefined;
    for (let version = 1; version < newest.body.version; version += 1) {
      const bytes = await source.fetch(key.gun, `${version}.root.json`, { maxBytes, signal });
      if (bytes === undefined) return NO_ROOTS;
      last = last?.successor(bytes) ?? TrustedRoot.admit(bytes, own, 0);
      roots.set(version, bytes);
    }
    // Without this the source could make up a past: each root has to be signed for by the one before, down to the newest,
    // whose bytes nobody can change any more.
    last?.successor(newest.bytes);
    return roots;
  }
}
