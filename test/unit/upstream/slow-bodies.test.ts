import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UpstreamError } from '../../../src/resolve/errors.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { rejectsWithCode } from '../../support/reject-with-code.ts';
import { serve } from './loopback.ts';
import { DIGEST, REPOSITORY } from './registry-fixture.ts';
import { clientOf } from './registry-setup.ts';

describe('RegistryClient: slow bodies', () => {
  const RATES: readonly {
    readonly bytes: number;
    readonly everyMs: number;
    readonly isCut: boolean;
  }[] = [
    { bytes: 1, everyMs: 29_000, isCut: true },
    { bytes: 1_000, everyMs: 1_000, isCut: true },
    { bytes: 1_024, everyMs: 1_000, isCut: false },
    { bytes: 40_000, everyMs: 29_000, isCut: false },
  ];
  for (const { bytes, everyMs, isCut } of RATES) {
    it(`${isCut ? 'gives up' : 'waits for'} a blob that drips: ${bytes} bytes every ${everyMs} ms`, async (t) => {
      const clock = new FakeClock();
      const drops = Math.ceil(300_000 / everyMs);
      let send: (() => void) | undefined;
      const server = await serve(t, (_request, response) => {
        response.writeHead(200, { 'content-length': String(bytes * drops) });
        response.flushHeaders();
        send = () => void response.write(Buffer.alloc(bytes));
      });
      const client = clientOf(t, { url: server.url, minRate: 1_024 }, { clock });
      const { body } = await client.fetchBlob(REPOSITORY, DIGEST);
      const iterator = body[Symbol.asyncIterator]();
      let received = 0;
      const read = async (): Promise<void> => {
        while (received < bytes * drops) {
          const step = iterator.next();
          if (received % bytes === 0) {
            clock.advance(everyMs);
            send?.();
          }
          received += (await step).value?.length ?? 0;
        }
      };
      if (!isCut) {
        await read();
        return;
      }
      const error = await rejectsWithCode(read(), UpstreamError, 'upstream_unreachable');
      assert.equal(error.detail['minRate'], 1_024);
      assert.ok(received < bytes * drops * 0.5, 'long before its end');
    });
  }

  it('does not count time in which nobody reads against the upstream', async (t) => {
    const clock = new FakeClock();
    const server = await serve(t, (_request, response) => {
      response.writeHead(200, { 'content-length': '3' });
      response.write('abc');
    });
    const client = clientOf(t, { url: server.url, minRate: 1_024 }, { clock });
    const { body } = await client.fetchBlob(REPOSITORY, DIGEST);
    const iterator = body[Symbol.asyncIterator]();
    clock.advance(3_600_000);
    assert.equal((await iterator.next()).value?.length, 3);
    assert.equal((await iterator.next()).done, true);
  });
});
