import type { Platform } from '../oci/platform.ts';
import type { BreakGlassEntry } from '../policy/break-glass.ts';
import type { DenyEntries } from '../policy/deny-list.ts';
import type { Rule } from '../policy/rule.ts';
import type { ClientsConfig } from './clients-config.ts';
import type { Credentials, KeyPair, OwnCollectionConfig, TrustSourceConfig } from './connection.ts';
import type { ProxyEnvironment } from './env.ts';
import type { LogLevel } from './schema.ts';
import type { RefusalForm } from './schema-network.ts';
import type { HostPort } from './values.ts';

/** A listener for engines. */
export interface ListenerConfig {
  /** Its name in the configuration. */
  readonly name: string;
  readonly address: HostPort;
  /** Present when the listener speaks TLS. */
  readonly tls?: KeyPair;
  /** Registry meant by requests that name none. */
  readonly defaultRegistry?: string;
  /** Registries by the listener's own host names, each with a port or without. */
  readonly hosts: ReadonlyMap<string, string>;
  readonly refusal: RefusalForm;
  /** Whether tags are answered only with their image whole, where the rule says nothing about it. */
  readonly completeFirst: boolean;
  readonly completion: CompletionConfig;
  /** The entry of `clients` that says who is asking. */
  readonly clients?: string;
}

/** How images are completed before their tag is answered. */
export interface CompletionConfig {
  /** Empty: all. */
  readonly platforms: readonly Platform[];
  readonly withinMs: number;
}

/** A server of a registry. */
export interface ServerConfig {
  /** Its URL without a slash at the end. */
  readonly url: string;
  readonly credentials?: Credentials;
  /** PEM text of certificate authorities trusted beside those of the system. */
  readonly ca?: string;
  /** Shown to the server. */
  readonly clientCert?: KeyPair;
  /** The proxy configured for this server, or else what the environment asks for. */
  readonly proxy: ProxyEnvironment;
}

/** A registry that content is fetched from; limits are for each of its servers. */
export interface UpstreamConfig extends ServerConfig {
  /** The registry's name as images have it, in lower case: `docker.io`. */
  readonly host: string;
  /** Servers asked in this order for what a digest names, when the one before does not give it. */
  readonly fallbacks: readonly ServerConfig[];
  readonly timeouts: {
    readonly connectMs: number;
    readonly headersMs: number;
    readonly idleMs: number;
  };
  readonly limits: {
    /** Connections to one host. */
    readonly connections: number;
    /** Requests under way. */
    readonly requests: number;
    /** Requests that wait. */
    readonly queue: number;
    /** Bytes a second that a body has to bring, on average over a minute; 0 asks for none. */
    readonly minRate: number;
  };
  /** After how many failures in a row a server is given a rest (0: never), and for how long. */
  readonly breaker: { readonly failures: number; readonly openMs: number };
}

/** Sizes of what is kept for reuse, in bytes. */
export interface CacheConfig {
  /** Content on disk. */
  readonly maxBytes: number;
  /** Verified manifests in memory, all together. */
  readonly maxManifestBytes: number;
}

/** Limits with their units. */
export interface LimitsConfig {
  /** The largest single manifest accepted, in bytes. */
  readonly manifestBytes: number;
  /** How long running replies may take to finish at shutdown. */
  readonly drainTimeoutMs: number;
  /** Connections open at once, on all listeners together. */
  readonly connections: number;
  /** Requests under way at once, on all listeners together. */
  readonly requests: number;
  /** Requests that wait for a place on hard-stop listeners, of each kind. */
  readonly queue: number;
  readonly queueTimeoutMs: number;
  /** Blobs fetched from upstreams at once. */
  readonly blobs: number;
  /** Memory for content on its way. */
  readonly bufferedBytes: number;
  /** How long a blob waits because of either. */
  readonly blobQueueTimeoutMs: number;
  /** How long a connection may be without a byte in either direction. */
  readonly idleTimeoutMs: number;
  /** Bytes a second that a client has to take, on average over the idle timeout; 0 asks for none. */
  readonly minRate: number;
}

/**
 * A configuration that has been checked as a whole. Objects and lists are frozen; files named in it have been read, so
 * that `ca`, `cert` and `key` are PEM texts.
 */
export interface Config {
  /** Absolute path of the folder for state and cache. */
  readonly dataFolder: string;
  /** In the order of the file; at least one. */
  readonly listeners: readonly ListenerConfig[];
  /** By name. */
  readonly clients: ReadonlyMap<string, ClientsConfig>;
  readonly admin: { readonly address: HostPort };
  /** By registry host. */
  readonly upstreams: ReadonlyMap<string, UpstreamConfig>;
  /** By name. */
  readonly trust: ReadonlyMap<string, TrustSourceConfig>;
  /** The site's own collections that are kept current, in the order of the file. */
  readonly collections: readonly OwnCollectionConfig[];
  /** Accepted by `compilePolicy` as they are. */
  readonly rules: readonly Rule[];
  /** What is never served, whatever the rule. */
  readonly deny: DenyEntries;
  /** Exceptions that end by themselves; those that have ended are among them. */
  readonly breakGlass: readonly BreakGlassEntry[];
  readonly state: { readonly kind: 'sqlite' };
  readonly cache: CacheConfig;
  readonly log: { readonly level: LogLevel };
  readonly limits: LimitsConfig;
  /** Processes that serve engines; 1: there is only this one. */
  readonly workers: number | 'auto';
  /** Whether the canaries of `pinnace doctor` are answered. */
  readonly canaries: boolean;
}
