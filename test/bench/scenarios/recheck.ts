import { requireBytes } from '../check.ts';
import { type Contender, startPinnace } from '../contender.ts';
import { MANIFEST_ACCEPT } from '../engine.ts';
import { startRegistryPeer } from '../peers.ts';
import type { BenchContext, Outcome, Scenario } from '../scenario.ts';
import { imageOf } from '../site.ts';
import { takeTurns } from '../turns.ts';

const PATH = '/v2/warm/recheck/manifests/1.0';

/** A tag whose `maxAge` has just ended, at every pull: the trust server is asked each time. */
export const recheck: Scenario = {
  name: 'recheck',
  question:
    'manifest by tag whose maxAge just ended (maxAge: 0s), beside a pull-through cache that asks its upstream too',
  needs: ['wrk'],
  peers: ['registry'],
  limits: [{ quantity: 'metadata requests for a pull', atMost: 1.01 }],
  run,
};

async function run(context: BenchContext): Promise<Outcome> {
  const { site } = context;
  const image = imageOf('recheck', 1024);
  site.publisher('warm/recheck').release('1.0', image);
  const pinnace = await startPinnace(site, { maxAge: '0s' });
  const all: readonly Contender[] = [pinnace, ...(await startRegistryPeer(context))];
  const headers = { Accept: MANIFEST_ACCEPT };
  try {
    const figures = [];
    for (const connections of context.isQuick ? [32] : [32, 1]) {
      const label = connections === 1 ? '1 connection' : `${connections} connections`;
      context.say(label);
      const load = { paths: [PATH], connections, headers };
      const check = async (each: Contender): Promise<void> =>
        await requireBytes(each, PATH, image.manifest.digest);
      const isWarm = connections === 1;
      const rounds = context.isQuick ? { rounds: 1 } : {};
      figures.push(...(await takeTurns(context, all, { label, load, isWarm, check, ...rounds })));
    }
    site.forgetRequests();
    const pulls = 100;
    for (let pull = 0; pull < pulls; pull += 1)
      await requireBytes(pinnace, PATH, image.manifest.digest);
    const perPull = site.notary.requests.length / pulls;
    return {
      figures: [
        ...figures,
        {
          contender: 'pinnace',
          quantity: 'metadata requests for a pull',
          unit: 'requests',
          isMoreBetter: false,
          samples: [perPull],
        },
      ],
      checked: ['every answer of 100 single pulls is the signed digest'],
    };
  } finally {
    for (const each of all) await each.stop();
  }
}
