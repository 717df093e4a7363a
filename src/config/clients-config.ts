import type { KeySet, TokenAlgorithm } from '../auth/key-set.ts';
import type { ProxyEnvironment } from './env.ts';
import type { CertificateNameForm } from './schema-clients.ts';

/** Callers are asked for a user name and a password. */
export interface BasicClientsConfig {
  readonly kind: 'basic';
  /** Its name in the configuration. */
  readonly name: string;
  /** bcrypt hashes by user name. */
  readonly users: ReadonlyMap<string, string>;
}

/** Callers show a certificate. */
export interface CertificateClientsConfig {
  readonly kind: 'mtls';
  /** Its name in the configuration. */
  readonly name: string;
  /** PEM text of the CA certificates. */
  readonly clientCa: string;
  readonly nameFrom: CertificateNameForm;
}

/** Where the keys of a token service are. */
export type TokenKeysConfig =
  | { readonly kind: 'known'; readonly keys: KeySet }
  | {
      readonly kind: 'server';
      readonly url: string;
      /** PEM text of certificate authorities trusted beside those of the system. */
      readonly ca?: string;
      readonly proxy: ProxyEnvironment;
    };

/** What tokens have to be. */
export interface TokenCheckConfig {
  readonly issuer: string;
  readonly audience: string;
  readonly algorithms: readonly TokenAlgorithm[];
  readonly clockSkewMs: number;
  readonly keys: TokenKeysConfig;
}

/** Callers show a token of an existing token service. */
export interface TokenClientsConfig {
  readonly kind: 'token';
  /** Its name in the configuration. */
  readonly name: string;
  readonly realm: string;
  readonly service: string;
  readonly check: TokenCheckConfig;
}

/** Whom the token endpoint gives tokens to. */
export type TokenLoginConfig =
  | { readonly kind: 'htpasswd'; readonly users: ReadonlyMap<string, string> }
  | {
      readonly kind: 'oidc';
      readonly check: TokenCheckConfig;
      readonly usernameClaim: string;
      readonly groupsClaim?: string;
    };

/** Callers show a token of Pinnace's own token endpoint. */
export interface TokenEndpointClientsConfig {
  readonly kind: 'token-endpoint';
  /** Its name in the configuration. */
  readonly name: string;
  readonly service: string;
  /** Absent: the path `/token` where the engine reached the listener. */
  readonly realm?: string;
  readonly login: TokenLoginConfig;
  readonly lifetimeMs: number;
  readonly refreshLifetimeMs?: number;
}

/** How a listener finds out who is asking. */
export type ClientsConfig =
  | BasicClientsConfig
  | CertificateClientsConfig
  | TokenClientsConfig
  | TokenEndpointClientsConfig;
