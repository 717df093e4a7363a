import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, it } from 'node:test';
import { runProgram } from '../../../src/cli/doctor-program.ts';

const RUN = { env: {}, timeoutMs: 30_000, signal: new AbortController().signal };
const node = (script: string): [string, ...string[]] => [process.execPath, '-e', script];

describe('runProgram', () => {
  it('gives back how it ended and what it printed', async () => {
    const end = await runProgram(
      node("console.log('out');console.error('err');process.exit(3)"),
      RUN,
    );
    assert.deepEqual(end, { how: 'ended', code: 3, stdout: 'out\n', stderr: 'err\n' });
  });

  it('hands words on as they are: there is no shell', async () => {
    const words = ['$(id)', '; rm -rf /', '*', ''];
    const end = await runProgram(
      [...node('console.log(JSON.stringify(process.argv.slice(1)))'), ...words],
      RUN,
    );
    assert.deepEqual(JSON.parse(end.stdout), words);
  });

  it('gives it the environment with content trust off, and no input', async () => {
    const script =
      "console.log(process.env.DOCKER_CONTENT_TRUST, process.env.A, require('fs').readFileSync(0).length)";
    const env = { A: 'b', DOCKER_CONTENT_TRUST: '1' };
    const end = await runProgram(node(script), { ...RUN, env });
    assert.equal(end.stdout, '0 b 0\n');
  });

  it('says that a program is missing', async () => {
    const end = await runProgram(['/nonexistent/docker', 'info'], RUN);
    assert.deepEqual([end.how, end.code], ['missing', undefined]);
  });

  it('ends it at the time limit', async () => {
    const end = await runProgram(node('setInterval(() => {}, 1000)'), { ...RUN, timeoutMs: 50 });
    assert.deepEqual([end.how, end.code], ['late', undefined]);
  });

  it('ends it when it is stopped, and does not begin when it was', async () => {
    const abort = new AbortController();
    const running = runProgram(node('setInterval(() => {}, 1000)'), {
      ...RUN,
      signal: abort.signal,
    });
    abort.abort();
    assert.equal((await running).how, 'stopped');
    const never = await runProgram(node("console.log('begun')"), { ...RUN, signal: abort.signal });
    assert.deepEqual([never.how, never.stdout], ['stopped', '']);
  });

  it('keeps the end of what is said on standard error', async () => {
    const script = "process.stderr.write('x'.repeat(200000) + 'the reason')";
    const { stderr } = await runProgram(node(script), RUN);
    assert.equal(stderr.length, 64 * 1024);
    assert.ok(stderr.endsWith('the reason'));
  });

  it('keeps no more than a part of what is printed', async () => {
    const script =
      "const x = 'x'.repeat(1 << 20); for (let i = 0; i < 24; i += 1) process.stdout.write(x)";
    const { stdout, how } = await runProgram(node(script), RUN);
    assert.equal(how, 'ended');
    assert.ok(stdout.length < 17 * 1024 * 1024, String(stdout.length));
  });

  it('leaves no listener behind', async () => {
    const { signal } = new AbortController();
    await runProgram(node(''), { ...RUN, signal });
    assert.equal(getEventListeners(signal, 'abort').length, 0);
  });
});
