import { requireBytes, requireRefusal } from '../check.ts';
import {
  type Contender,
  startBare,
  startNginx,
  startPinnace,
  startRegistry,
} from '../contender.ts';
import { MANIFEST_ACCEPT } from '../engine.ts';
import type { Figure } from '../figure.ts';
import type { BenchContext, Outcome, Scenario } from '../scenario.ts';
import { imageOf } from '../site.ts';
import { takeTurns } from '../turns.ts';

const PATH = '/v2/warm/tag/manifests/1.0';

/** A verified tag at hand: what every pull but the first costs. */
export const warmTag: Scenario = scenario(false);

/** The same with a line in the request log for each. */
export const warmTagLogged: Scenario = scenario(true);

function scenario(requestLog: boolean): Scenario {
  return {
    name: requestLog ? 'warm-tag-logged' : 'warm-tag',
    question: `manifest by tag, verified and at hand${requestLog ? ', each request logged to a file' : ''}`,
    needs: ['wrk', 'nginx', 'registry'],
    budgets: requestLog
      ? []
      : [
          { quantity: '32 connections, rate', peer: 'docker-registry', atLeast: 100 },
          { quantity: '32 connections, rate', peer: 'nginx', atLeast: 0.5 },
          { quantity: '32 connections, rate', peer: 'node:http', atLeast: 0.8 },
        ],
    limits: [{ quantity: '32 connections, p99', atMost: 5 }],
    run: (context) => run(context, requestLog),
  };
}

async function run(context: BenchContext, requestLog: boolean): Promise<Outcome> {
  const { site } = context;
  const image = imageOf('warm', 1024);
  const other = imageOf('moved', 1024);
  const publisher = site.publisher('warm/tag');
  publisher.release('1.0', image);
  publisher.push('unsigned', other);
  const pinnace = await startPinnace(site, { requestLog });
  const peers: Contender[] = [
    await startNginx(site, { requestLog }),
    await startRegistry(site, { requestLog }),
    await startBare(site, `${pinnace.url}${PATH}`),
  ];
  const all = [pinnace, ...peers];
  try {
    for (const each of all) await requireBytes(each, PATH, image.manifest.digest);
    // The registry's word must not count any more: what Pinnace serves is what was signed.
    site.registry.moveTag('warm/tag', '1.0', other.manifest.digest);
    await requireBytes(pinnace, PATH, image.manifest.digest);
    await requireRefusal(pinnace, '/v2/warm/tag/manifests/unsigned');
    site.registry.moveTag('warm/tag', '1.0', image.manifest.digest);
    const figures: Figure[] = [];
    for (const connections of requestLog ? [32] : [32, 1, 256]) {
      context.say(`${connections} connections`);
      const label = connections === 1 ? '1 connection' : `${connections} connections`;
      const load = { paths: [PATH], connections, headers: { Accept: MANIFEST_ACCEPT } };
      figures.push(...(await takeTurns(context, all, { label, load, isWarm: figures.length > 0 })));
    }
    for (const each of all) await requireBytes(each, PATH, image.manifest.digest);
    return {
      figures,
      checked: [
        'every contender sends the bytes of the signed digest, before and after',
        'Pinnace serves the signed digest while the registry says another, and refuses an unsigned tag',
        'no request failed',
      ],
    };
  } finally {
    for (const each of all) await each.stop();
  }
}
