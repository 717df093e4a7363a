import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { runOk } from '../../e2e/support/process.ts';
import { type Contender, startPinnace } from '../contender.ts';
import { pinnedTo } from '../cores.ts';
import { startPeers } from '../peers.ts';
import { lookInTurns } from '../samples.ts';
import type { BenchContext, Outcome, Scenario } from '../scenario.ts';
import { imageOf } from '../site.ts';

const LAYER_BYTES = 16 * 1024 ** 2;

/** What a person waits for: a real client that pulls an image, first cold, then again. */
export const wholeImage: Scenario = {
  name: 'whole-image',
  question: 'skopeo pulls an image with a layer of 16 MiB, cold and warm',
  needs: ['skopeo'],
  peers: ['nginx', 'registry'],
  run,
};

async function run(context: BenchContext): Promise<Outcome> {
  const { site } = context;
  const publisher = site.publisher('whole/image');
  for (let round = 0; round < context.rounds; round += 1) {
    publisher.release(`r${round}`, imageOf(`whole ${round}`, LAYER_BYTES));
  }
  const pinnace = await startPinnace(site);
  const peers = await startPeers(context);
  const running: readonly Contender[] = [pinnace, ...peers];
  const folder = await site.folder('pulled');
  try {
    const all = [pinnace, { name: 'upstream', url: site.registry.url }, ...peers];
    const figures = await lookInTurns(context, all, {
      quantities: [
        { name: 'cold', unit: 's' },
        { name: 'warm', unit: 's' },
      ],
      async look({ name, url }, round) {
        context.say(`${name}, image ${round + 1} of ${context.rounds}`);
        const cold = await pull(url, `r${round}`, folder);
        return { cold, warm: await pull(url, `r${round}`, folder) };
      },
    });
    return { figures, checked: ['skopeo holds every part to its digest'] };
  } finally {
    for (const each of running) await each.stop();
  }
}

async function pull(url: string, tag: string, folder: string): Promise<number> {
  const target = join(folder, tag);
  const source = `docker://${url.replace('http://', '')}/whole/image:${tag}`;
  const words = ['skopeo', 'copy', '-q', '--src-tls-verify=false', source, `dir:${target}`];
  const begin = performance.now();
  await runOk(pinnedTo('load', words));
  const took = (performance.now() - begin) / 1000;
  await rm(target, { recursive: true });
  return took;
}
