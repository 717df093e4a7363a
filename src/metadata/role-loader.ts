import { SingleFlight } from '../base/single-flight.ts';
import { TrustError } from '../trust/errors.ts';
import type { RoleRequest, Search } from '../trust/search.ts';
import type { TrustedSet } from '../trust/trusted-set.ts';
import type { AcceptedState } from './accepted-state.ts';
import { withinDeadline } from './deadline.ts';
import type { CollectionKey, MetadataSource } from './ports.ts';
import { fetchNamed } from './refresh.ts';
import { METADATA_LIMITS } from './rules.ts';

/** What surrounds a search. */
export interface SearchContext {
  /** Collects the roles whose content had a say. */
  readonly visited: Set<string>;
  /** Files of earlier runs, which need not be fetched again. */
  readonly known: AcceptedState | undefined;
}

/** Gets delegated roles into a set when searches ask for them; each only once, however many ask. */
export class RoleLoader {
  readonly #key: CollectionKey;
  readonly #source: MetadataSource;
  readonly #loading = new WeakMap<TrustedSet, SingleFlight<string, boolean>>();
  readonly #unavailable = new WeakMap<TrustedSet, Set<string>>();

  constructor({ key, source }: { readonly key: CollectionKey; readonly source: MetadataSource }) {
    this.#key = key;
    this.#source = source;
  }

  /**
   * Drives a search to its end, giving it the roles it asks for.
   *
   * @throws {TrustError} what the search throws, and what makes a needed role unacceptable
   * @throws {TrustServerError} a needed role could not be got
   */
  async drive<Result>(
    set: TrustedSet,
    search: Search<Result>,
    context: SearchContext,
  ): Promise<Result> {
    let step = search.next();
    while (step.done !== true) {
      const { role } = step.value;
      const isThere = await this.#ensure(set, step.value, context);
      if (isThere) context.visited.add(role);
      step = search.next(isThere ? set.targets.get(role)?.body : undefined);
    }
    return step.value;
  }

  /** @returns whether the role is there; false when it has published nothing, or failed without being needed */
  async #ensure(set: TrustedSet, request: RoleRequest, context: SearchContext): Promise<boolean> {
    const { role, delegator, isNeeded } = request;
    if (set.isAccepted(role, delegator)) return true;
    const unavailable = this.#unavailable.get(set) ?? new Set();
    if (!isNeeded && unavailable.has(role)) return false;
    const flights = this.#loading.get(set) ?? new SingleFlight();
    this.#loading.set(set, flights);
    try {
      const load = async (): Promise<boolean> => await this.#load(set, request, context.known);
      return await flights.run(JSON.stringify([role, delegator]), load);
    } catch (error) {
      if (isNeeded) throw error;
      // It could only have told "not released" from "not signed"; both refuse. Not asked again for this version.
      this.#unavailable.set(set, unavailable.add(role));
      return false;
    }
  }

  async #load(
    set: TrustedSet,
    { role, delegator }: RoleRequest,
    known: AcceptedState | undefined,
  ): Promise<boolean> {
    const meta = set.expected(role);
    if (known === undefined) return false;
    if (meta === undefined) {
      if (set.root.dialect.unlistedDelegation === 'unpublished') return false;
      throw new TrustError('metadata_missing', `the snapshot does not list ${role}`, {
        detail: { role },
      });
    }
    const bytes = set.targets.get(role)?.bytes ?? (await this.#fetch(role, { meta, known }));
    if (!set.isAccepted(role, delegator)) set.acceptTargets(role, bytes, delegator);
    return true;
  }
  #fetch(role: string, file: Parameters<typeof fetchNamed>[2]): Promise<Uint8Array> {
    const { gun } = this.#key;
    return withinDeadline(METADATA_LIMITS.refreshMs, (signal) =>
      fetchNamed({ source: this.#source, gun, signal }, role, file),
    );
  }
}
