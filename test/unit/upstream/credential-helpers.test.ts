import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { inspect } from 'node:util';
import { systemClock } from '../../../src/base/clock.ts';
import type { Credentials, Secret } from '../../../src/upstream/credentials.ts';
import {
  DockerConfigCredentials,
  type DockerLogin,
} from '../../../src/upstream/docker-config-credentials.ts';
import { ExchangeError } from '../../../src/upstream/errors.ts';
import { HelperCredentials } from '../../../src/upstream/helper-credentials.ts';
import { temporaryFolder } from '../../support/blob-doubles.ts';
import { CredentialHelpers } from '../../support/credential-helpers.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { rejectsWithCode } from '../../support/reject-with-code.ts';

const SERVER = '123456789012.dkr.ecr.eu-west-1.amazonaws.com';
const CANARY = 'canary-77c2';

async function helpersOf(context: TestContext): Promise<CredentialHelpers> {
  return new CredentialHelpers(join(await temporaryFolder(context), 'bin'));
}

function loginOf(helpers: CredentialHelpers, helper: string, clock = new FakeClock()): Credentials {
  return new HelperCredentials({ helper, server: SERVER, environment: helpers.environment, clock });
}

describe('credential helpers', () => {
  const clouds: readonly (readonly [
    string,
    (helpers: CredentialHelpers) => Promise<void>,
    Secret,
  ])[] = [
    [
      'ecr-login',
      (helpers) => helpers.writeEcr(CANARY),
      { kind: 'password', username: 'AWS', password: CANARY },
    ],
    [
      'gcr',
      (helpers) => helpers.writeGcr(CANARY),
      { kind: 'password', username: '_dcgcr_2_0_0_token', password: CANARY },
    ],
    ['acr-env', (helpers) => helpers.writeAcr(CANARY), { kind: 'refresh-token', token: CANARY }],
  ];
  for (const [name, write, expected] of clouds) {
    it(`asks ${name} with one argument, the server on its input and nothing else`, async (t) => {
      const helpers = await helpersOf(t);
      await write(helpers);
      assert.deepEqual(await loginOf(helpers, name).read('host'), expected);
      assert.deepEqual(await helpers.runs(name), [`1 get ${SERVER}`]);
      // The shell that stands in adds two of its own.
      const shell = new Set(['PATH', 'PWD', '_', 'SHLVL', 'OLDPWD']);
      assert.deepEqual(
        [...(await helpers.variables(name))].filter((each) => !shell.has(each)),
        [],
      );
    });
  }

  const failures: readonly (readonly [string, string, ExchangeError['code'], RegExp])[] = [
    [
      'has none',
      `echo 'credentials not found in native keychain'; exit 1`,
      'denied',
      /has no login for 123456789012/,
    ],
    ['has an empty one', `echo '{"Username":"AWS","Secret":""}'`, 'denied', /has no login for/],
    [
      'fails',
      `echo ${CANARY}; echo ${CANARY} >&2; exit 3`,
      'login_unavailable',
      /ended with status 3/,
    ],
    ['prints no JSON', `echo '{"Secret":"${CANARY}'`, 'login_unavailable', /did not print a login/],
    ['prints null', 'echo null', 'login_unavailable', /did not print a login/],
    ['prints no secret', 'echo {}', 'login_unavailable', /did not print a login/],
    [
      'prints a line end in it',
      `printf '%s' '{"Username":"AWS","Secret":"${CANARY}\\r\\nX: y"}'`,
      'login_unavailable',
      /did not print a login/,
    ],
    [
      'prints a user with a colon',
      `echo '{"Username":"A:B","Secret":"${CANARY}"}'`,
      'login_unavailable',
      /did not print a login/,
    ],
    ['prints too much', 'exec head -c 400000 /dev/zero', 'login_unavailable', /printed too much/],
    ['is killed', 'kill -9 $$', 'login_unavailable', /ended with status unknown/],
  ];
  for (const [what, commands, code, message] of failures) {
    it(`says so when one ${what}, and nothing that it printed`, async (t) => {
      const helpers = await helpersOf(t);
      await helpers.write('test', commands);
      const reading = loginOf(helpers, 'test').read('host');
      await rejectsWithCode(reading, ExchangeError, code);
      await assert.rejects(reading, message);
      await assert.rejects(reading, (error) => !inspect(error, { depth: 9 }).includes(CANARY));
    });
  }

  it('says so when there is no such program', async (t) => {
    const helpers = await helpersOf(t);
    const reading = loginOf(helpers, 'none').read('host');
    await rejectsWithCode(reading, ExchangeError, 'denied');
    await assert.rejects(reading, /docker-credential-none is not on the PATH/);
  });

  it('runs bare names only', async (t) => {
    const helpers = await helpersOf(t);
    await helpers.write('x/../y', 'echo {}');
    for (const name of ['x/../y', '', 'a b', '$(id)', 'a\0b']) {
      await rejectsWithCode(loginOf(helpers, name).read('host'), ExchangeError, 'denied');
    }
    assert.deepEqual(await helpers.runs('x/../y'), []);
  });

  it('ends one that does not answer, with all that it started', async (t) => {
    const helpers = await helpersOf(t);
    const clock = new FakeClock();
    await helpers.write('slow', 'sleep 300 &\necho $! > "$0.child"\necho $$ >> "$0.child"\nwait');
    const reading = loginOf(helpers, 'slow', clock).read('host');
    const pids = await until(
      () => helpers.children('slow'),
      (found) => found.length === 2,
    );
    clock.advance(30_000);
    await rejectsWithCode(reading, ExchangeError, 'login_unavailable');
    for (const pid of pids)
      await until(
        () => isAlive(pid),
        (alive) => !alive,
      );
  });

  it('runs once for many, keeps the answer for ten minutes, and a refused one no longer', async (t) => {
    const helpers = await helpersOf(t);
    const clock = new FakeClock();
    await helpers.writeEcr('one');
    const login = loginOf(helpers, 'ecr-login', clock);
    const read = await Promise.all(Array.from({ length: 20 }, () => login.read('host')));
    assert.equal(new Set(read).size, 1);
    clock.advance(9 * 60_000);
    const [kept] = read;
    assert.equal(await login.read('host'), kept);
    assert.equal((await helpers.runs('ecr-login')).length, 1);
    clock.advance(61_000);
    await helpers.writeEcr('two');
    const second = await login.read('host');
    assert.deepEqual(second, { kind: 'password', username: 'AWS', password: 'two' });
    // Refused at once it may be about one repository, and running the program for each would be easy to provoke.
    login.refused(second);
    assert.equal(await login.read('host'), second);
    clock.advance(10_000);
    if (kept !== undefined) login.refused(kept);
    assert.equal(await login.read('host'), second, 'an earlier one says nothing about this one');
    login.refused(second);
    assert.notEqual(await login.read('host'), second);
    assert.equal((await helpers.runs('ecr-login')).length, 3);
  });

  it('does not run again for five seconds after a failure', async (t) => {
    const helpers = await helpersOf(t);
    const clock = new FakeClock();
    await helpers.write('test', 'exit 1');
    const login = loginOf(helpers, 'test', clock);
    for (let turn = 0; turn < 3; turn += 1) await assert.rejects(login.read('host'));
    assert.equal((await helpers.runs('test')).length, 1);
    clock.advance(5_000);
    await assert.rejects(login.read('host'));
    assert.equal((await helpers.runs('test')).length, 2);
  });
});

