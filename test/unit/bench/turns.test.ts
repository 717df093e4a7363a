import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { lookInTurns } from '../../bench/samples.ts';
import type { BenchContext } from '../../bench/scenario.ts';
import { Site } from '../../bench/site.ts';
import { inOrderOf } from '../../bench/turns.ts';

const OPTIONS = { quantities: [{ name: 'time', unit: 's' }] };

function contender(name: string): { readonly name: string; readonly url: string } {
  return { name, url: 'http://127.0.0.1:1' };
}

describe('looking at contenders in turns', () => {
  it('leaves a peer out from the round on in which it failed, and goes on with the others', async () => {
    const { context, leftOut } = await contextOf();
    const figures = await lookInTurns(
      context,
      ['pinnace', 'nginx', 'docker-registry'].map(contender),
      {
        ...OPTIONS,
        look({ name }, round) {
          if (name === 'nginx' && round === 1) throw new Error('answered nothing\nand more');
          return Promise.resolve({ time: round + 1 });
        },
      },
    );
    assert.deepEqual(leftOut, ['nginx: round 2: answered nothing']);
    assert.deepEqual(
      figures.map(({ contender: who, samples }) => [who, ...samples]),
      [
        ['pinnace', 1, 2, 3],
        ['docker-registry', 1, 2, 3],
      ],
    );
  });

  it('fails where Pinnace fails', async () => {
    const { context } = await contextOf();
    const looking = lookInTurns(context, [contender('pinnace')], {
      ...OPTIONS,
      look: () => Promise.reject(new Error('answered nothing')),
    });
    await assert.rejects(looking, /answered nothing/);
  });

  it('makes no figure of what is not known of a contender', async () => {
    const { context } = await contextOf();
    const figures = await lookInTurns(context, ['pinnace', 'nginx'].map(contender), {
      ...OPTIONS,
      look: ({ name }) => Promise.resolve(name === 'pinnace' ? { time: 1 } : {}),
    });
    assert.deepEqual(
      figures.map(({ contender: who }) => who),
      ['pinnace'],
    );
  });
});

it('every contender comes first in turn', () => {
  const firsts = [0, 1, 2, 3].map((round) => inOrderOf(round, ['a', 'b', 'c'])[0]);
  assert.deepEqual(firsts, ['a', 'b', 'c', 'a']);
  assert.deepEqual(inOrderOf(3, []), []);
});

async function contextOf(): Promise<{
  readonly context: BenchContext;
  readonly leftOut: readonly string[];
}> {
  const site = await Site.start();
  await site[Symbol.asyncDispose]();
  const leftOut: string[] = [];
  const context: BenchContext = {
    site,
    isQuick: true,
    rounds: 3,
    seconds: 1,
    say: () => undefined,
    leaveOut: (peer, why) => void leftOut.push(`${peer}: ${why}`),
  };
  return { context, leftOut };
}
