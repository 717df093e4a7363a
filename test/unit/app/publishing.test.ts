import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RetryPace } from '../../../src/app/retry-pace.ts';
import { SigningError } from '../../../src/signing/errors.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { Desk } from '../signing/desk.ts';
import { HOUR, MemoryPlace, MINUTE, SECOND, UpkeepBench } from './upkeep-bench.ts';

describe('publishing in the background', () => {
  it('brings each new state to each place, once', async (context) => {
    const desk = await Desk.begin(context);
    const places = [new MemoryPlace(), new MemoryPlace()];
    const bench = new UpkeepBench(desk, { places });
    await bench.upkeep.look();
    assert.deepEqual(bench.news(), ['place 0 published', 'place 1 published']);
    await bench.after(MINUTE);
    assert.deepEqual(bench.news(), []);
    await bench.after(8 * HOUR);
    assert.deepEqual(bench.news(), ['renewed 2', 'place 0 published', 'place 1 published']);
    assert.deepEqual(
      places.map(({ version }) => version),
      [2, 2],
    );
    assert.ok(places.every(({ isClosed }) => isClosed));
  });

  it('leaves the state of another process to that process, unless it does not publish it', async (context) => {
    const desk = await Desk.begin(context);
    const place = new MemoryPlace();
    const other = new UpkeepBench(desk);
    const bench = new UpkeepBench(desk, { places: [place] });
    await bench.upkeep.look();
    await other.after(8 * HOUR);
    bench.news();
    await bench.upkeep.look();
    assert.deepEqual(bench.news(), []);
    await bench.after(MINUTE);
    assert.deepEqual(bench.news(), ['place 0 published']);
    assert.equal(place.version, 2);
  });

  it('tries again at a place that fails, while the folder and other places are whole', async (context) => {
    const desk = await Desk.begin(context);
    const [broken, fine] = [new MemoryPlace(), new MemoryPlace()];
    const bench = new UpkeepBench(desk, { places: [broken, fine] });
    broken.failure = new SigningError('publish_failed', 'nobody there');
    await bench.after(8 * HOUR);
    assert.deepEqual(bench.news(), [
      'renewed 2',
      'place 0 failed publish_failed',
      'place 1 published',
    ]);
    const [publishing] = bench.upkeep.publishings;
    assert.equal(publishing?.failure, broken.failure);
    assert.equal(bench.upkeep.failure, undefined);
    await bench.after(400);
    assert.deepEqual(bench.news(), [], 'too early');
    await bench.after(SECOND);
    assert.deepEqual(bench.news(), ['place 0 failed publish_failed']);
    broken.failure = undefined;
    await bench.after(MINUTE);
    assert.deepEqual(bench.news(), ['place 0 published']);
    assert.equal(publishing?.failure, undefined);
    assert.equal(broken.version, 2);
    assert.equal(await bench.version(), 2);
  });

  it('does not hold up renewal while a place takes its time', async (context) => {
    const desk = await Desk.begin(context);
    const place = new MemoryPlace();
    const bench = new UpkeepBench(desk, { places: [place] });
    const { promise, resolve } = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    place.gate = promise;
    place.onWrite = begun.resolve;
    const first = bench.upkeep.look();
    await begun.promise;
    desk.clock.advance(8 * HOUR);
    const second = bench.upkeep.look();
    while ((await bench.version()) < 2) await new Promise(setImmediate);
    assert.equal(place.version, 0);
    resolve();
    await Promise.all([first, second]);
    await bench.after(MINUTE);
    assert.equal(place.version, 2);
  });

  it('waits at its end for what is being written, and starts nothing more', async (context) => {
    const desk = await Desk.begin(context);
    const place = new MemoryPlace();
    const bench = new UpkeepBench(desk, { places: [place] });
    const { promise, resolve } = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    place.gate = promise;
    place.onWrite = begun.resolve;
    void bench.upkeep.look();
    await begun.promise;
    let isStopped = false;
    const stopping = bench.upkeep.stop({ drainMs: SECOND }).then(() => (isStopped = true));
    await new Promise(setImmediate);
    assert.equal(isStopped, false);
    resolve();
    await stopping;
    assert.equal(place.files.size, 1, 'one file was under way, the others were not begun');
    assert.equal(place.version, 0);
    assert.deepEqual(bench.news(), [], 'being stopped is no failure');
    await bench.after(HOUR);
    assert.equal(place.files.size, 1);
  });

  it('cuts off at its end what takes longer than that', async (context) => {
    const desk = await Desk.begin(context);
    const place = new MemoryPlace();
    const bench = new UpkeepBench(desk, { places: [place] });
    const cut = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    place.gate = cut.promise;
    place.onWrite = begun.resolve;
    void bench.upkeep.look();
    await begun.promise;
    const stopping = bench.upkeep.stop({ drainMs: SECOND });
    desk.clock.advance(SECOND);
    assert.equal(place.isClosed, true);
    cut.reject(new SigningError('publish_failed', 'cut'));
    await stopping;
    assert.deepEqual(bench.news(), []);
  });
});

describe('the pace of attempts', () => {
  it('doubles from a second to its limit, each pause shortened by no more than half', () => {
    const clock = new FakeClock();
    const pace = new RetryPace(clock);
    assert.equal(pace.waitMs, 0);
    for (let failure = 0; failure < 50; failure += 1) {
      pace.failed();
      const longest = Math.min(SECOND * 2 ** failure, 5 * MINUTE);
      assert.ok(pace.waitMs <= longest && pace.waitMs >= longest / 2, `${failure}: ${pace.waitMs}`);
    }
    pace.limit(MINUTE);
    pace.failed();
    assert.ok(pace.waitMs <= MINUTE);
    clock.advance(MINUTE);
    assert.equal(pace.waitMs, 0);
    pace.failed();
    pace.succeeded();
    assert.equal(pace.waitMs, 0);
    pace.failed();
    assert.ok(pace.waitMs <= SECOND, 'after a success it begins anew');
  });
});
