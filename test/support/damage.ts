import type { ReasonCode } from '../../src/base/reason-code.ts';
import type { Json } from './notary-json.ts';
import { NotaryRepository, type PublishedFiles, type RoleEdit } from './notary-repository.ts';

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
  /** Damages a collection made by `undamagedRepository` and gives what the server serves from now on. */
  apply(repository: NotaryRepository): PublishedFiles;
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

/** A damage done by publishing once more while one role's file is edited. */
export function editing(
  role: string,
  edit: (repository: NotaryRepository) => RoleEdit,
): Damage['apply'] {
  return (repository) => repository.publish(new Map([[role, edit(repository)]]));
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
