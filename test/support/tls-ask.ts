import { Agent, request } from 'node:https';
import type { Answer } from './registry-under-test.ts';
import type { Certificate } from './x509.ts';

/** How a request over TLS is made. */
export interface TlsAsk {
  readonly port: number;
  /** Whose server certificates are believed. */
  readonly ca: Certificate;
  /** Shown to the server. */
  readonly client?: Certificate;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Reuses its connections; default: a connection of its own. */
  readonly agent?: Agent;
}

/** Makes one request over TLS to `localhost` and reads the answer to its end. */
export function askTls(path: string, options: TlsAsk): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const { port, ca, client, method = 'GET', headers = {}, body, agent } = options;
  const outgoing = request(
    {
      ...{ host: 'localhost', port, path, method, headers, ca: ca.certPem },
      agent: agent ?? false,
      ...(client === undefined ? {} : { cert: client.certPem, key: client.keyPem }),
    },
    (incoming) => {
      incoming.toArray().then((chunks: Buffer[]) => {
        const { statusCode: status = 0, headers: received } = incoming;
        resolve({ status, headers: received, body: Buffer.concat(chunks) });
      }, reject);
    },
  );
  outgoing.on('error', reject);
  outgoing.end(body);
  return promise;
}

/** An agent that keeps one connection for many requests. */
export function keepAlive(): Agent {
  return new Agent({ keepAlive: true, maxSockets: 1 });
}
