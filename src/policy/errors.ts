import { CodedError } from '../base/coded-error.ts';

/** What is wrong with a name pattern. */
export type PatternCode =
  | 'PATTERN_TOO_LONG'
  | 'PATH_MISSING'
  | 'HOST_INVALID'
  | 'COMPONENT_INVALID'
  | 'WILDCARD_MISPLACED'
  | 'TAG_PATTERN_INVALID';

/** A `host/path` pattern, or one for tags, that breaks its grammar; `detail.pattern` and `detail.part` say where. */
export class PolicyPatternError extends CodedError<PatternCode> {}

/** Rules that cannot form a policy; `detail.problems` lists every one of them in words. */
export class PolicyError extends CodedError<'POLICY_INVALID'> {}
