import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { App } from '../../../src/app/app.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { BriskClock, RunningPinnace, Surroundings } from '../../support/running-pinnace.ts';

type Listeners = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

async function appOf(around: Surroundings, listeners?: Listeners): Promise<App> {
  const file = await around.writeConfig(listeners === undefined ? {} : { listeners });
  const clock = new BriskClock();
  const { config } = await loadConfig(file, { env: {}, clock });
  return new App({ config, clock, logSink: { write: () => undefined } });
}

describe('App', () => {
  it('releases what it had when one of its addresses is taken', async () => {
    await using around = await Surroundings.start();
    const taken = { address: `127.0.0.1:${around.registry.port}` };
    const app = await appOf(around, { free: { address: '127.0.0.1:0' }, taken });
    await assert.rejects(app.start(), { code: 'EADDRINUSE' });
    const free = app.addresses.get('free')?.port ?? 0;
    assert.notEqual(free, 0);
    await app.stop();
    // Both the address and the data folder are free for the next one.
    const next = await appOf(around, { free: { address: `127.0.0.1:${free}` } });
    await next.start();
    assert.equal(next.addresses.get('free')?.port, free);
    await next.stop();
  });

  it('can be stopped twice, also before it was started', async () => {
    await using around = await Surroundings.start();
    const never = await appOf(around);
    await never.stop();
    const app = await appOf(around);
    await app.start();
    await Promise.all([app.stop(), app.stop()]);
    await app.stop();
  });

  it('is live but not ready until its listeners are bound', async () => {
    await using around = await Surroundings.start();
    await using pinnace = await RunningPinnace.start(await around.writeConfig());
    assert.equal((await pinnace.admin('/readyz')).status, 200);
    await pinnace.stop();
    await assert.rejects(pinnace.admin('/readyz'));
    await assert.rejects(pinnace.get(''));
  });
});
