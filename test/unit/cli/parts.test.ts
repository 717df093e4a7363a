import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { systemFailureText } from '../../../src/cli/failure-text.ts';
import { Progress } from '../../../src/cli/progress.ts';
import { FakeClock } from '../../support/fake-clock.ts';

describe('Progress', () => {
  function terminal(isTTY?: boolean): {
    readonly lines: string[];
    progress: Progress;
    clock: FakeClock;
  } {
    const lines: string[] = [];
    const clock = new FakeClock();
    const write = (text: string): unknown => lines.push(text);
    const sink = isTTY === undefined ? { write } : { write, isTTY };
    return { lines, clock, progress: new Progress(sink, clock) };
  }

  it('tells a person what takes longer than a second', () => {
    const { lines, clock, progress } = terminal(true);
    progress.step('asking');
    clock.advance(999);
    assert.deepEqual(lines, []);
    clock.advance(1);
    assert.deepEqual(lines, ['asking ...\n']);
    clock.advance(10_000);
    assert.deepEqual(lines.slice(1), ['still asking (11 s) ...\n']);
    progress.step('fetching');
    clock.advance(1_000);
    assert.deepEqual(lines.slice(2), ['fetching ...\n']);
    progress.end();
    clock.advance(60_000);
    assert.equal(lines.length, 3);
  });

  for (const isTTY of [false, undefined]) {
    it(`is silent where nobody watches: ${isTTY}`, () => {
      const { lines, clock, progress } = terminal(isTTY);
      progress.step('asking');
      clock.advance(60_000);
      assert.deepEqual(lines, []);
    });
  }
});

describe('failures of the operating system', () => {
  for (const [name, facts, text] of [
    [
      'an address in use',
      { syscall: 'listen', code: 'EADDRINUSE', address: '127.0.0.1', port: 5000 },
      'cannot listen on 127.0.0.1:5000: another program uses that address, perhaps a Pinnace that still runs',
    ],
    [
      'IPv6',
      { syscall: 'listen', code: 'EADDRNOTAVAIL', address: '::1', port: 5000 },
      'cannot listen on [::1]:5000: this machine does not have that address',
    ],
    [
      'a host name',
      { syscall: 'getaddrinfo', code: 'ENOTFOUND', hostname: 'x.invalid' },
      'cannot listen on x.invalid: no address is known for that host name',
    ],
    ['anything else', { syscall: 'open', code: 'ENOSPC' }, 'as Node says it'],
    ['no failure of the system', {}, undefined],
  ] as const) {
    it(name, () => {
      assert.equal(systemFailureText(Object.assign(new Error('as Node says it'), facts)), text);
    });
  }
});
