import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { RegistryUnderTest } from '../../support/registry-under-test.ts';

const REPOSITORY = 'docker.io/library/alpine';

async function open(port: number, text: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(text);
  await once(socket, 'data');
  return socket;
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;

describe('stopping a listener', () => {
  it('is immediate when only idle connections are left', async () => {
    const registry = await new RegistryUnderTest().start();
    const idle = await open(registry.port, get('/v2/'));
    const closed = once(idle, 'close');
    await registry.listener.stop({ drainMs: 60_000 });
    await closed;
    assert.equal(registry.listener.isAccepting, false);
    await assert.rejects(registry.get('/v2/'), { code: 'ECONNREFUSED' });
    await registry[Symbol.asyncDispose]();
  });

  it('lets a pull in flight finish and takes no new connection meanwhile', async () => {
    const registry = await new RegistryUnderTest().start();
    registry.pulls.hasAnswersAtHand = false;
    registry.pulls.addTag(REPOSITORY, 'slow', { body: '{"slow":true}' });
    const answered = Promise.withResolvers<void>();
    const original = registry.pulls.manifestByTag.bind(registry.pulls);
    const asked = Promise.withResolvers<void>();
    registry.pulls.manifestByTag = async (...parameters) => {
      asked.resolve();
      await answered.promise;
      return await original(...parameters);
    };
    const pull = registry.get('/v2/library/alpine/manifests/slow');
    await asked.promise;
    const stopped = registry.listener.stop({ drainMs: 60_000 });
    assert.equal(registry.listener.isAccepting, false);
    await assert.rejects(registry.get('/v2/'), { code: 'ECONNREFUSED' });
    answered.resolve();
    assert.equal((await pull).body.toString(), '{"slow":true}');
    await stopped;
    await registry[Symbol.asyncDispose]();
  });

  it('cuts what is left at the deadline', async () => {
    const registry = await new RegistryUnderTest().start();
    const digest = registry.pulls.addBlob(REPOSITORY, Buffer.alloc(5000), {
      failAfter: 100,
      hangs: true,
    });
    const socket = await open(registry.port, get(`/v2/library/alpine/blobs/${digest}`));
    const closed = once(socket, 'close');
    const stopped = registry.listener.stop({ drainMs: 10_000 });
    assert.equal(socket.destroyed, false);
    registry.clock.advance(10_000);
    await stopped;
    await closed;
    await registry[Symbol.asyncDispose]();
  });

  it('closes kept-alive connections after the answer under way', async () => {
    const registry = await new RegistryUnderTest().start();
    const digest = registry.pulls.addBlob(REPOSITORY, Buffer.from('abcdef'));
    const socket = await open(registry.port, get(`/v2/library/alpine/blobs/${digest}`));
    await Promise.all([once(socket, 'close'), registry.listener.stop({ drainMs: 60_000 })]);
    await registry[Symbol.asyncDispose]();
  });
});
