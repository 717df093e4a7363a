import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TrustServerError } from '../../../src/metadata/errors.ts';
import { TrustError } from '../../../src/trust/errors.ts';
import { rejectsWithCode } from '../../support/reject-with-code.ts';
import { content, Scene } from './scene.ts';

const CROWD = 500;

function crowd<Value>(ask: (index: number) => Promise<Value>): Promise<Value[]> {
  return Promise.all(Array.from({ length: CROWD }, (_, index) => ask(index)));
}

describe('a crowd', () => {
  it('asking for one new tag costs one request for each file', async () => {
    const scene = new Scene();
    assert.deepEqual(new Set(await crowd(() => scene.pin())), new Set([1]));
    assert.equal(scene.source.takeAsked().length, 6);
    assert.equal(scene.events.filter(({ kind }) => kind === 'refreshed').length, 1);
  });

  it('asking for many tags costs no more', async () => {
    const scene = new Scene();
    for (let n = 1; n < 20; n += 1) scene.repository.sign(`t${n}`, content(n), 'targets/releases');
    scene.publish();
    const pins = await crowd((index) => scene.pin(`t${1 + (index % 19)}`));
    assert.deepEqual(pins[20], 2);
    assert.equal(scene.source.takeAsked().length, 6);
  });

  it('asking again costs one request', async () => {
    const scene = new Scene();
    await scene.pin();
    scene.source.takeAsked();
    await crowd(() => scene.pin());
    assert.deepEqual(scene.source.takeAsked(), ['timestamp.json']);
  });

  it('asking for an unsigned tag costs nothing more', async () => {
    const scene = new Scene();
    await crowd(() => rejectsWithCode(scene.pin('nope'), TrustError, 'tag_not_signed'));
    assert.equal(scene.source.takeAsked().length, 6);
  });

  it('shares a failure', async () => {
    const scene = new Scene();
    scene.goDown();
    await crowd(() => rejectsWithCode(scene.pin(), TrustServerError, 'trust_server_unreachable'));
    assert.deepEqual(scene.source.takeAsked(), ['root.json']);
  });

  it('shares the failure of a delegation', async () => {
    const scene = new Scene();
    scene.goDown(/releases/);
    await crowd(() => rejectsWithCode(scene.pin(), TrustServerError, 'trust_server_unreachable'));
    assert.equal(scene.source.takeAsked().length, 6);
    scene.comeBack();
    assert.equal(await scene.pin(), 1);
  });

  it('may lose one that hangs up, without harm to the rest', async () => {
    const scene = new Scene();
    const held = scene.source.hold(/^timestamp/);
    const leaving = new AbortController();
    const left = scene.collection.pin('v1', [], leaving.signal);
    const stayed = scene.pin();
    await held.arrived;
    const reason = new Error('hung up');
    leaving.abort(reason);
    await assert.rejects(left, (error) => error === reason);
    held.letGo();
    assert.equal(await stayed, 1);
  });

  it('leaves the refresh to go on when all hang up', async () => {
    const scene = new Scene({ rules: { maxAgeMs: 60_000 } });
    const held = scene.source.hold(/^timestamp/);
    const signal = AbortSignal.abort(new Error('gone before'));
    await assert.rejects(scene.collection.pin('v1', [], signal), { message: 'gone before' });
    await held.arrived;
    held.letGo();
    await scene.collection.refreshNow();
    assert.equal(await scene.pin(), 1);
  });
});

describe('a failure is remembered', () => {
  for (const [maxAgeMs, memoryMs] of [
    [60_000, 5_000],
    [5_000, 5_000],
    [2_000, 2_000],
  ] as const) {
    it(`for ${memoryMs} ms with a maxAge of ${maxAgeMs} ms`, async () => {
      const scene = new Scene({ rules: { maxAgeMs } });
      scene.goDown();
      await rejectsWithCode(scene.pin(), TrustServerError, 'trust_server_unreachable');
      scene.comeBack();
      scene.source.takeAsked();
      scene.clock.advance(memoryMs - 1);
      await rejectsWithCode(scene.pin(), TrustServerError, 'trust_server_unreachable');
      assert.deepEqual(scene.source.takeAsked(), []);
      scene.clock.advance(1);
      assert.equal(await scene.pin(), 1);
      assert.equal(scene.collection.failure, undefined);
    });
  }

  it('not at all when every pull asks', async () => {
    const scene = new Scene();
    scene.goDown();
    await rejectsWithCode(scene.pin(), TrustServerError, 'trust_server_unreachable');
    assert.ok(scene.collection.failure instanceof TrustServerError);
    scene.comeBack();
    assert.equal(await scene.pin(), 1);
  });

  it('whether it was an outage or proved bad', async () => {
    const scene = new Scene({ rules: { maxAgeMs: 60_000 } });
    scene.publish({ timestamp: { signatures: () => [] } });
    await rejectsWithCode(scene.pin(), TrustError, 'threshold_not_met');
    scene.publish();
    scene.source.takeAsked();
    scene.clock.advance(4_999);
    await rejectsWithCode(scene.pin(), TrustError, 'threshold_not_met');
    assert.deepEqual(scene.source.takeAsked(), []);
    scene.clock.advance(1);
    assert.equal(await scene.pin(), 1);
  });

  it('but never stands in the way of a refresh asked for by name', async () => {
    const scene = new Scene({ rules: { maxAgeMs: 60_000 } });
    scene.goDown();
    await assert.rejects(scene.pin());
    scene.comeBack();
    await scene.collection.refreshAnew();
    assert.equal(await scene.pin(), 1);
  });
});

describe('roles that can only change the wording', () => {
  function withOthers(): Scene {
    const scene = new Scene({ rules: { maxAgeMs: 60_000 } });
    scene.repository.addDelegation('targets/alice');
    scene.repository.sign('other', content(7), 'targets/alice');
    scene.publish();
    return scene;
  }

  it('may be out of reach, and are not asked for again in this version', async () => {
    const scene = withOthers();
    scene.goDown(/alice/);
    await rejectsWithCode(scene.pin('other'), TrustError, 'tag_not_signed');
    scene.source.takeAsked();
    await rejectsWithCode(scene.pin('other'), TrustError, 'tag_not_signed');
    assert.deepEqual(scene.source.takeAsked(), []);
    scene.comeBack();
    scene.sign('v1', 2);
    scene.clock.advance(60_000);
    await rejectsWithCode(scene.pin('other'), TrustError, 'tag_not_released');
  });

  it('are asked for again when they are needed', async () => {
    const scene = withOthers();
    scene.repository.sign('v1', content(1), 'targets/alice');
    scene.publish();
    scene.goDown(/alice/);
    await rejectsWithCode(scene.pin('other'), TrustError, 'tag_not_signed');
    scene.comeBack();
    const { value } = await scene.collection.pin('v1', ['alice']);
    assert.equal(value.sha256, content(1).sha256);
  });
});
