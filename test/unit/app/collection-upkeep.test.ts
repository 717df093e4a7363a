import assert from 'node:assert/strict';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { openedKeys } from '../../../src/signing/key-ring.ts';
import { DEFAULT_SETTINGS } from '../../../src/signing/settings.ts';
import { extend } from '../../../src/signing/signers.ts';
import { DiskCollectionFolder } from '../../../src/store/collection-folder.ts';
import { DAY, Desk, digestOf, newKeys } from '../signing/desk.ts';
import { HOUR, MINUTE, SECOND, UpkeepBench } from './upkeep-bench.ts';

describe('the upkeep of a collection', () => {
  it('renews after a third of the life of a timestamp, not before, and so keeps pulls going', async (context) => {
    const desk = await Desk.begin(context);
    await desk.approve('1.0');
    const bench = new UpkeepBench(desk);
    await bench.after(8 * HOUR - 1);
    assert.deepEqual(bench.news(), []);
    await bench.after(1);
    assert.deepEqual(bench.news(), ['renewed 3']);
    for (let hour = 0; hour < 15 * 24; hour += 1) await bench.after(HOUR);
    assert.equal(await desk.seen('1.0'), digestOf('1.0'));
    // Every eight hours, and when a snapshot is past half its life.
    assert.equal(bench.news().length, 15 * 3 + 2);
    assert.equal((await desk.open()).repository.current.get('targets')?.version, 2);
  });

  it('looks by itself from its start to its end, and no longer', async (context) => {
    const desk = await Desk.begin(context);
    const bench = new UpkeepBench(desk);
    bench.upkeep.start();
    desk.clock.advance(0);
    await bench.upkeep.look();
    desk.clock.advance(8 * HOUR);
    await bench.upkeep.look();
    assert.deepEqual(bench.news(), ['renewed 2']);
    await bench.upkeep.stop({ drainMs: 0 });
    desk.clock.advance(8 * HOUR);
    await new Promise(setImmediate);
    assert.equal(await bench.version(), 2);
  });

  it('looks more often where lives are short', async (context) => {
    const lifetimes = { ...DEFAULT_SETTINGS.lifetimes, timestamp: 24 * SECOND };
    const desk = await Desk.begin(context, { settings: { lifetimes } });
    const bench = new UpkeepBench(desk);
    for (let second = 0; second < 80; second += 1) await bench.after(SECOND);
    assert.equal(bench.news().length, 10);
    assert.equal(await desk.seen('1.0'), 'tag_not_signed');
  });

  it('does nothing where another process has renewed', async (context) => {
    const desk = await Desk.begin(context);
    // However busy the machine is, neither may give up on the other.
    const patient = { clock: systemClock, patienceMs: 60_000 };
    const folder = new DiskCollectionFolder(desk.dir, patient);
    const benches = [new UpkeepBench(desk, { folder }), new UpkeepBench(desk, { folder })];
    await Promise.all(benches.map(({ upkeep }) => upkeep.look()));
    desk.clock.advance(8 * HOUR);
    await Promise.all(benches.map(({ upkeep }) => upkeep.look()));
    assert.deepEqual(
      benches.flatMap((bench) => bench.news()),
      ['renewed 2'],
    );
    await Promise.all(benches.map((bench) => bench.after(MINUTE)));
    assert.deepEqual(
      benches.flatMap((bench) => bench.news()),
      [],
    );
  });

  it('brings into effect at once what waits for the online keys alone', async (context) => {
    const desk = await Desk.begin(context);
    const bench = new UpkeepBench(desk);
    await bench.after(MINUTE);
    const conclusion = await desk.approve('1.0', digestOf('a'), { ring: desk.ring('targets') });
    assert.equal(conclusion, 'waits-for-online-keys');
    await bench.after(MINUTE);
    assert.deepEqual(bench.news(), ['took-effect 2']);
    assert.equal(await desk.seen('1.0'), digestOf('a'));
  });

  it('warns of root and targets, then stops and says so until somebody extends them', async (context) => {
    const desk = await Desk.begin(context);
    const bench = new UpkeepBench(desk);
    desk.clock.advance(340 * DAY);
    await bench.upkeep.look();
    await bench.after(HOUR);
    assert.deepEqual(bench.news(), ['ending: root', 'ending: targets', 'renewed 2']);
    await bench.after(22 * DAY);
    assert.deepEqual(bench.news(), ['stops: root', 'stops: targets', 'failed about_to_expire']);
    assert.match(String(bench.upkeep.failure), /pinnace collection extend/);
    await bench.after(5 * MINUTE);
    assert.deepEqual(bench.news(), ['failed about_to_expire']);
    assert.equal(await bench.version(), 2);
    await desk.change((edit) => extend(edit, 'root'));
    await desk.change((edit) => extend(edit, 'targets'));
    await bench.after(8 * HOUR);
    assert.deepEqual(bench.news(), ['renewed 5']);
    assert.equal(bench.upkeep.failure, undefined);
  });

  it('says that it stops as soon as it will, while the timestamp is still young', async (context) => {
    const desk = await Desk.begin(context);
    const bench = new UpkeepBench(desk);
    await bench.after(362 * DAY - HOUR);
    assert.equal(bench.news().at(-1), 'renewed 2');
    await bench.after(HOUR);
    assert.deepEqual(bench.news(), ['stops: root', 'stops: targets', 'failed about_to_expire']);
  });

  it('tries again after failures, ever more seldom but at least every five minutes', async (context) => {
    const desk = await Desk.begin(context);
    let keys = openedKeys(newKeys(2));
    const bench = new UpkeepBench(desk, { keys: () => Promise.resolve(keys) });
    await bench.after(9 * HOUR);
    assert.deepEqual(bench.news(), ['failed key_missing']);
    await bench.after(400);
    assert.deepEqual(bench.news(), [], 'too early');
    for (let second = 0; second < 3600; second += 1) await bench.after(SECOND);
    const attempts = bench.news().length;
    assert.ok(attempts >= 12 + 6 && attempts <= 24 + 9, `${attempts} attempts in an hour`);
    assert.equal(await bench.version(), 1);
    keys = desk.ring('snapshot', 'timestamp');
    await bench.after(5 * MINUTE);
    assert.deepEqual(bench.news(), ['renewed 2']);
  });

  it('outlives a folder that is away, and one that is damaged', async (context) => {
    const desk = await Desk.begin(context);
    const bench = new UpkeepBench(desk);
    const away = `${desk.dir}-away`;
    context.after(() => rm(away, { recursive: true, force: true }));
    await rename(desk.dir, away);
    await bench.upkeep.look();
    assert.deepEqual(bench.news(), ['failed collection_missing']);
    assert.equal(bench.upkeep.open, undefined);
    await rename(away, desk.dir);
    await bench.after(MINUTE);
    assert.deepEqual(bench.news(), []);
    assert.notEqual(bench.upkeep.open, undefined);
    const file = join(desk.dir, 'metadata', '1.targets.json');
    await rename(file, `${file}.gone`);
    await bench.after(9 * HOUR);
    assert.deepEqual(bench.news(), ['failed collection_damaged']);
    assert.notEqual(bench.upkeep.open, undefined, 'the status still has what was there');
    await rename(`${file}.gone`, file);
    await bench.after(MINUTE);
    assert.deepEqual(bench.news(), ['renewed 2']);
  });

  it('says who has the lock, and goes on when it is gone', async (context) => {
    const desk = await Desk.begin(context);
    const bench = new UpkeepBench(desk);
    const lock = join(desk.dir, '.lock');
    await writeFile(lock, 'process 1 on somewhere');
    await bench.after(9 * HOUR);
    assert.deepEqual(bench.news(), ['failed collection_busy']);
    assert.match(String(bench.upkeep.failure), /process 1 on somewhere/);
    await rm(lock);
    await bench.after(MINUTE);
    assert.deepEqual(bench.news(), ['renewed 2']);
  });
});
