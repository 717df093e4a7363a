import assert from 'node:assert/strict';
import { Agent } from 'node:http';
import { after, before, beforeEach, describe, it } from 'node:test';
import { Site } from '../../bench/site.ts';
import { Mixture, SHARES, WrongAnswer } from '../../bench/soak/mixture.ts';
import { SOAK_KINDS, type SoakKind } from '../../bench/soak/result.ts';
import { SoakWorld } from '../../bench/soak/world.ts';
import type { Answer } from '../../support/http-faults.ts';
import { LoopbackServer } from '../../support/loopback-server.ts';

/** Answers what it is told, whatever is asked. */
let answer: Answer;
let site: Site;
let world: SoakWorld;
let mixture: Mixture;
const server = new LoopbackServer(() => answer);
const agent = new Agent({ keepAlive: true });

before(async () => {
  site = await Site.start();
  world = new SoakWorld(site);
  await server.start();
  mixture = new Mixture({ world, agent, url: server.url });
});
after(async () => {
  agent.destroy();
  await server.stop();
  await site[Symbol.asyncDispose]();
});
beforeEach(() => {
  answer = { status: 200, body: Buffer.from('something else') };
});

/** What a cold image is has to ripen first; a client that hangs up sees the beginning only. */
const HELD = SOAK_KINDS.filter((kind) => kind !== 'cold-image' && kind !== 'hang-up');

describe('the mixture of a soak takes no', () => {
  for (const kind of HELD) {
    it(`other content for ${kind}`, async () => {
      await assert.rejects(mixture.ask(kind), WrongAnswer);
    });
  }

  for (const kind of [...HELD, 'hang-up'] satisfies readonly SoakKind[]) {
    it(`refusal for ${kind}`, async () => {
      answer = { status: 403, headers: { 'x-pinnace-reason': 'bad_signature' } };
      await assert.rejects(mixture.ask(kind), WrongAnswer);
    });
  }

  it('other digest of a head', async () => {
    answer = { status: 200, headers: { 'docker-content-digest': `sha256:${'0'.repeat(64)}` } };
    await assert.rejects(mixture.ask('tag-head'), WrongAnswer);
  });
});

describe('the mixture of a soak takes', () => {
  const reasons = ['tag_not_signed', 'timestamp_expired'];
  it('a refusal for its own reason', async () => {
    const endings = new Set<string>();
    // Which of the two repositories is asked is left to chance, so the wrong reason comes too.
    for (let asked = 0; asked < 40; asked += 1) {
      answer = { status: 403, headers: { 'x-pinnace-reason': reasons[asked % 2] ?? '' } };
      endings.add(await mixture.ask('refused').catch((error: unknown) => String(error)));
    }
    assert.ok(endings.has('right'));
    assert.ok([...endings].some((ending) => /has to be refused for/.test(ending)));
  });

  it('nothing for a cold image that is not ripe', async () => {
    assert.equal(await mixture.ask('cold-image'), 'nothing-to-ask');
  });

  it('a moved tag for what it means and, for a while, meant', async () => {
    const moving = world.moving[0];
    assert.ok(moving !== undefined);
    const { digest } = moving;
    world.moveOneTag();
    assert.notEqual(moving.digest, digest);
    assert.equal(moving.before?.digest, digest);
    const seconds = (moving.before.until - performance.now()) / 1000;
    assert.ok(seconds > 30 && seconds < 40, `${seconds} s`);
    assert.equal(world.events.at(-1)?.what, 'tag moved');
  });
});

it('excuses are for the time of an outage only', async () => {
  assert.equal(world.isTroubled, false);
  await world.interrupt('registry');
  assert.equal(world.isTroubled, true);
});

it('the shares of the mixture are a thousand', () => {
  const sum = Object.values(SHARES).reduce((all, share) => all + share, 0);
  assert.equal(sum, 1_000);
});
