import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { Fleet } from '../../../src/front/fleet.ts';
import type { FrontProcess } from '../../../src/front/front-process.ts';
import { HeldPulls, HeldTrustFiles } from '../../../src/front/held-services.ts';
import type { FromFront, FrontSettings, ToFront } from '../../../src/front/messages.ts';
import { Log } from '../../../src/observe/log.ts';
import { Metrics, type MetricsSnapshot } from '../../../src/observe/metrics.ts';
import { parseRepositoryName, parseTag } from '../../../src/oci/names.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { FakePullService } from '../../support/fake-pull-service.ts';

const SETTINGS: FrontSettings = {
  ...{ listeners: [], logLevel: 'info', socketPath: '/nowhere', secret: 's' },
  ...{ runFolder: '/nowhere', contentFolder: '/nowhere' },
  limits: {
    ...{ connections: 1, queue: 0, queueTimeoutMs: 0, idleTimeoutMs: 1, minRate: 1 },
    memory: { bufferedBytes: 1, waiting: { most: 0, waitMs: 0 } },
  },
};

/** A front that does what the test says. */
class ScriptedFront implements FrontProcess {
  readonly pid: number;
  readonly told: ToFront[] = [];
  readonly sockets: (Socket | undefined)[] = [];
  isKilled = false;
  #say: (message: FromFront) => void = () => undefined;
  #exit: (how: string) => void = () => undefined;

  constructor(pid: number) {
    this.pid = pid;
  }

  send(message: ToFront, socket?: Socket): void {
    this.told.push(message);
    if (message.type === 'connection') this.sockets.push(socket);
  }

  kill(): void {
    this.isKilled = true;
  }

  onMessage(listener: (message: FromFront) => void): void {
    this.#say = listener;
  }

  onExit(listener: (how: string) => void): void {
    this.#exit = listener;
  }

  say(message: FromFront): void {
    this.#say(message);
  }

  begin(): void {
    this.say({ type: 'booted' });
    this.say({ type: 'ready' });
  }

  die(): void {
    this.#exit('SIGKILL');
  }

  toldOf(type: ToFront['type']): readonly ToFront[] {
    return this.told.filter((message) => message.type === type);
  }
}

interface Scene {
  readonly clock: FakeClock;
  readonly fleet: Fleet;
  readonly fronts: ScriptedFront[];
  readonly events: string[];
  readonly started: Promise<void>;
}

/** A fleet of two fronts that have begun. */
async function scene({ begin = true }: { readonly begin?: boolean } = {}): Promise<Scene> {
  const clock = new FakeClock();
  const fronts: ScriptedFront[] = [];
  const events: string[] = [];
  const write = (line: string): void => void events.push(String(JSON.parse(line)['event']));
  const fleet = new Fleet({
    ...{ size: 2, clock, log: new Log({ write }) },
    metrics: new Metrics({ version: '0', processMetrics: false }),
    startProcess: () => {
      const front = new ScriptedFront(fronts.length + 1);
      fronts.push(front);
      return front;
    },
    watched: () => new Map([['10.0.0.1', 500]]),
  });
  const started = fleet.start(() => SETTINGS);
  if (begin) {
    for (const front of fronts) front.begin();
    await started;
  }
  return { clock, fleet, fronts, events, started };
}

/** Has a front answer the last question of how much it has counted. */
function answerCount(front: ScriptedFront, metrics: MetricsSnapshot): void {
  const message = front.toldOf('count').at(-1);
  if (message?.type === 'count') front.say({ type: 'counts', id: message.id, metrics });
}

/** The requests that all snapshots together have counted. */
function requestsIn(snapshots: readonly MetricsSnapshot[]): number {
  const series = snapshots.flat().filter(({ name }) => name === 'pinnace_requests_total');
  return series.flatMap(({ values }) => values).reduce((total, { value }) => total + value, 0);
}

/** A connection, as one end and the other. */
async function connection(): Promise<{ readonly near: Socket; readonly far: Socket }> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const far = connect(port, '127.0.0.1');
  const [near] = await once(server, 'connection');
  server.close();
  return { near, far };
}

