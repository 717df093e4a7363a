import type { Clock } from '../base/clock.ts';
import { CodedError } from '../base/coded-error.ts';
import type { Collections } from '../metadata/collections.ts';
import { heldFile, parseHeldFileName } from '../metadata/held-file.ts';
import { type Repository, repositoryName } from '../oci/names.ts';
import type { Policy } from '../policy/policy.ts';
import { ruleName } from '../policy/rule.ts';
import type { ClockGuard } from './clock-guard.ts';
import type { PullOptions, Refusal, ServedTrustFile, TrustFileService } from './pull-service.ts';

/** What the trust files are put together from. */
export interface TrustFilesOptions {
  readonly policy: Policy;
  readonly collections: Collections;
  readonly clock: Clock;
  readonly clockGuard: ClockGuard;
  /** Makes a refusal of an error; the rule is its name. */
  readonly refusalOf: (error: unknown, rule: string | undefined) => Refusal;
}

/**
 * Gives the metadata that verification rests on to clients that verify it themselves, byte for byte and read-only. A
 * collection that Pinnace refuses has no files.
 */
export class TrustFiles implements TrustFileService {
  readonly #options: TrustFilesOptions;

  constructor(options: TrustFilesOptions) {
    this.#options = options;
  }

  async trustFile(
    repository: Repository,
    file: string,
    { signal }: PullOptions,
  ): Promise<ServedTrustFile | Refusal | undefined> {
    const rule = this.#options.policy.rulesOf(repository).verifying;
    const name = parseHeldFileName(file);
    if (rule === undefined || name === undefined) return undefined;
    const { collections, clock, clockGuard, refusalOf } = this.#options;
    const gun = repositoryName(repository);
    const { metadata } = collections.open({ source: rule.requirement.source, gun });
    // A TUF 1.0 repository is one for all images and written differently: no collection of that name is in it.
    if (metadata.key.gun !== gun) return undefined;
    try {
      await clockGuard.require();
      const { value, staleSeconds } = await heldFile(metadata, name, { clock, signal });
      if (value === undefined) return undefined;
      const stale = staleSeconds === undefined ? {} : { staleSeconds };
      return { verdict: 'pinned', ...value, ...stale, rule: ruleName(rule) };
    } catch (error) {
      // Anything else is a client that went away or a defect of ours: no verdict, and to be reported as what it is.
      if (!(error instanceof CodedError)) throw error;
      return refusalOf(error, ruleName(rule));
    }
  }
}
