import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import { Agent, type Dispatcher, EnvHttpProxyAgent, Pool } from 'undici';

/** Time limits of the phases of one exchange, in milliseconds. */
export interface HttpTimeouts {
  /** TCP and TLS; default 10 000. */
  readonly connectMs: number;
  /** From the request sent to the reply's headers; default 30 000. */
  readonly headersMs: number;
  /** The longest silence within a body, while someone reads it; default 30 000. */
  readonly bodyIdleMs: number;
  /** All of a small document, logins, redirects and retries included; for a blob, until its headers; default 60 000. */
  readonly totalMs: number;
}

/** Which HTTP proxies to use; the values of the customary environment variables, read elsewhere. */
export interface ProxyOptions {
  /** Proxy for `http:` URLs. */
  readonly httpProxy?: string;
  /** Proxy for `https:` URLs, reached with CONNECT. */
  readonly httpsProxy?: string;
  /** Hosts that are reached directly: names, `.suffix`, `host:port` or `*`, separated by commas. */
  readonly noProxy?: string;
}

/** A certificate and its key, both PEM, that identify Pinnace to the upstream itself. */
export interface ClientCertificate {
  readonly cert: string;
  readonly key: string;
}

/** How connections of one upstream are made. */
export interface ConnectionOptions {
  /** PEM text of certificate authorities trusted in addition to the usual roots. */
  readonly ca?: string;
  readonly clientCertificate?: ClientCertificate;
  readonly proxy?: ProxyOptions;
  readonly timeouts: HttpTimeouts;
  /** The most connections at once to one host; further requests wait; default 256. */
  readonly maxConnections?: number;
}

const KEEP_ALIVE_MS = 30_000;
const DEFAULT_MAX_CONNECTIONS = 256;

/**
 * Makes the keep-alive pools through which all requests of one upstream for one URL scheme go.
 *
 * Certificates are always verified, whatever the environment says; environment variables are not read.
 */
export function createDispatcher(
  scheme: 'http:' | 'https:',
  options: ConnectionOptions,
): Dispatcher {
  const tls = tlsOptions(options);
  const { timeouts, proxy = {} } = options;
  const pool = {
    // Ending a body early has to end its connection, which HTTP/2 would not do.
    allowH2: false,
    connections: options.maxConnections ?? DEFAULT_MAX_CONNECTIONS,
    connectTimeout: timeouts.connectMs,
    headersTimeout: timeouts.headersMs,
    bodyTimeout: timeouts.bodyIdleMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
  };
  const connect = { ...tls, allowH2: false, timeout: timeouts.connectMs };
  const uri = scheme === 'http:' ? proxy.httpProxy : proxy.httpsProxy;
  if (uri === undefined || uri === '') return new Agent({ ...pool, connect });
  return new EnvHttpProxyAgent({
    ...pool,
    connect,
    // Empty rather than left out: what is left out would be read from the environment.
    httpProxy: scheme === 'http:' ? uri : '',
    httpsProxy: scheme === 'https:' ? uri : '',
    noProxy: proxy.noProxy ?? '',
    requestTls: connect,
    proxyTls: { rejectUnauthorized: true, allowH2: false, timeout: timeouts.connectMs },
    clientFactory: (origin, client) =>
      // A proxy that accepts and never answers CONNECT would otherwise hold a request for minutes.
      new Pool(origin, { ...client, headersTimeout: timeouts.connectMs }),
  });
}

/** One context for all connections: parsing some 150 root certificates again for each would cost milliseconds. */
function tlsOptions(options: ConnectionOptions): {
  readonly rejectUnauthorized: true;
  readonly secureContext?: SecureContext;
} {
  const { ca, clientCertificate } = options;
  if (ca === undefined && clientCertificate === undefined) return { rejectUnauthorized: true };
  const roots = ca === undefined ? {} : { ca: [...getCACertificates('default'), ca] };
  const secureContext = createSecureContext({ ...roots, ...clientCertificate });
  return { rejectUnauthorized: true, secureContext };
}
