import type { ReasonCode } from '../../src/base/reason-code.ts';
import type { Json } from './notary-json.ts';
import { NotaryRepository } from './notary-repository.ts';
import type { BaseRole, PublishedFiles, RoleEdit } from './publication.ts';
import type { SimulatedRepository } from './simulated-repository.ts';
import { TufRepository, type TufRepositoryOptions } from './tuf-repository.ts';

/** The encodings that a damage can be done in. */
export type DialectName = SimulatedRepository['dialect'];

/** Something that a publisher, a trust server or somebody on the way could do to a collection. */
export interface Damage {
  readonly name: string;
  /** The reason for which a pull of `DAMAGED_TAG` is to be refused. */
  readonly reason: ReasonCode;
  /** Reasons that say the same from another angle, depending on the order of checks. */
  readonly alsoAcceptable?: readonly ReasonCode[];
  /**
   * `needed`: only a verifier that has seen the undamaged state can notice; `none`: only one that has not;
   * `any`: both must.
   */
  readonly earlierState: 'needed' | 'none' | 'any';
  /** Files that the server never stops sending. */
  readonly endless?: RegExp;
  /** Default: it can be done in both. */
  readonly dialects?: readonly DialectName[];
  /** What is another in TUF 1.0. */
  readonly inTuf?: Partial<Pick<Damage, 'reason' | 'alsoAcceptable' | 'earlierState' | 'endless'>>;
  /** It can only be noticed where files are bound by hashes, not by versions alone; default false. */
  readonly needsHashes?: boolean;
  /** Damages an undamaged repository and gives what the server serves from now on. */
  apply(repository: SimulatedRepository): PublishedFiles;
}

/** The damages of a table that can be done in a dialect, as they are there. */
export function damagesIn(dialect: DialectName, table: readonly Damage[]): readonly Damage[] {
  return table
    .filter(({ dialects }) => dialects === undefined || dialects.includes(dialect))
    .map((damage) => (dialect === 'tuf-1.0' ? { ...damage, ...damage.inTuf } : damage));
}

/** The tag that every damage keeps from being served; published by `targets/releases`. */
export const DAMAGED_TAG = '1.0';

/** A tag published by `targets` itself in the undamaged state. */
export const PLAIN_TAG = 'plain';

/** What both tags are signed for. */
export const SIGNED_CONTENT: { readonly sha256: string; readonly length: number } = {
  sha256: '7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed',
  length: 523,
};

/**
 * Makes a collection whose roles (root excepted) all have two versions, and which publishes `DAMAGED_TAG` in
 * `targets/releases` and `PLAIN_TAG` in `targets`. Call `bytes` and `publish` on it, or serve `served`.
 */
export function undamagedRepository(
  options: { readonly gun?: string; readonly now?: Date | string } = {},
): { readonly repository: NotaryRepository; readonly served: PublishedFiles } {
  const repository = new NotaryRepository({ gun: 'registry.example.test/team/app', ...options });
  repository.addDelegation('targets/releases');
  repository.sign('first', SIGNED_CONTENT);
  repository.sign('first', SIGNED_CONTENT, 'targets/releases');
  repository.publish();
  repository.sign(PLAIN_TAG, SIGNED_CONTENT);
  repository.sign(DAMAGED_TAG, SIGNED_CONTENT, 'targets/releases');
  return { repository, served: repository.publish() };
}

/** The same of TUF 1.0; the target that stands for a tag has `app:` before it. */
export function undamagedTufRepository(options: TufRepositoryOptions = {}): {
  readonly repository: TufRepository;
  readonly served: PublishedFiles;
} {
  const repository = new TufRepository({ prefix: 'app:', ...options });
  repository.addDelegation(repository.releaseRole);
  repository.sign('first', SIGNED_CONTENT);
  repository.sign('first', SIGNED_CONTENT, repository.releaseRole);
  repository.publish();
  repository.sign(PLAIN_TAG, SIGNED_CONTENT);
  repository.sign(DAMAGED_TAG, SIGNED_CONTENT, repository.releaseRole);
  return { repository, served: repository.publish() };
}

/** The role that the tables call by its name in Notary v1. */
export function roleIn({ releaseRole }: SimulatedRepository, role: string): string {
  return role === 'targets/releases' ? releaseRole : role;
}

/** A damage done by publishing once more while one role's file is edited. */
export function editing(
  role: string,
  edit: (repository: SimulatedRepository) => RoleEdit,
): Damage['apply'] {
  return (repository) =>
    repository.publish(new Map([[roleIn(repository, role), edit(repository)]]));
}

/** The value of `_type` in a role's file. */
export function typeName({ dialect }: SimulatedRepository, role: BaseRole): string {
  return dialect === 'tuf-1.0' ? role : `${role.charAt(0).toUpperCase()}${role.slice(1)}`;
}

/** The name under which `meta` lists a role's file. */
export function metaName(repository: SimulatedRepository, role: string): string {
  const name = roleIn(repository, role);
  return repository.dialect === 'tuf-1.0' ? `${name}.json` : name;
}

/** The simulator as one of TUF 1.0, for damages that only it can suffer. */
export function asTuf(repository: SimulatedRepository): TufRepository {
  if (!(repository instanceof TufRepository)) throw new Error('not a repository of TUF 1.0');
  return repository;
}

/** The simulator as one of Notary v1, for damages that only it can suffer. */
export function asNotary(repository: SimulatedRepository): NotaryRepository {
  if (!(repository instanceof NotaryRepository)) throw new Error('not a repository of Notary v1');
  return repository;
}

/** Changes a signed part as if it were plain data; for what the types of the simulator rule out. */
export function changingSigned(change: (signed: Map<string, Json>) => void): RoleEdit {
  return {
    signed(signed) {
      const members = new Map(Object.entries(signed));
      change(members);
      return Object.fromEntries(members);
    },
  };
}
