import type { Repository, Tag } from '../oci/names.ts';
import type { Patterned } from '../policy/pattern-index.ts';
import type { DockerLogin } from './docker-config.ts';
import type { HelperEnvironment, ProxyEnvironment } from './env.ts';
import type { TargetTemplate } from './target-template.ts';

/** A certificate with its intermediates and its private key, both PEM text. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** Reads a file anew, so that what it holds now is used at once; it throws `ConfigError` `config_invalid`, without quoting it. */
type ReadNow<Value> = () => Promise<Value>;

/** Who Pinnace logs in as at one server; secrets are as they are at the time of the call. */
export type Credentials =
  | {
      readonly kind: 'password';
      readonly username: string;
      /** A password from the environment stays as it was at the start. */
      readonly password: ReadNow<string>;
    }
  /** A token that is sent as it is. */
  | { readonly kind: 'access-token'; readonly token: ReadNow<string> }
  /** A token that is exchanged for others at the token service. */
  | { readonly kind: 'refresh-token'; readonly token: ReadNow<string> }
  | {
      readonly kind: 'docker-config';
      /** What the file says of the server. */
      readonly login: ReadNow<DockerLogin>;
      /** A function, so that no configuration printed by mistake shows it. */
      readonly helperEnvironment: () => HelperEnvironment;
    }
  | {
      readonly kind: 'helper';
      /** What follows `docker-credential-` in the program's name. */
      readonly helper: string;
      /** A function, so that no configuration printed by mistake shows it. */
      readonly helperEnvironment: () => HelperEnvironment;
    };

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

/** What all trust sources have. */
interface SourceConfig {
  /** Its name in the configuration. */
  readonly name: string;
  /** How long an answer is served without having asked the server again; 0: ask at every pull. */
  readonly maxAgeMs: number;
  /** How long beyond that while the server cannot be reached. */
  readonly outageGraceMs: number;
  /** How long after its expiry a timestamp is accepted, at most 60 000. */
  readonly clockSkewMs: number;
}

/** A server of trust metadata and how it is spoken to. */
export interface TrustServerConfig {
  /** The server's URL without a slash at its end. */
  readonly url: string;
  /** PEM text of certificate authorities trusted beside those of the system. */
  readonly ca?: string;
  readonly credentials?: Credentials;
  /** Further hosts that may be sent the credentials as token services. */
  readonly realmHosts: ReadonlySet<string>;
  /** What the environment asks for. */
  readonly proxy: ProxyEnvironment;
}

/** A Notary server and which roots of it are believed. */
export interface NotarySourceConfig extends SourceConfig, TrustServerConfig {
  readonly kind: 'notary';
  readonly anchors: readonly AnchorConfig[];
  /** Whether the first root seen is believed for collections without an anchor. */
  readonly trustOnFirstUse: boolean;
  /** Whether RSA PKCS#1 v1.5 signatures are accepted. */
  readonly rsaPkcs1v15: boolean;
  /** Whether ECDSA keys on P-224 are accepted. */
  readonly p224: boolean;
  /** Whether `ca` anchors accept leaves for code signing only. */
  readonly codeSigningChains: boolean;
}

/** Where a TUF repository is. */
export type TufLocation =
  | ({ readonly kind: 'server' } & TrustServerConfig)
  /** A folder on this machine, by its absolute path. */
  | { readonly kind: 'folder'; readonly path: string }
  /** An artifact in one of the upstreams. */
  | { readonly kind: 'artifact'; readonly repository: Repository; readonly tag: Tag };

/** A TUF 1.0 repository and the root that is believed. */
export interface TufSourceConfig extends SourceConfig {
  readonly kind: 'tuf';
  readonly location: TufLocation;
  /** The exact text of the root file; empty when files were not read. */
  readonly root: string;
  /** How tags are written as target names. */
  readonly target: TargetTemplate;
}

/** Where a collection is published. */
export type PlaceConfig =
  | ({ readonly kind: 'server' } & Omit<TrustServerConfig, 'realmHosts'>)
  | Exclude<TufLocation, { kind: 'server' }>;

/** A collection of the site's own that is kept current. */
export interface OwnCollectionConfig {
  /** Its name in the configuration. */
  readonly name: string;
  /** Absolute path of its folder. */
  readonly folder: string;
  /** Absolute paths of files or folders with online keys, beside those in its own folder. */
  readonly keyPaths: readonly string[];
  /** Reads the passphrase of the online keys anew. @throws {ConfigError} `config_invalid` */
  readonly passphrase?: () => Promise<string>;
  readonly places: readonly PlaceConfig[];
}

/** Who says what tags mean. */
export type TrustSourceConfig = NotarySourceConfig | TufSourceConfig;
