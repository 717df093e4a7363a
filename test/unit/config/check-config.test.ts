import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkConfig } from '../../../src/cli/check-config.ts';
import type { ReadFile } from '../../../src/config/read-file.ts';
import { GOOD } from './loading.ts';

interface Run {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
}

async function run(yaml: string, path: string | undefined = 'pinnace.yaml'): Promise<Run> {
  const printed = { out: '', err: '' };
  const readFile: ReadFile = async () => Buffer.from(yaml);
  const exitCode = await checkConfig(path, {
    stdout: { write: (text: string) => (printed.out += text) },
    stderr: { write: (text: string) => (printed.err += text) },
    env: {},
    readFile,
  });
  return { exitCode, ...printed };
}

test('a usable file: exit 0, what it sets up on stdout', async () => {
  const { exitCode, out, err } = await run(GOOD);
  assert.equal(exitCode, 0);
  assert.equal(err, '');
  assert.match(out, /^pinnace\.yaml is OK\n/);
  assert.match(out, /registry \(127\.0\.0\.1:5000, deny\)/);
});

test('a file with warnings is usable and shows them', async () => {
  const { exitCode, out } = await run(GOOD.replace('https://notary.example.com', 'http://[::1]:1'));
  assert.equal(exitCode, 0);
  assert.match(out, /1 warning:\n\n {2}1\. trust\.corp\.url \(line 9\)/);
});

test('a file with problems: exit 1, all of them on stderr', async () => {
  const { exitCode, out, err } = await run(
    GOOD.replace('data:', 'dat:').replace('/**", trust: corp', '", trust: x'),
  );
  assert.equal(exitCode, 1);
  assert.equal(out, '');
  for (const path of ['data', 'dat (line 1)', 'policy[0].trust'])
    assert.ok(err.includes(path), err);
});

test('no file named: exit 64', async () => {
  assert.equal((await run(GOOD, '')).exitCode, 64);
});

test('control characters from the file do not reach the terminal', async () => {
  const { err } = await run(`${GOOD}"\\e[31mred\\u202e": 1\n`);
  assert.equal(/\p{Cf}|\p{Cc}/u.test(err.replaceAll('\n', '')), false);
  assert.match(err, /\\u001b/);
});
