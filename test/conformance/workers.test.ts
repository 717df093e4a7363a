import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { buildImage } from '../support/images.ts';
import { PinnaceProcess } from '../support/pinnace-process.ts';
import { ask } from '../support/registry-under-test.ts';
import { pullUntilRight } from '../support/retrying-client.ts';
import { Surroundings } from '../support/running-pinnace.ts';

const APP = 'team/app';

describe('several workers', () => {
  it('has pulls go on while workers are killed, and counts each request', async () => {
    await using around = await Surroundings.start();
    const image = buildImage({ message: 'kept', bigLayerBytes: 3_000_000 });
    around.publisher(APP, { now: new Date() }).release('1.0', image);
    await using pinnace = await PinnaceProcess.serve(
      await around.writeConfig({ more: { workers: 2 } }),
    );
    const port = pinnace.port();
    let isOver = false;
    let pulls = 0;
    const pulling = async (): Promise<void> => {
      while (!isOver) {
        await pullUntilRight(port, APP, { tag: '1.0', image });
        pulls += 1;
      }
    };
    const killing = async (): Promise<void> => {
      for (let round = 1; round <= 4; round += 1) {
        const before = pulls;
        while (pulls < before + 3) await pullUntilRight(port, APP, { tag: '1.0', image });
        const worker = pinnace.logged('worker.started').at(-1);
        process.kill(Number(worker?.['pid']), 'SIGKILL');
        await pinnace.untilLogged('worker.started', round + 2);
      }
      isOver = true;
    };
    await Promise.all([pulling(), pulling(), pulling(), killing()]);
    assert.ok(pulls >= 12, `${pulls}`);
    const metrics = (await ask(pinnace.port('admin'), '/metrics')).body.toString();
    assert.match(metrics, /^pinnace_workers 2$/m);
    assert.match(metrics, /^pinnace_worker_restarts_total 4$/m);
    pinnace.kill('SIGTERM');
    assert.equal((await pinnace.ended()).code, 0);
  });
});
