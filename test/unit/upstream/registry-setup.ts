import type { TestContext } from 'node:test';
import {
  RegistryClient,
  type RegistryClientOptions,
} from '../../../src/upstream/registry-client.ts';
import type { UpstreamOptions } from '../../../src/upstream/upstream-chain.ts';
import { REGISTRY } from './registry-fixture.ts';

/** A client of one upstream for one test; retries come quickly unless told otherwise. */
export function clientOf(
  context: TestContext,
  upstream: UpstreamOptions,
  options: Partial<RegistryClientOptions> = {},
): RegistryClient {
  const client = new RegistryClient(new Map([[REGISTRY, upstream]]), {
    version: '1.2.3',
    retry: { tries: 3, baseDelayMs: 1 },
    ...options,
  });
  context.after(() => client.close());
  return client;
}

/** Reads a body to its end. */
export async function drain(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}
