import type { TargetsBody } from './model.ts';

/** A role whose content the search needs next. */
export interface RoleRequest {
  readonly role: string;
  /** The role whose delegation leads there; empty for `targets`. */
  readonly delegator: string;
  /** False when the answer can only change the wording of a refusal; then failing to get it may be ignored. */
  readonly isNeeded: boolean;
}

/** A search for a tag: it asks for roles, is given their content (undefined: published nothing), and ends in a result. */
export type Search<Result> = Generator<RoleRequest, Result, TargetsBody | undefined>;
