import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { buildImage, type Image } from '../support/images.ts';
import { PinnaceProcess } from '../support/pinnace-process.ts';
import { ask } from '../support/registry-under-test.ts';
import {
  type PartialAnswer,
  type Publisher,
  Surroundings,
  takeWhatComes,
} from '../support/running-pinnace.ts';

const APP = 'team/app';
const AT_EVERY_PULL = { maxAge: '0s', outageGrace: '0s' };

/** A publisher that signs one image after the other under one tag, and remembers what the trust server showed when. */
class History {
  readonly images: Image[] = [];
  readonly #around: Surroundings;
  readonly #publisher: Publisher;
  readonly #files: ReadonlyMap<string, Uint8Array>[] = [];
  readonly #indexes = new Map<string, number>();
  /** The newest image that a pull has been answered with. */
  newestSeen = -1;

  constructor(around: Surroundings) {
    this.#around = around;
    this.#publisher = around.publisher(APP, { now: new Date() });
  }

  /** Signs the next image and shows it. */
  publish(): void {
    const image = buildImage({ message: `${this.images.length}`, bigLayerBytes: 400_000 });
    this.#publisher.push('latest', image);
    const { digest: sha256, bytes } = image.manifest;
    this.#publisher.trust.sign('latest', { sha256, length: bytes.length });
    this.#indexes.set(sha256, this.images.length);
    this.images.push(image);
    this.#files.push(this.#publisher.trust.publish());
    this.show(this.images.length - 1);
  }

  /** Has the trust server show what it showed then. */
  show(index: number): void {
    const files = this.#files[index];
    if (files !== undefined) this.#around.notary.serve(this.#publisher.trust.gun, files);
  }

  /** Pulls the tag and all it refers to, and holds what arrives to what must be true of it. */
  async pull(port: number): Promise<void> {
    const floor = this.newestSeen;
    const manifest = await ask(port, `/v2/${APP}/manifests/latest`);
    if (manifest.status !== 200) {
      const reason = String(manifest.headers['x-pinnace-reason']);
      assert.ok(['rollback', 'checksum_mismatch', 'metadata_missing'].includes(reason), reason);
      return;
    }
    const index = this.#indexes.get(String(manifest.headers['docker-content-digest'])) ?? -1;
    assert.ok(index >= floor, `image ${index} after image ${floor}`);
    this.newestSeen = Math.max(this.newestSeen, index);
    const image = this.images[index];
    assert.deepEqual(manifest.body, image?.manifest.bytes);
    for (const blob of [image?.config, ...(image?.layers ?? [])]) {
      if (blob === undefined) continue;
      const got = await takeWhatComes(port, `/v2/${APP}/blobs/${blob.digest}`);
      if (got.isComplete) assert.ok(got.status !== 200 || got.body.equals(blob.bytes));
    }
  }
}

/** Whether an error means that the process was gone, rather than that something was wrong. */
function isCut(error: unknown): boolean {
  return error instanceof Error && 'code' in error && /^E(?!RR_ASSERTION)/.test(String(error.code));
}

