import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Raw, troubleOf } from '../../bench/load.ts';
import { Inspector } from '../../bench/profile/inspector.ts';
import { summaryOf } from '../../bench/profile/summary.ts';
import { freePort } from '../../e2e/support/port.ts';
import { Daemon, runOk } from '../../e2e/support/process.ts';
import { eventually } from '../../e2e/support/wait.ts';
import { LoopbackServer } from '../../support/loopback-server.ts';

const GENERATOR = fileURLToPath(new URL('../../bench/head-generator.ts', import.meta.url));

describe('the generator of HEAD requests', () => {
  it('counts whole heads, and sends the fields it was given', async () => {
    await using server = await new LoopbackServer(() => ({
      status: 200,
      headers: { 'content-length': '500' },
    })).start();
    const raw = await generate(server.url);
    assert.ok(raw.requests > 2 && raw.bytes > raw.requests * 50);
    assert.ok(raw.p50 > 0 && raw.p99 >= raw.p50);
    assert.equal(troubleOf(raw, {}), undefined);
    assert.ok(
      server.requests.every(({ method, headers }) => method === 'HEAD' && headers['x-a'] === 'b'),
    );
  });

  it('counts other statuses and cut connections as failures', async () => {
    await using server = await new LoopbackServer(() => ({ status: 404 })).start();
    assert.match(troubleOf(await generate(server.url), {}) ?? '', /by status/);
    server.inject('/path', { kind: 'reset' });
    assert.match(troubleOf(await generate(server.url), {}) ?? '', /failed 2 by read/);
  });
});

it('the profiler sees what a process is busy with', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'pinnace-bench-'));
  const port = await freePort();
  // Compiled anew each time, so that it is not made part of its caller.
  const spin = '(function spin() { for (let i = 0; i < 1e6; i += 1); })()';
  const busy = `setInterval(() => eval('${spin}'), 1); console.log('spins')`;
  const command = [process.execPath, `--inspect=127.0.0.1:${port}`, '-e', busy];
  const daemon = Daemon.start(command, join(folder, 'log'));
  try {
    await daemon.ready(async () => (await daemon.log()).includes('spins'));
    using inspector = await Inspector.connect(port);
    // On a machine with much else to do, the process may get no time in one of them.
    const sees = async (): Promise<boolean> => {
      const profile = await inspector.profile(async () => await sleep(200));
      const isSeen = profile.nodes.some(({ callFrame }) => callFrame.functionName === 'spin');
      return isSeen && summaryOf(profile).busy > 0;
    };
    await eventually(sees, { what: 'a profile with the busy function' });
  } finally {
    await daemon.stop();
    await rm(folder, { recursive: true });
  }
});

async function generate(url: string): Promise<Raw> {
  const fields = JSON.stringify({ 'X-A': 'b' });
  const words = [process.execPath, GENERATOR, url, '/path', fields, '2', '0.3'];
  const [, report = ''] = /^report (.+)$/m.exec(await runOk(words)) ?? [];
  return JSON.parse(report);
}
