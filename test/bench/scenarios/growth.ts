import { createHash, randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseDigest } from '../../../src/oci/digest.ts';
import { ContentLayout } from '../../../src/store/content-layout.ts';
import { signedContentOf } from '../../support/images.ts';
import { requireBytes } from '../check.ts';
import { type PinnaceRun, startPinnace } from '../contender.ts';
import { MANIFEST_ACCEPT } from '../engine.ts';
import type { Figure } from '../figure.ts';
import { loadFor } from '../load.ts';
import { residentBytesOf } from '../machine.ts';
import type { BenchContext, Curve, Outcome, Scenario } from '../scenario.ts';
import { imageOf, type Site } from '../site.ts';

const HEADERS = { Accept: MANIFEST_ACCEPT };
const MIB = 1024 ** 2;

/** One collection that gets larger. */
export const manyTags: Scenario = {
  name: 'growth-tags',
  question: 'first answer of a collection, and one more of its tags, as the collection grows',
  needs: [],
  run: runTags,
};

/** More and more repositories in use. */
export const manyRepositories: Scenario = {
  name: 'growth-repositories',
  question: 'verified tags at hand, spread over more and more repositories, 32 connections',
  needs: ['wrk'],
  run: runRepositories,
};

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

async function runTags(context: BenchContext): Promise<Outcome> {
  const { site } = context;
  const points = new Points('tags', 'ms');
  const sizes = context.isQuick ? [10, 100, 1_000] : [10, 100, 1_000, 10_000];
  const image = imageOf('many tags', 1024);
  for (const size of sizes) {
    const publisher = site.publisher(`many/tags-${size}`);
    for (let tag = 0; tag < size; tag += 1) publisher.trust.sign(`t${tag}`, signedContentOf(image));
    publisher.push('t0', image);
    publisher.publish();
  }
  const pinnace = await startPinnace(site);
  try {
    for (const size of sizes) {
      context.say(`${size} tags`);
      const path = `/v2/many/tags-${size}/manifests`;
      points.add('first answer', size, await timed(pinnace, `${path}/t0`, image.manifest.digest));
      const others = Array.from({ length: 9 }, (_, index) => `${path}/t${index + 1}`);
      let total = 0;
      for (const other of others) total += await timed(pinnace, other, image.manifest.digest);
      points.add('one more tag', size, total / others.length);
    }
    return points.outcome('first answer', ['every answer is the signed digest']);
  } finally {
    await pinnace.stop();
  }
}

async function runRepositories(context: BenchContext): Promise<Outcome> {
  const { site } = context;
  const points = new Points('repositories', 'req/s');
  const memory = new Points('repositories', 'MiB');
  const sizes = context.isQuick ? [10, 100] : [10, 100, 1_000, 10_000];
  const most = sizes.at(-1) ?? 0;
  const image = imageOf('many repositories', 1024);
  for (let each = 0; each < most; each += 1) {
    site.publisher(`many/r${each}`).release('1.0', image);
    if (each % 1_000 === 999) context.say(`${each + 1} repositories signed`);
  }
  const pinnace = await startPinnace(site, { maxAge: '1h' });
  try {
    const paths: string[] = [];
    for (const size of sizes) {
      while (paths.length < size) {
        const path = `/v2/many/r${paths.length}/manifests/1.0`;
        await requireBytes(pinnace, path, image.manifest.digest);
        paths.push(path);
      }
      context.say(`${size} repositories`);
      const rate = await rateOf(context, pinnace, { paths, connections: 32 });
      points.add('rate', size, rate);
      memory.add('resident memory', size, residentBytesOf(pinnace.pid) / MIB);
    }
    const { figures, checked, curve } = points.outcome('rate', [
      'every first answer is the signed digest',
    ]);
    return { figures: [...figures, ...memory.figures], checked, ...(curve ? { curve } : {}) };
  } finally {
    await pinnace.stop();
  }
}

async function runConnections(context: BenchContext): Promise<Outcome> {
  const { site } = context;
  const points = new Points('connections', 'req/s');
  const image = imageOf('many connections', 1024);
  site.publisher('many/connections').release('1.0', image);
  const path = '/v2/many/connections/manifests/1.0';
  const pinnace = await startPinnace(site);
  try {
    await requireBytes(pinnace, path, image.manifest.digest);
    await rateOf(context, pinnace, { paths: [path], connections: 32 });
    for (const connections of context.isQuick ? [1, 64, 512] : [1, 8, 64, 512, 4_096]) {
      context.say(`${connections} connections`);
      points.add(
        'rate',
        connections,
        await rateOf(context, pinnace, { paths: [path], connections }),
      );
    }
    return points.outcome('rate', ['no request failed']);
  } finally {
    await pinnace.stop();
  }
}

async function runBlobs(context: BenchContext): Promise<Outcome> {
  const { site } = context;
  const points = new Points('blobs', 'ms');
  const image = imageOf('many blobs', 1024);
  site.publisher('many/blobs').release('1.0', image);
  const path = '/v2/many/blobs/manifests/1.0';
  for (const size of context.isQuick ? [100, 1_000, 10_000] : [100, 1_000, 10_000, 100_000]) {
    context.say(`${size} blobs`);
    const data = await site.folder('data');
    await fillCache(join(data, 'content'), size);
    const begin = performance.now();
    const pinnace = await startPinnace(site, { data });
    try {
      points.add('ready after', size, performance.now() - begin);
      await requireBytes(pinnace, path, image.manifest.digest);
      points.add('first answer after', size, performance.now() - begin);
    } finally {
      await pinnace.stop();
    }
  }
  return points.outcome('ready after', ['the first answer is the signed digest']);
}

async function fillCache(folder: string, count: number): Promise<void> {
  const layout = new ContentLayout(folder);
  for (let each = 0; each < count; each += 1) {
    const bytes = randomBytes(64);
    const digest = parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);
    const file = layout.pathOf(digest);
    if (each < 4_096) await mkdir(dirname(file), { recursive: true });
    await writeFile(file, bytes);
  }
}

async function timed(pinnace: PinnaceRun, path: string, digest: string): Promise<number> {
  const begin = performance.now();
  await requireBytes(pinnace, path, digest);
  return performance.now() - begin;
}

async function rateOf(
  context: BenchContext & { readonly site: Site },
  pinnace: PinnaceRun,
  load: { readonly paths: readonly string[]; readonly connections: number },
): Promise<number> {
  const folder = await context.site.folder('load');
  const { seconds } = context;
  const seen = await loadFor({ ...load, url: pinnace.url, seconds, folder, headers: HEADERS });
  return seen.requestsPerSecond;
}

/** Collects points of growth curves. */
class Points {
  readonly figures: Figure[] = [];
  readonly #x: string;
  readonly #unit: string;
  readonly #curves = new Map<string, { x: number; y: number }[]>();

  constructor(x: string, unit: string) {
    this.#x = x;
    this.#unit = unit;
  }

  add(quantity: string, x: number, y: number): void {
    const points = this.#curves.get(quantity) ?? [];
    this.#curves.set(quantity, [...points, { x, y }]);
    this.figures.push({
      contender: 'pinnace',
      quantity: `${quantity}, ${x} ${this.#x}`,
      unit: this.#unit,
      isMoreBetter: this.#unit === 'req/s',
      samples: [y],
    });
  }

  outcome(quantity: string, checked: readonly string[]): Outcome {
    const curve: Curve = {
      x: this.#x,
      y: `${quantity}, ${this.#unit}`,
      points: this.#curves.get(quantity) ?? [],
    };
    return { figures: this.figures, checked, curve };
  }
}
