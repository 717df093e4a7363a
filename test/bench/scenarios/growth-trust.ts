import { type Image, signedContentOf } from '../../support/images.ts';
import { requireBytes } from '../check.ts';
import { type PinnaceRun, startPinnace } from '../contender.ts';
import { residentBytesOf } from '../machine.ts';
import { Points } from '../points.ts';
import { ratesOf } from '../rates.ts';
import type { BenchContext, Outcome, Scenario } from '../scenario.ts';
import { imageOf } from '../site.ts';

const MIB = 1024 ** 2;
/** First pulls at a time. */
const AT_ONCE = 8;

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

async function runTags(context: BenchContext): Promise<Outcome> {
  const { site } = context;
  const rounds = Math.min(context.rounds, 5);
  const points = new Points('tags');
  const image = imageOf('many tags', 1024);
  const sizes = [10, 100, 1_000, 10_000];
  for (const size of sizes) {
    for (let round = 0; round < rounds; round += 1) {
      const publisher = site.publisher(`many/tags-${size}-${round}`);
      for (let tag = 0; tag < size; tag += 1)
        publisher.trust.sign(`t${tag}`, signedContentOf(image));
      publisher.push('t0', image);
      publisher.publish();
    }
  }
  const pinnace = await startPinnace(site);
  try {
    // The first verification of a process also compiles the code that makes it.
    site.publisher('many/warm-up').release('1.0', image);
    await timed(pinnace, '/v2/many/warm-up/manifests/1.0', image.manifest.digest);
    for (const size of sizes) {
      context.say(`${size} tags`);
      for (let round = 0; round < rounds; round += 1) {
        const path = `/v2/many/tags-${size}-${round}/manifests`;
        const first = await timed(pinnace, `${path}/t0`, image.manifest.digest);
        points.add({ name: 'first answer', unit: 'ms' }, size, first);
        const others = Array.from({ length: 9 }, (_, index) => `${path}/t${index + 1}`);
        let total = 0;
        for (const other of others) total += await timed(pinnace, other, image.manifest.digest);
        points.add({ name: 'one more tag', unit: 'ms' }, size, total / others.length);
      }
    }
    const { figures, curves } = points;
    return { figures, curves, checked: ['every answer is the signed digest'] };
  } finally {
    await pinnace.stop();
  }
}

async function runRepositories(context: BenchContext): Promise<Outcome> {
  const { site } = context;
  const points = new Points('repositories');
  const sizes = context.isQuick ? [10, 50, 250] : [10, 100, 1_000, 10_000];
  const image = imageOf('many repositories', 1024);
  signAll(context, image, sizes.at(-1) ?? 0);
  const pinnace = await startPinnace(site, { maxAge: '1h' });
  try {
    const paths: string[] = [];
    for (const size of sizes) {
      context.say(`${size} repositories`);
      const added = Array.from({ length: size - paths.length }, (_, index) =>
        pathOf(paths.length + index),
      );
      await pullAll(pinnace, added, image.manifest.digest);
      site.forgetRequests();
      paths.push(...added);
      const load = { paths, connections: 32, isFirst: size === sizes[0] };
      await ratesOf(context, pinnace, { load, points, x: size });
      const resident = residentBytesOf(pinnace.pid) / MIB;
      points.add({ name: 'resident memory', unit: 'MiB' }, size, resident);
    }
    const { figures, curves } = points;
    return { figures, curves, checked: ['every first answer is the signed digest'] };
  } finally {
    await pinnace.stop();
  }
}

function signAll({ site, say }: BenchContext, image: Image, count: number): void {
  for (let each = 0; each < count; each += 1) {
    site.publisher(`many/r${each}`).release('1.0', image);
    if (each % 1_000 === 999) say(`${each + 1} repositories signed`);
  }
}

/** Pulls each of the paths once, several at a time. */
async function pullAll(
  pinnace: PinnaceRun,
  paths: readonly string[],
  digest: string,
): Promise<void> {
  const left = [...paths];
  const puller = async (): Promise<void> => {
    for (let path = left.pop(); path !== undefined; path = left.pop()) {
      await requireBytes(pinnace, path, digest);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, puller));
}

function pathOf(repository: number): string {
  return `/v2/many/r${repository}/manifests/1.0`;
}

async function timed(pinnace: PinnaceRun, path: string, digest: string): Promise<number> {
  const begin = performance.now();
  await requireBytes(pinnace, path, digest);
  return performance.now() - begin;
}