describe('a fleet', () => {
  it('gives connections to one front after the other, and lets go of what was taken', async () => {
    const { fleet, fronts } = await scene();
    const pairs = [await connection(), await connection()];
    for (const { near } of pairs) fleet.take('registry', near);
    for (const front of fronts) {
      const [message] = front.toldOf('connection');
      assert.equal(message?.type, 'connection');
      assert.equal(front.sockets[0]?.destroyed, false);
      if (message?.type === 'connection') front.say({ type: 'taken', id: message.id });
      assert.equal(front.sockets[0]?.destroyed, true);
    }
  });

  it('gives what a dead front had not taken to another one', async () => {
    const { fleet, fronts } = await scene();
    const { near } = await connection();
    fleet.take('registry', near);
    const index = fronts.findIndex((front) => front.sockets.length > 0);
    const [dead, other] = [fronts[index], fronts[1 - index]];
    dead?.die();
    assert.deepEqual(other?.sockets, [near]);
    assert.equal(near.destroyed, false);
    near.destroy();
  });

  it('has connections wait while there is no front, and gives them to the next one', async () => {
    const { fleet, fronts } = await scene();
    for (const front of [...fronts]) front.die();
    const { near } = await connection();
    fleet.take('registry', near);
    assert.equal(near.destroyed, false);
    fronts.at(-1)?.begin();
    assert.deepEqual(fronts.at(-1)?.sockets, [near]);
    near.destroy();
  });

  it('replaces a front at once, and one that keeps dying after growing pauses', async () => {
    const { clock, fronts, events } = await scene();
    fronts[0]?.die();
    assert.equal(fronts.length, 3);
    fronts[2]?.die();
    assert.equal(fronts.length, 3);
    clock.advance(250);
    assert.equal(fronts.length, 4);
    fronts[3]?.die();
    clock.advance(499);
    assert.equal(fronts.length, 4);
    clock.advance(1);
    assert.equal(fronts.length, 5);
    assert.equal(events.filter((event) => event === 'worker.died').length, 3);
  });

  it('lets nobody wait long for the last one, however often it has died', async () => {
    const { clock, fronts } = await scene();
    for (let deaths = 0; deaths < 8; deaths += 1) {
      fronts[0]?.die();
      fronts.shift();
      clock.advance(60_000);
    }
    const there = fronts.length;
    for (const front of fronts) front.die();
    clock.advance(500);
    assert.ok(fronts.length > there);
  });

  it('tells each front that begins who is watched', async () => {
    const { fronts } = await scene();
    for (const front of fronts) {
      assert.deepEqual(front.toldOf('watch'), [{ type: 'watch', client: '10.0.0.1', forMs: 500 }]);
    }
  });

  it('has settled when every front has forgotten, and not before', async () => {
    const { fleet, fronts } = await scene();
    assert.equal(fleet.settled(), undefined);
    fleet.forget('scope');
    let isSettled = false;
    const settled = fleet.settled()?.then(() => {
      isSettled = true;
    });
    fronts[0]?.say({ type: 'settled', epoch: fleet.epoch });
    fronts[1]?.say({ type: 'settled', epoch: fleet.epoch - 1 });
    await Promise.resolve();
    assert.equal(isSettled, false);
    fronts[1]?.say({ type: 'settled', epoch: fleet.epoch });
    await settled;
    assert.equal(fleet.settled(), undefined);
  });

  it('ends a front that does not forget in time, and has settled when it is gone', async () => {
    const { clock, fleet, fronts, events } = await scene();
    fleet.forget();
    const settled = fleet.settled();
    fronts[0]?.say({ type: 'settled', epoch: fleet.epoch });
    clock.advance(999);
    assert.equal(fronts[1]?.isKilled, false);
    clock.advance(1);
    assert.deepEqual([fronts[0]?.isKilled, fronts[1]?.isKilled], [false, true]);
    assert.ok(events.includes('worker.silent'));
    assert.ok(fleet.settled() !== undefined);
    fronts[1]?.die();
    await settled;
  });

  it('gives a front that begins later the epoch of now', async () => {
    const { fleet, fronts } = await scene();
    fleet.forget();
    fronts[0]?.die();
    fronts[2]?.begin();
    const [begin] = fronts[2]?.toldOf('begin') ?? [];
    assert.equal(begin?.type === 'begin' ? begin.epoch : undefined, fleet.epoch);
  });

  it('keeps what a dead front has counted', async () => {
    const { fleet, fronts } = await scene();
    const other = new Metrics({ version: '0', isFront: true, processMetrics: false });
    other.countRequest('ping', 'answered');
    fronts[0]?.say({ type: 'counts', metrics: await other.snapshot() });
    const counted = await other.snapshot();
    const sum = async (): Promise<number> => {
      const asking = fleet.counts();
      for (const front of fronts) answerCount(front, front === fronts[0] ? counted : []);
      return requestsIn(await asking);
    };
    assert.equal(await sum(), 1);
    fronts[0]?.die();
    assert.equal(await sum(), 1);
  });

  it('fails to start when no front lives', async () => {
    const { fleet, fronts, clock, started } = await scene({ begin: false });
    assert.equal(fleet.isAccepting, false);
    const failed = assert.rejects(started, /end as soon as they are started/);
    for (let turn = 0; turn < 12; turn += 1) {
      for (const front of fronts.filter(({ isKilled }) => !isKilled)) {
        front.isKilled = true;
        front.die();
      }
      clock.advance(31_000);
    }
    await failed;
  });
});

describe('services whose answers are held', () => {
  const repository = parseRepositoryName('registry.example.com/team/app');
  const tag = parseTag('1.0');

  it('answer when all have forgotten, and not before', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    let settled: Promise<void> | undefined = promise;
    const pulls = new FakePullService();
    pulls.addTag('registry.example.com/team/app', '1.0', { body: '{}' });
    const held = new HeldPulls(pulls, () => settled);
    assert.equal(held.manifestByTagNow(repository, tag), undefined);
    const asked = [
      held.manifestByTag(repository, tag, {}),
      held.tags(repository, {}),
      new HeldTrustFiles({ trustFile: () => Promise.resolve(undefined) }, () => settled).trustFile(
        repository,
        'root.json',
        {},
      ),
    ];
    let answered = 0;
    for (const each of asked)
      void each.then(() => {
        answered += 1;
      });
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
    assert.equal(answered, 0);
    settled = undefined;
    resolve();
    await Promise.all(asked);
    assert.equal(held.manifestByTagNow(repository, tag)?.verdict, 'pinned');
  });
});
