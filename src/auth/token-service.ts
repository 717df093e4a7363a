import type { Rejected } from './admission.ts';

/** A request to a token endpoint. */
export interface TokenRequest {
  /** The query of a GET, or the form of a POST. */
  readonly fields: URLSearchParams;
  readonly isForm: boolean;
  readonly authorization: string | undefined;
  readonly address: string;
  /** The full name of the repository that a name in a scope means on this listener; undefined for what is none. */
  readonly locate: (name: string) => string | undefined;
}

/** What a token endpoint answers. */
export type TokenAnswer =
  | { readonly kind: 'granted'; readonly body: Readonly<Record<string, string | number>> }
  | { readonly kind: 'rejected'; readonly rejected: Rejected }
  /** @source RFC 6749 §5.2 */
  | {
      readonly kind: 'malformed';
      readonly error: 'invalid_request' | 'unsupported_grant_type';
      readonly sentence: string;
    };

/** A token service that stands on the listener whose tokens it gives out. */
export interface TokenService {
  /** Answers one request. @throws {StateError} `state_unreadable` when the signing key cannot be read */
  answer(request: TokenRequest): Promise<TokenAnswer>;
}
