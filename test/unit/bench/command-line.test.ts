import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readCommandLine } from '../../bench/command-line.ts';
import { PEER_PROGRAMS } from '../../bench/programs.ts';
import { SCENARIOS } from '../../bench/scenarios.ts';
import { runOk } from '../../e2e/support/process.ts';
import { TOP } from '../docs/references.ts';

describe('the command line of the bench', () => {
  it('takes what --help names', () => {
    const words = ['--quick', '--only', 'warm-tag', '--json', 'a.json', '--plots', 'b'];
    assert.deepEqual(readCommandLine(words), {
      kind: 'measure',
      wishes: { isQuick: true, only: ['warm-tag'], json: 'a.json', plots: 'b', docs: false },
    });
  });

  it('takes a soak with its rate', () => {
    assert.deepEqual(readCommandLine(['--soak', '60m', '--rate', '50', '--docs']), {
      kind: 'soak',
      soak: { seconds: 3600, requestsPerSecond: 50, json: undefined, plots: undefined, docs: true },
    });
  });

  const wrong = [
    ['--soak', '9s'],
    ['--soak', '60m', '--rate', '0'],
    ['--soak', '60m', '--rate', '1e3'],
    ['--only', 'nothing'],
    ['--unknown'],
    ['word'],
    ['--json'],
    ['--docs', '--only', 'warm-tag'],
  ];
  for (const words of wrong) {
    it(`refuses ${words.join(' ')}`, () => {
      const command = readCommandLine(words);
      assert.equal(command.kind === 'say' && command.exitCode, 64);
    });
  }

  it('starts, and names every scenario', async () => {
    const listed = await runOk([process.execPath, `${TOP}test/bench/main.ts`, '--list']);
    const names = listed.split('\n').map((line) => line.split(':')[0]);
    assert.deepEqual(
      names.slice(0, -1),
      SCENARIOS.map(({ name }) => name),
    );
    assert.match(await runOk([process.execPath, `${TOP}test/bench/main.ts`, '--help']), /--quick/);
  });
});

describe('every scenario', () => {
  it('has a name of its own', () => {
    const names = SCENARIOS.map(({ name }) => name);
    assert.equal(new Set(names).size, names.length);
  });

  for (const { name, question, needs, peers = [], budgets = [], limits = [] } of SCENARIOS) {
    it(`${name} is well-formed`, () => {
      assert.match(name, /^[a-z]+(?:-[a-z]+)*$/);
      assert.ok(question.length > 20 && !question.endsWith('.'), question);
      assert.ok(needs.every((program) => !['nginx', 'registry'].includes(program)));
      const known = new Set<string>([
        'upstream',
        'node:http',
        'one worker',
        ...peers.map((peer) => PEER_PROGRAMS[peer].name),
      ]);
      assert.deepEqual(
        budgets.filter(({ peer }) => !known.has(peer)),
        [],
      );
      assert.ok(
        [...budgets.map(({ atLeast }) => atLeast), ...limits.map(({ atMost }) => atMost)].every(
          (limit) => limit > 0,
        ),
      );
    });
  }
});
