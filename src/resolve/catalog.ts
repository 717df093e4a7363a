import { parseRepositoryName, type Repository } from '../oci/names.ts';
import type { Policy } from '../policy/policy.ts';
import type { PinnedRepositories } from './ports.ts';
import type { CatalogService } from './pull-service.ts';

/** What a catalog is put together from. */
export interface CatalogOptions {
  readonly policy: Policy;
  /** The names of the rules that are for one repository each. */
  readonly named: readonly string[];
  readonly pins: PinnedRepositories;
}

/**
 * The repositories that the policy allows and that Pinnace knows: those with a verified answer on record, and those that a
 * rule is for by name. No registry is asked for its list: what it says exists is nobody's word but its own.
 */
export class Catalog implements CatalogService {
  readonly #options: CatalogOptions;

  constructor(options: CatalogOptions) {
    this.#options = options;
  }

  async repositories(): Promise<readonly Repository[]> {
    const { policy, named, pins } = this.#options;
    const names = new Set([...named, ...(await pins.pinnedRepositories())]);
    return Array.from(names, parseRepositoryName).filter(
      (repository) => policy.match(repository) !== undefined,
    );
  }
}