describe('the login of a Docker configuration', () => {
  it('is what the file says now, through the helper that it names', async (t) => {
    const helpers = await helpersOf(t);
    await helpers.writeEcr('from helper');
    let now: DockerLogin | Error = { kind: 'password', username: 'ci', password: 'one' };
    const login = new DockerConfigCredentials(
      async () => {
        if (now instanceof Error) throw now;
        return now;
      },
      { server: SERVER, environment: helpers.environment, clock: systemClock },
    );
    assert.deepEqual(await login.read('host'), now);
    now = { kind: 'helper', helper: 'ecr-login' };
    const fromHelper = { kind: 'password', username: 'AWS', password: 'from helper' } as const;
    assert.deepEqual(await login.read('host'), fromHelper);
    assert.deepEqual(await login.read('host'), fromHelper);
    assert.equal((await helpers.runs('ecr-login')).length, 1);
    now = { kind: 'none' };
    await rejectsWithCode(login.read('host'), ExchangeError, 'denied');
    now = new Error(CANARY);
    const reading = login.read('host');
    await rejectsWithCode(reading, ExchangeError, 'denied');
    await assert.rejects(reading, (error) => !inspect(error, { depth: 9 }).includes(CANARY));
  });
});

/** Asks until the answer is the one waited for; programs of the machine have no clock to move. */
async function until<Value>(
  ask: () => Value | Promise<Value>,
  isIt: (value: Value) => boolean,
): Promise<Value> {
  for (;;) {
    const value = await ask();
    if (isIt(value)) return value;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Whether a process runs; one that has ended and waits for its parent to notice does not. */
function isAlive(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
}
