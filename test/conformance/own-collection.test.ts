import assert from 'node:assert/strict';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { tuf10 } from '../../src/trust/dialect/tuf-1.0.ts';
import { buildImage } from '../support/images.ts';
import { LoopbackServer } from '../support/loopback-server.ts';
import {
  BriskClock,
  REGISTRY_HOST,
  RunningPinnace,
  Surroundings,
} from '../support/running-pinnace.ts';
import { collectionBench } from '../unit/cli/collection-bench.ts';

const APP = 'team/app';
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** The longest time from a failure to the next attempt. */
const LONGEST_PAUSE_MS = 5 * 60_000;
const WAIT_MS = 10_000;

/** A server that keeps what is put there, and the version of the timestamp it has. */
class PutServer {
  readonly #files = new Map<string, string>();
  readonly server = new LoopbackServer(({ method, path, body }) => {
    if (method === 'PUT') {
      this.#files.set(path, body);
      return { status: 201 };
    }
    const there = this.#files.get(path);
    return there === undefined ? { status: 404 } : { status: 200, body: Buffer.from(there) };
  });

  get version(): number {
    const text = this.#files.get('/a/timestamp.json');
    if (text === undefined) return 0;
    return tuf10.parseTimestamp(tuf10.parseEnvelope(Buffer.from(text))).version;
  }
}

/** A Pinnace that keeps a collection current, publishes it to a folder and a server, and answers pulls of something else. */
class Keeper implements AsyncDisposable {
  readonly dir: string;
  readonly around: Surroundings;
  readonly place: PutServer;
  readonly pinnace: RunningPinnace;
  readonly clock: BriskClock;
  /** The configuration file. */
  readonly config: string;

  private constructor(
    dir: string,
    parts: Pick<Keeper, 'around' | 'place' | 'pinnace' | 'clock' | 'config'>,
  ) {
    this.dir = dir;
    this.around = parts.around;
    this.place = parts.place;
    this.pinnace = parts.pinnace;
    this.clock = parts.clock;
    this.config = parts.config;
  }

  static async start(context: TestContext): Promise<Keeper> {
    const { dir } = await collectionBench(context);
    const around = await Surroundings.start();
    const place = new PutServer();
    await place.server.start();
    const publish = [
      { url: `${place.server.url}/a` },
      { url: `file://${join(around.folder, 'published')}` },
    ];
    const config = await around.writeConfig({
      more: { collections: { vetted: { dir, publish } } },
    });
    const clock = new BriskClock();
    const pinnace = await RunningPinnace.start(config, { clock });
    const keeper = new Keeper(dir, { around, place, pinnace, clock, config });
    await keeper.becomes(async () => (await keeper.count('publications', 'published')) === 2);
    assert.equal(place.version, 1);
    return keeper;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pinnace.stop();
    await this.place.server.stop();
    await this.around[Symbol.asyncDispose]();
  }

  /** The collection as the status has it. */
  async status(): Promise<Record<string, unknown>> {
    const { body } = await this.pinnace.admin('/api/v1/status');
    const report: { collections: Record<string, unknown>[] } = JSON.parse(body.toString());
    return report.collections[0] ?? {};
  }

  async page(): Promise<string> {
    return (await this.pinnace.admin('/')).body.toString();
  }

  async count(name: string, outcome: string): Promise<number> {
    const labels = `collection="vetted",outcome="${outcome}"`;
    return (await this.pinnace.metric(`pinnace_collection_${name}_total{${labels}}`)) ?? -1;
  }

  /** Waits for something that happens in the background. */
  async becomes(isSo: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = performance.now() + WAIT_MS;
    while (!(await isSo())) {
      assert.ok(performance.now() < deadline, `${isSo}: ${this.pinnace.lines.slice(-3).join('')}`);
      await new Promise(setImmediate);
    }
  }
}

