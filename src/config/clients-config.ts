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

/** How a listener finds out who is asking. */
export type ClientsConfig = BasicClientsConfig | CertificateClientsConfig;
