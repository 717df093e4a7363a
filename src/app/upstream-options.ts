import type { UpstreamConfig } from '../config/config.ts';
import type { UpstreamOptions } from '../upstream/registry-upstream.ts';

/** How a configured upstream is spoken to. */
export function optionsOf(upstream: UpstreamConfig): UpstreamOptions {
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
    ...(credentials === undefined ? {} : { credentials }),
  };
}