describe('serve keeps a collection of its own current', () => {
  it('renews and publishes by itself, and shows what will stop it', async (context) => {
    await using keeper = await Keeper.start(context);
    const { pinnace, place, clock } = keeper;
    const role = 'collection="vetted",role="timestamp"';
    const series = `pinnace_collection_expires_in_seconds{${role}}`;
    assert.equal(await pinnace.metric(series), 86_400);
    clock.advance(8 * HOUR_MS);
    await keeper.becomes(() => place.version === 2);
    await keeper.becomes(async () => (await keeper.count('publications', 'published')) === 4);
    assert.equal(await pinnace.metric(series), 86_400);
    assert.equal(await keeper.count('renewals', 'renewed'), 1);
    assert.equal(await keeper.count('renewals', 'failed'), 0);
    const renewedAt = 'pinnace_collection_last_renewal_timestamp_seconds{collection="vetted"}';
    assert.equal(await pinnace.metric(renewedAt), clock.now() / 1000);
    const [logged] = pinnace.logged('collection.renewed');
    assert.deepEqual([logged?.['collection'], logged?.['version']], ['vetted', 2]);
    const status = await keeper.status();
    assert.equal(status['folder'], keeper.dir);
    assert.equal(status['renewalDueAt'], '2026-11-23T16:00:00Z');
    const page = await keeper.page();
    assert.match(page, /Own collections[\s\S]*vetted[\s\S]*next in 8 h/);
    assert.match(page, /collection vetted<\/code><\/td><td>renewal stops because its root ends/);
  });

  it('goes on while a place cannot be reached, and catches up', async (context) => {
    await using keeper = await Keeper.start(context);
    const { pinnace, place, around, clock } = keeper;
    const image = buildImage();
    around.publisher(APP).release('1', image);
    await place.server.down();
    clock.advance(8 * HOUR_MS);
    await keeper.becomes(async () => (await keeper.count('publications', 'failed')) > 0);
    assert.equal(await keeper.count('renewals', 'renewed'), 1);
    assert.equal(await pinnace.verdict(APP, '1'), image.manifest.digest);
    const [failed] = pinnace.logged('collection.publish_failed');
    assert.equal(failed?.['place'], `${place.server.url}/a`);
    assert.equal(failed?.['errorCode'], 'publish_failed');
    assert.match(await keeper.page(), /\/a gets nothing newer: publishing failed/);
    await place.server.up();
    clock.advance(LONGEST_PAUSE_MS);
    await keeper.becomes(() => place.version === 2);
    await keeper.becomes(async () => !(await keeper.page()).includes('gets nothing newer'));
  });

  it('says which online key is gone, serves pulls all the same, and goes on when it is back', async (context) => {
    await using keeper = await Keeper.start(context);
    const { pinnace, around, clock, place } = keeper;
    const image = buildImage();
    around.publisher(APP).release('1', image);
    const key = join(keeper.dir, 'keys', 'timestamp-1.json');
    await rename(key, `${key}.away`);
    clock.advance(8 * HOUR_MS);
    await keeper.becomes(async () => (await keeper.count('renewals', 'failed')) > 0);
    const { lastError } = await keeper.status();
    assert.match(String(lastError), /timestamp needs 1 more of the keys/);
    assert.match(await keeper.page(), /its timestamp expires and is not renewed: the keys/);
    assert.equal(await pinnace.verdict(APP, '1'), image.manifest.digest);
    assert.equal((await pinnace.admin('/readyz')).status, 200);
    await rename(`${key}.away`, key);
    clock.advance(LONGEST_PAUSE_MS);
    await keeper.becomes(() => place.version === 2);
  });

  it('stops before root and targets end, with an alert that names the command', async (context) => {
    await using keeper = await Keeper.start(context);
    const { pinnace, clock } = keeper;
    clock.advance(363 * DAY_MS);
    await keeper.becomes(async () => (await keeper.count('renewals', 'stopped')) > 0);
    assert.equal(await keeper.count('renewals', 'renewed'), 0);
    assert.equal(pinnace.logged('collection.renewal_stopped')[0]?.['level'], 'error');
    assert.deepEqual(
      pinnace.logged('collection.ending').map(({ role, stopsRenewal }) => [role, stopsRenewal]),
      [
        ['root', true],
        ['targets', true],
      ],
    );
    assert.match(await keeper.page(), /pinnace collection extend root/);
  });

  it('lives on when the whole folder goes away', async (context) => {
    await using keeper = await Keeper.start(context);
    const { pinnace, clock } = keeper;
    await rm(keeper.dir, { recursive: true });
    clock.advance(HOUR_MS);
    await keeper.becomes(async () => (await keeper.count('renewals', 'failed')) > 0);
    assert.match(String((await keeper.status())['lastError']), /there is no collection/);
    assert.equal((await pinnace.admin('/readyz')).status, 200);
  });

  it('is taken up and let go of by a reload', async (context) => {
    await using keeper = await Keeper.start(context);
    const { pinnace, around, clock, place, config } = keeper;
    const text = await readFile(config);
    await around.writeConfig();
    await pinnace.reload();
    assert.doesNotMatch(await keeper.page(), /Own collections/);
    clock.advance(8 * HOUR_MS);
    assert.doesNotMatch(
      (await pinnace.admin('/metrics')).body.toString(),
      /pinnace_collection_(?:expires|last)\w+\{/,
    );
    assert.equal(place.version, 1);
    await writeFile(config, text);
    await pinnace.reload();
    await keeper.becomes(() => place.version === 2);
    assert.match(await keeper.page(), /Own collections/);
  });

  it('is not there unless it is configured', async () => {
    await using around = await Surroundings.start();
    await using pinnace = await RunningPinnace.start(await around.writeConfig());
    const { body } = await pinnace.admin('/api/v1/status');
    assert.equal('collections' in JSON.parse(body.toString()), false);
    assert.doesNotMatch((await pinnace.admin('/')).body.toString(), /Own collections/);
    assert.doesNotMatch((await pinnace.admin('/metrics')).body.toString(), /collection="/);
    assert.equal(await pinnace.verdict(APP, '1'), 'no_trust_data', REGISTRY_HOST);
  });
});
