import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runCommandLine } from '../../../src/cli/program.ts';
import { PinnaceProcess } from '../../support/pinnace-process.ts';

const COMMANDS = [
  [],
  ['serve'],
  ['check-config'],
  ['resolve'],
  ['trust'],
  ['trust', 'show'],
  ['trust', 'reset'],
  ['trust', 'reset-clock'],
];

const WRONG: readonly (readonly [words: readonly string[], says: string])[] = [
  [[], 'Usage: pinnace'],
  [['bogus'], "unknown command 'bogus'"],
  [['trust'], 'Usage: pinnace trust'],
  [['trust', 'bogus'], "unknown command 'bogus'"],
  [['resolve'], "missing required argument 'image'"],
  [['resolve', 'a', 'b'], 'too many arguments'],
  [['serve', '--conifg', 'x'], '--config'],
  [['resolve', 'Not An Image', '--config', '/nonexistent'], 'is not an image reference'],
  [['trust', 'show', 'team/app:1', '--config', '/nonexistent'], 'is not a repository name'],
  [['trust', 'reset', 'team/app'], '--reason'],
  [['trust', 'reset', 'team/app', '--reason', ' '], 'Say why'],
  [['trust', 'reset-clock'], '--reason'],
  [['check-config'], 'check-config needs the file'],
];

describe('the command line', () => {
  it('explains every command', async () => {
    for (const ended of await runAll(COMMANDS.map((words) => [...words, '--help']))) {
      assert.deepEqual([ended.code, ended.stderr], [0, '']);
      assert.match(ended.stdout, /^Usage: pinnace/);
    }
  });

  it('says its version, in the process too', async () => {
    for (const ended of [await run('--version'), await PinnaceProcess.run('--version')]) {
      assert.equal(ended.code, 0);
      assert.match(ended.stdout, /^\d+\.\d+\.\d+\n$/);
    }
  });

  it('says what is wrong with a command line, and ends with 64', async () => {
    const ends = await runAll(WRONG.map(([words]) => words));
    for (const [index, { code, stdout, stderr }] of ends.entries()) {
      const [words, says] = WRONG[index] ?? [];
      assert.deepEqual([code, stdout], [64, ''], words?.join(' '));
      assert.ok(stderr.includes(says ?? ''), stderr);
      assert.equal(/\n +at /.test(stderr), false, stderr);
    }
  });

  it('says that a configuration cannot be read, and ends with 1', async () => {
    const ends = await runAll([
      ['serve', '--config', '/nonexistent.yaml'],
      ['check-config', '/nonexistent.yaml'],
      ['resolve', 'alpine', '-c', '/nonexistent.yaml'],
      ['trust', 'show', 'alpine', '-c', '/nonexistent.yaml'],
      ['trust', 'reset', 'alpine', '--reason', 'x', '-c', '/nonexistent.yaml'],
      ['trust', 'reset-clock', '--reason', 'x', '-c', '/nonexistent.yaml'],
    ]);
    for (const { code, stdout, stderr } of ends) {
      assert.deepEqual([code, stdout], [1, '']);
      assert.match(stderr, /^\/nonexistent.yaml has a problem:\n[\s\S]*does not exist\n$/);
    }
  });
});

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(...words: readonly string[]): Promise<Ended> {
  const kept = { stdout: '', stderr: '' };
  const code = await runCommandLine(words, {
    stdout: { write: (text: string) => (kept.stdout += text) },
    stderr: { write: (text: string) => (kept.stderr += text) },
    env: {},
  });
  return { code, ...kept };
}

async function runAll(lines: readonly (readonly string[])[]): Promise<readonly Ended[]> {
  return await Promise.all(lines.map((words) => run(...words)));
}
