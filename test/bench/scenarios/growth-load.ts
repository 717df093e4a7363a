import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseDigest } from '../../../src/oci/digest.ts';
import { ContentLayout } from '../../../src/store/content-layout.ts';
import { requireBytes } from '../check.ts';
import { startPinnace } from '../contender.ts';
import { Points } from '../points.ts';
import { ratesOf } from '../rates.ts';
import type { BenchContext, Outcome, Scenario } from '../scenario.ts';
import { imageOf } from '../site.ts';

/** More and more connections. */
export const manyConnections: Scenario = {
  name: 'growth-connections',
  question: 'one verified tag at hand, over more and more connections',
  needs: ['wrk'],
  run: runConnections,
};

/** A cache that fills. */
export const manyBlobs: Scenario = {
  name: 'growth-blobs',
  question: 'start with more and more blobs in the cache, until the first verified answer',
  needs: [],
  run: runBlobs,
};

async function runConnections(context: BenchContext): Promise<Outcome> {
  const { site } = context;
  const points = new Points('connections');
  const image = imageOf('many connections', 1024);
  site.publisher('many/connections').release('1.0', image);
  const path = '/v2/many/connections/manifests/1.0';
  const pinnace = await startPinnace(site);
  try {
    await requireBytes(pinnace, path, image.manifest.digest);
    const sizes = context.isQuick ? [1, 64, 1_024] : [1, 8, 64, 512, 4_096];
    for (const connections of sizes) {
      context.say(`${connections} connections`);
      const load = { paths: [path], connections, isFirst: connections === sizes[0] };
      await ratesOf(context, pinnace, { load, points, x: connections });
    }
    await requireBytes(pinnace, path, image.manifest.digest);
    const { figures, curves } = points;
    return { figures, curves, checked: ['no request failed; the digest before and after'] };
  } finally {
    await pinnace.stop();
  }
}

async function runBlobs(context: BenchContext): Promise<Outcome> {
  const { site } = context;
  const points = new Points('blobs');
  const image = imageOf('many blobs', 1024);
  site.publisher('many/blobs').release('1.0', image);
  const path = '/v2/many/blobs/manifests/1.0';
  const sizes = context.isQuick ? [100, 10_000] : [100, 1_000, 10_000, 100_000];
  for (const size of sizes) {
    const data = await site.folder('data');
    fillCache(join(data, 'content'), size);
    for (let round = 0; round < (context.isQuick ? 1 : 3); round += 1) {
      context.say(`${size} blobs`);
      const begin = performance.now();
      const pinnace = await startPinnace(site, { data });
      try {
        points.add({ name: 'ready after', unit: 'ms' }, size, performance.now() - begin);
        await requireBytes(pinnace, path, image.manifest.digest);
        points.add({ name: 'first answer after', unit: 'ms' }, size, performance.now() - begin);
      } finally {
        await pinnace.stop();
      }
    }
  }
  const { figures, curves } = points;
  return { figures, curves, checked: ['the first answer is the signed digest'] };
}

function fillCache(folder: string, count: number): void {
  const layout = new ContentLayout(folder);
  const made = new Set<string>();
  for (let each = 0; each < count; each += 1) {
    const bytes = Buffer.from(`blob ${each}`.padEnd(64));
    const digest = parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);
    const file = layout.pathOf(digest);
    const parent = dirname(file);
    if (!made.has(parent)) mkdirSync(parent, { recursive: true });
    made.add(parent);
    writeFileSync(file, bytes);
  }
}
