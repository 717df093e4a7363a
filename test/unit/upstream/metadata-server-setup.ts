import type { TestContext } from 'node:test';
import { type Credentials, passwordCredentials } from '../../../src/upstream/credentials.ts';
import {
  MetadataServer,
  type MetadataServerOptions,
} from '../../../src/upstream/metadata-server.ts';
import { notaryLocation } from '../../../src/upstream/metadata-url.ts';
import { challenge, type Handler } from './loopback.ts';

export const GUN = '127.0.0.1:5000/team/App';
export const FILE = 'timestamp.json';
export const PATH = `/v2/${GUN}/_trust/tuf/${FILE}`;
export const CONTENT = Buffer.from('{"signed":{}}');
export const LIMIT = { maxBytes: 1000 };
export const CREDENTIALS: Credentials = passwordCredentials('ci', async () => 'secret');
export const BASIC = `Basic ${Buffer.from('ci:secret').toString('base64')}`;

export const sendContent: Handler = (_request, response) => void response.end(CONTENT);

export function sourceOf(
  context: TestContext,
  url: string,
  options: Partial<MetadataServerOptions> = {},
): MetadataServer {
  const retry = { tries: 2, baseDelayMs: 1 };
  const source = new MetadataServer({
    locate: notaryLocation,
    url,
    version: '1.2.3',
    retry,
    ...options,
  });
  context.after(() => source.close());
  return source;
}

/** A server that lets only `Bearer good` through, challenging with a scope that nobody should ask for. */
export function authorised(realm: () => string, next: Handler): Handler {
  return (request, response) => {
    if (request.headers.authorization === 'Bearer good') next(request, response);
    else challenge(response, realm(), ',scope="registry:catalog:*"');
  };
}
