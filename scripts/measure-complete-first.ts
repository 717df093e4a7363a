/**
 * Measures what `completeFirst` costs: `node scripts/measure-complete-first.ts [rounds] [MiB]`. In turns, with and without,
 * it pulls a new image of one large layer through a Pinnace in this process, and prints the medians of the time until the
 * tag is answered and until the whole image is here, for a first pull and for a second one.
 */
import { systemClock } from '../src/base/clock.ts';
import { buildImage, type Image } from '../test/support/images.ts';
import { REGISTRY_HOST, RunningPinnace, Surroundings } from '../test/support/running-pinnace.ts';

interface Times {
  readonly tagMs: number;
  readonly wholeMs: number;
}

const [rounds = 9, mebibytes = 64] = process.argv.slice(2).map(Number);
const LISTENERS = ['plain', 'complete'] as const;

async function pull(pinnace: RunningPinnace, listener: string, image: Image): Promise<Times> {
  const tag = image.manifest.digest.slice(7, 19);
  const startedAt = performance.now();
  const head = await pinnace.head(`team/app/manifests/${tag}`, { listener });
  if (head.status !== 200) throw new Error(`${tag}: ${head.status}`);
  const tagMs = performance.now() - startedAt;
  await pinnace.get(`team/app/manifests/${image.manifest.digest}`, { listener });
  await Promise.all(
    [image.config, ...image.layers].map(async ({ digest, bytes }) => {
      const blob = await pinnace.get(`team/app/blobs/${digest}`, { listener });
      if (blob.body.length !== bytes.length) throw new Error(`${digest} is not whole`);
    }),
  );
  return { tagMs, wholeMs: performance.now() - startedAt };
}

function median(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  return `${(sorted[sorted.length >> 1] ?? 0).toFixed(1)} ms`;
}

async function main(): Promise<void> {
  await using around = await Surroundings.start();
  const publisher = around.publisher('team/app');
  const mirror = { address: '127.0.0.1:0', defaultRegistry: REGISTRY_HOST, refusal: 'hard-stop' };
  const file = await around.writeConfig({
    listeners: { plain: mirror, complete: { ...mirror, completeFirst: true } },
    trust: { maxAge: '1h' },
  });
  await using pinnace = await RunningPinnace.start(file, { clock: systemClock });
  const seen = new Map<string, Times[]>();
  const note = (name: string, times: Times): void => {
    seen.set(name, [...(seen.get(name) ?? []), times]);
  };
  for (let round = 0; round < rounds; round += 1) {
    for (const listener of LISTENERS) {
      const image = buildImage({
        message: `${listener} ${round}`,
        bigLayerBytes: mebibytes * 2 ** 20,
        compression: 'none',
      });
      publisher.release(image.manifest.digest.slice(7, 19), image);
      await pinnace.refresh(`${REGISTRY_HOST}/team/app`);
      note(`first pull, ${listener}`, await pull(pinnace, listener, image));
      note(`second pull, ${listener}`, await pull(pinnace, listener, image));
    }
  }
  for (const [name, times] of [...seen].sort()) {
    const tag = median(times.map(({ tagMs }) => tagMs));
    const whole = median(times.map(({ wholeMs }) => wholeMs));
    process.stdout.write(`${name}: tag answered after ${tag}, image whole after ${whole}\n`);
  }
}

await main();
