import type { Clock } from '../base/clock.ts';
import type { ServerConfig, UpstreamConfig } from '../config/config.ts';
import type { ServerOptions } from '../upstream/registry-upstream.ts';
import type { UpstreamOptions } from '../upstream/upstream-chain.ts';
import { credentialsOf } from './credentials.ts';

/** How a configured upstream is spoken to. */
export function optionsOf(upstream: UpstreamConfig, clock: Clock): UpstreamOptions {
  const { timeouts, limits, breaker } = upstream;
  const shared = {
    timeouts: {
      connectMs: timeouts.connectMs,
      headersMs: timeouts.headersMs,
      bodyIdleMs: timeouts.idleMs,
    },
    maxConnections: limits.connections,
    minRate: limits.minRate,
    limits,
    breaker,
  };
  return {
    ...serverOptions(upstream, clock),
    ...shared,
    fallbacks: upstream.fallbacks.map((server) => ({ ...serverOptions(server, clock), ...shared })),
  };
}

/** A fallback shares nothing with the upstream's own server that says who asks. */
function serverOptions(server: ServerConfig, clock: Clock): ServerOptions {
  const { url, ca, clientCert, credentials, proxy } = server;
  return {
    url,
    proxy,
    ...(ca === undefined ? {} : { ca }),
    ...(clientCert === undefined ? {} : { clientCertificate: clientCert }),
    ...(credentials === undefined ? {} : { credentials: credentialsOf(credentials, url, clock) }),
  };
}
