import type { Clock } from '../base/clock.ts';
import type { UpstreamConfig } from '../config/config.ts';
import type { UpstreamOptions } from '../upstream/registry-upstream.ts';
import { credentialsOf } from './credentials.ts';

/** How a configured upstream is spoken to. */
export function optionsOf(upstream: UpstreamConfig, clock: Clock): UpstreamOptions {
  const { url, ca, clientCert, credentials, proxy, timeouts } = upstream;
  return {
    url,
    proxy,
    timeouts: {
      connectMs: timeouts.connectMs,
      headersMs: timeouts.headersMs,
      bodyIdleMs: timeouts.idleMs,
    },
    ...(ca === undefined ? {} : { ca }),
    ...(clientCert === undefined ? {} : { clientCertificate: clientCert }),
    ...(credentials === undefined ? {} : { credentials: credentialsOf(credentials, url, clock) }),
  };
}