describe('the whole proxy in its own process', () => {
  it('survives kill -9 at any moment: versions never go back, content is never wrong', async () => {
    await using around = await Surroundings.start();
    const history = new History(around);
    const config = await around.writeConfig({ trust: AT_EVERY_PULL });
    for (let round = 0; round < 8; round += 1) {
      await using pinnace = await PinnaceProcess.serve(config);
      const port = pinnace.port();
      let isOver = false;
      const publishing = async (): Promise<void> => {
        while (!isOver) {
          history.publish();
          await pause(15);
          // Now and then an older state is shown, as whoever holds the line could.
          if (Math.random() < 0.4) history.show(Math.floor(Math.random() * history.images.length));
          await pause(15);
        }
      };
      let pulls = 0;
      const pulling = async (): Promise<void> => {
        while (!isOver) {
          await history.pull(port).catch((error: unknown) => {
            if (!isCut(error)) throw error;
          });
          pulls += 1;
        }
      };
      const killing = async (): Promise<void> => {
        // On a busy machine the first answers take long, and a round without any shows nothing.
        while (pulls < 2) await pause(5);
        await pause(Math.random() * 300);
        isOver = true;
        pinnace.kill('SIGKILL');
      };
      await Promise.all([publishing(), pulling(), pulling(), pulling(), killing()]);
      assert.equal((await pinnace.ended()).signal, 'SIGKILL');
    }
    assert.ok(history.newestSeen > 8, `${history.newestSeen}`);
    history.publish();
    await using last = await PinnaceProcess.serve(config);
    await history.pull(last.port());
    assert.equal(history.newestSeen, history.images.length - 1);
    assert.deepEqual(last.logged('cache.corrupt'), []);
  });

  it('lets no version go back between two processes that share a data folder', async () => {
    await using around = await Surroundings.start();
    const history = new History(around);
    history.publish();
    const config = await around.writeConfig({ trust: AT_EVERY_PULL });
    const both = await Promise.all([PinnaceProcess.serve(config), PinnaceProcess.serve(config)]);
    const [first, second] = both;
    await using _first = first;
    await using _second = second;
    const until = performance.now() + 2_000;
    // A busy machine takes longer to have seen anything at all.
    const isOver = (): boolean => performance.now() > until && history.newestSeen > 3;
    const pulling = async (port: number): Promise<void> => {
      while (!isOver()) await history.pull(port);
    };
    const publishing = async (): Promise<void> => {
      while (!isOver()) {
        history.publish();
        await pause(20);
        if (Math.random() < 0.5) history.show(Math.floor(Math.random() * history.images.length));
        await pause(10);
      }
    };
    await Promise.all([publishing(), ...both.map((each) => pulling(each.port()))]);
    // What one has seen, the other refuses to fall behind.
    history.publish();
    await history.pull(first.port());
    history.show(0);
    const answer = await ask(second.port(), `/v2/${APP}/manifests/latest`);
    assert.equal(answer.headers['x-pinnace-reason'], 'rollback');
  });

  for (const [name, start] of [
    ['SIGTERM', (config: string) => PinnaceProcess.start('serve', '--config', config)],
    [
      'SIGTERM to the group of npm',
      (config: string) => PinnaceProcess.startByNpm('serve', '--config', config),
    ],
  ] as const) {
    it(`lets a slow download finish, then ends: ${name}`, async () => {
      await using around = await Surroundings.start();
      const image = buildImage({ message: 'slow', bigLayerBytes: 1_000_000 });
      around.publisher(APP, { now: new Date() }).release('1', image);
      const layer = image.layers[1];
      assert.ok(layer !== undefined);
      around.registry.inject(layer.digest, { kind: 'drip', everyMs: 100, chunkBytes: 70_000 });
      await using pinnace = start(await around.writeConfig());
      await pinnace.untilLogged('server.started');
      const port = pinnace.port();
      assert.equal((await ask(port, `/v2/${APP}/manifests/1`)).status, 200);
      const downloading: Promise<PartialAnswer> = takeWhatComes(
        port,
        `/v2/${APP}/blobs/${layer.digest}`,
      );
      while (around.registry.requestsTo(layer.digest).length === 0) await pause(10);
      await pause(200);
      pinnace.kill('SIGTERM');
      await pinnace.untilLogged('server.stopping');
      await assert.rejects(ask(port, '/v2/'));
      assert.equal((await ask(pinnace.port('admin'), '/readyz')).status, 503);
      const downloaded = await downloading;
      assert.equal(downloaded.isComplete, true);
      assert.ok(downloaded.body.equals(layer.bytes));
      const ended = await pinnace.ended();
      assert.equal(pinnace.logged('server.stopped').length, 1);
      // Where npm runs it, the code is npm's.
      if (name === 'SIGTERM') assert.deepEqual([ended.code, ended.signal], [0, undefined]);
    });
  }

  it('ends quickly and quietly while the trust server and the registry hang', async () => {
    await using around = await Surroundings.start();
    around.publisher(APP, { now: new Date() }).release('1', buildImage());
    around.notary.inject(/./, { kind: 'hang' });
    const config = await around.writeConfig({ more: { limits: { drainTimeout: '300ms' } } });
    await using pinnace = await PinnaceProcess.serve(config);
    const asked = ask(pinnace.port(), `/v2/${APP}/manifests/1`).catch(() => 'cut');
    while (around.notary.requests.length === 0) await pause(10);
    const from = performance.now();
    pinnace.kill('SIGTERM');
    assert.equal(await asked, 'cut');
    assert.equal((await pinnace.ended()).code, 0);
    assert.ok(performance.now() - from < 5_000);
    assert.deepEqual(pinnace.logged('request.failed'), []);
    assert.equal(pinnace.logged('request')[0]?.['verdict'], 'cut');
  });

  it('does not wait once a second signal comes some time after the first', async () => {
    await using around = await Surroundings.start();
    around.publisher(APP, { now: new Date() }).release('1', buildImage());
    around.notary.inject(/./, { kind: 'hang' });
    await using pinnace = await PinnaceProcess.serve(await around.writeConfig());
    const asked = ask(pinnace.port(), `/v2/${APP}/manifests/1`).catch(() => 'cut');
    while (around.notary.requests.length === 0) await pause(10);
    pinnace.kill('SIGINT');
    await pinnace.untilLogged('server.stopping');
    await pause(2_300);
    pinnace.kill('SIGINT');
    assert.equal((await pinnace.ended()).signal, 'SIGINT');
    assert.equal(await asked, 'cut');
  });

  it('ends on SIGTERM at any moment of its start, and leaves a usable folder', async () => {
    await using around = await Surroundings.start();
    const image = buildImage();
    around.publisher(APP, { now: new Date() }).release('1', image);
    const config = await around.writeConfig();
    for (const delayMs of [0, 100, 200, 300, 400, 500, 600, 700, 800]) {
      await using pinnace = PinnaceProcess.start('serve', '--config', config);
      await pause(delayMs);
      pinnace.kill('SIGTERM');
      const { code, signal, stderr } = await pinnace.ended();
      assert.ok(code === 0 || signal === 'SIGTERM', `${delayMs} ms: ${code} ${signal} ${stderr}`);
      assert.equal(stderr.includes('Error'), false, stderr);
    }
    await using pinnace = await PinnaceProcess.serve(config);
    assert.equal((await ask(pinnace.port(), `/v2/${APP}/manifests/1`)).status, 200);
  });

  it('says in one sentence that its address is taken', async () => {
    await using around = await Surroundings.start();
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const address = other.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const listeners = { registry: { address: `127.0.0.1:${port}` } };
    const config = await around.writeConfig({ listeners });
    const { code, stderr } = await PinnaceProcess.run('serve', '--config', config);
    other.close();
    assert.equal(code, 1);
    const said = stderr.trim().split('\n').at(-1) ?? '';
    assert.match(said, new RegExp(`^pinnace: cannot listen on 127.0.0.1:${port}: another program`));
    assert.equal(/\n +at /.test(stderr), false, stderr);
  });

  it('says what to do about a state it cannot read, and ends with 1', async () => {
    await using around = await Surroundings.start();
    const config = await around.writeConfig();
    await using pinnace = await PinnaceProcess.serve(config);
    pinnace.kill('SIGTERM');
    await pinnace.ended();
    const file = join(around.folder, 'data', 'state.sqlite');
    await writeFile(file, 'spoilt');
    const { code, stderr } = await PinnaceProcess.run('serve', '--config', config);
    assert.equal(code, 1);
    assert.ok(stderr.includes(`move ${file} away`), stderr);
    assert.equal(/\n +at /.test(stderr), false, stderr);
  });
});
