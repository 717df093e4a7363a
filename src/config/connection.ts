import type { Patterned } from '../policy/pattern-index.ts';
import type { ProxyEnvironment } from './env.ts';

/** A certificate with its intermediates and its private key, both PEM text. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** A user name, and its password at the time of the call. */
export interface Credentials {
  readonly username: string;
  /**
   * Reads the password file anew, so that a changed password is used at once; a password from the environment stays.
   *
   * @throws {ConfigError} `config_invalid` when the file is no longer there or no longer holds one line
   */
  readonly password: () => Promise<string>;
}

/** What makes a root believed. */
export type RootBelief =
  /** TUF key ids of root certificates or of the bare keys in them; 64 lower-case hex digits each. */
  | { readonly kind: 'root-keys'; readonly keyIds: readonly string[] }
  /** The root certificates themselves, one PEM text per file. */
  | { readonly kind: 'root-certificates'; readonly certificates: readonly string[] }
  /** PEM text of the CA certificates that root certificates must chain to. */
  | { readonly kind: 'ca'; readonly certificates: string }
  | { readonly kind: 'first-use' };

/** What is believed for the collections (GUNs) of one pattern; `PatternIndex` finds the anchor of a collection. */
export interface AnchorConfig extends Patterned {
  readonly belief: RootBelief;
}

/** A Notary server and which roots of it are believed. */
export interface TrustSourceConfig {
  /** Its name in the configuration. */
  readonly name: string;
  readonly kind: 'notary';
  /** The server's URL without a slash at its end. */
  readonly url: string;
  /** PEM text of certificate authorities trusted beside those of the system. */
  readonly ca?: string;
  readonly credentials?: Credentials;
  /** Further hosts that may be sent the credentials as token services. */
  readonly realmHosts: ReadonlySet<string>;
  /** What the environment asks for. */
  readonly proxy: ProxyEnvironment;
  readonly anchors: readonly AnchorConfig[];
  /** Whether the first root seen is believed for collections without an anchor. */
  readonly trustOnFirstUse: boolean;
  /** How long an answer is served without having asked the server again; 0: ask at every pull. */
  readonly maxAgeMs: number;
  /** How long beyond that while the server cannot be reached. */
  readonly outageGraceMs: number;
  /** How long after its expiry a timestamp is accepted, at most 60 000. */
  readonly clockSkewMs: number;
  /** Whether RSA PKCS#1 v1.5 signatures are accepted. */
  readonly rsaPkcs1v15: boolean;
  /** Whether ECDSA keys on P-224 are accepted. */
  readonly p224: boolean;
  /** Whether `ca` anchors accept leaves for code signing only. */
  readonly codeSigningChains: boolean;
}
