import { CodedError } from '../base/coded-error.ts';

/** State on disk that cannot be believed. Pinnace refuses rather than starting over from nothing. */
export class StateError extends CodedError<'state_unreadable'> {}
