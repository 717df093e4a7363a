import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { hashSync } from 'bcryptjs';
import type { Admission } from '../../../src/auth/admission.ts';
import { AttemptLimiter, type AttemptLimits } from '../../../src/auth/attempt-limiter.ts';
import { BcryptThread, type PasswordComparer } from '../../../src/auth/bcrypt-thread.ts';
import { HtpasswdLogin, LoginMemory, type Users } from '../../../src/auth/htpasswd-login.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const ALICE = hashSync('wonderland', 4);
const USERS = new Map([
  ['alice', ALICE],
  ['bob', hashSync('builder', 5)],
]);
const HERE = '192.0.2.1';

/** Compares as the thread would, without one, and remembers what it was asked. */
class CountingComparer implements PasswordComparer {
  readonly hashes: string[] = [];
  isBusy = false;

  async matches(password: string, hash: string): Promise<boolean | undefined> {
    this.hashes.push(hash);
    await new Promise(setImmediate);
    if (this.isBusy) return undefined;
    return password === (hash === ALICE ? 'wonderland' : 'builder');
  }
}

function setUp(limits: Partial<AttemptLimits> = {}) {
  const clock = new FakeClock();
  const comparer = new CountingComparer();
  const reported: string[] = [];
  const limiter = new AttemptLimiter({
    clock,
    ...limits,
    onLimit: ({ address, username }) => reported.push(`${address} ${username}`),
  });
  const memory = new LoginMemory();
  const loginFor = (users: Users, source = 'staff'): HtpasswdLogin =>
    new HtpasswdLogin({ source, users, comparer, limiter, memory });
  let login = loginFor(USERS);
  /** As a reload does when the file has changed. */
  const use = (users: Users): void => {
    login = loginFor(users);
  };
  const ask = (username: string, password: string, address = HERE) =>
    login.check({ username, password }, address);
  const check = async (username: string, password: string, address = HERE): Promise<string> =>
    outcome(await ask(username, password, address));
  return { clock, comparer, loginFor, use, ask, check, reported };
}

function outcome(admission: Admission): string {
  return admission.verdict === 'admitted'
    ? `${admission.caller.source}/${admission.caller.name}`
    : admission.reason;
}

describe('HtpasswdLogin', () => {
  it('lets in the right password, and nothing else', async () => {
    const { check } = setUp();
    assert.equal(await check('alice', 'wonderland'), 'staff/alice');
    const wrong: readonly (readonly [string, string])[] = [
      ['alice', 'builder'],
      ['alice', ''],
      ['bob', 'wonderland'],
      ['Alice', 'wonderland'],
      ['mallory', 'builder'],
      ['', 'wonderland'],
    ];
    for (const [user, password] of wrong) {
      assert.equal(await check(user, password), 'client_unauthorized', `${user}:${password}`);
    }
  });

  it('asks bcrypt once for a login, and once for a crowd that begins together', async () => {
    const { check, comparer } = setUp({ perPair: 2 });
    const crowd = await Promise.all(
      Array.from({ length: 500 }, async () => await check('alice', 'wonderland')),
    );
    assert.deepEqual(new Set(crowd), new Set(['staff/alice']));
    assert.equal(await check('alice', 'wonderland'), 'staff/alice');
    assert.equal(comparer.hashes.length, 1);
  });

  it('is at hand at once the second time', async () => {
    const { ask, check } = setUp();
    await check('alice', 'wonderland');
    const again = ask('alice', 'wonderland');
    assert.equal(again instanceof Promise, false);
  });

  it('lets nobody in any more who is gone from the file, or has another password there', async () => {
    const { use, check } = setUp();
    assert.equal(await check('alice', 'wonderland'), 'staff/alice');
    use(new Map([['alice', hashSync('looking-glass', 4)]]));
    assert.equal(await check('alice', 'wonderland'), 'client_unauthorized');
    use(new Map([['bob', hashSync('builder', 4)]]));
    assert.equal(await check('alice', 'wonderland'), 'client_unauthorized');
    assert.equal(await check('bob', 'builder'), 'staff/bob');
  });

  it('is remembered when the file is read again, and only by the entry that knows the user', async () => {
    const { use, ask, check, loginFor } = setUp();
    await check('alice', 'wonderland');
    use(new Map(USERS));
    assert.equal(ask('alice', 'wonderland') instanceof Promise, false);
    const others = loginFor(USERS, 'guests').check(
      { username: 'alice', password: 'wonderland' },
      HERE,
    );
    assert.equal(outcome(await others), 'guests/alice');
  });

  it('spends on an unknown user what the slowest known one costs', async () => {
    const { check, comparer } = setUp();
    await check('mallory', 'x');
    assert.match(comparer.hashes[0] ?? '', /^\$2b\$05\$[./A-Za-z0-9]{53}$/);
  });

  it('says that it could not find out when bcrypt cannot be asked, and counts that against nobody', async () => {
    const { check, comparer } = setUp({ perPair: 1 });
    comparer.isBusy = true;
    for (let turn = 0; turn < 3; turn += 1) {
      assert.equal(await check('alice', 'wonderland'), 'client_check_unavailable');
    }
    comparer.isBusy = false;
    assert.equal(await check('alice', 'wonderland'), 'staff/alice');
  });
});

describe('guessing', () => {
  it('ends after ten tries for a user from an address, until the window is over', async () => {
    const { check, clock, reported } = setUp();
    for (let turn = 0; turn < 10; turn += 1) {
      assert.equal(await check('alice', `guess ${turn}`), 'client_unauthorized');
    }
    assert.equal(await check('alice', 'wonderland'), 'client_rate_limited');
    assert.equal(await check('alice', 'another guess'), 'client_rate_limited');
    assert.deepEqual(reported, [`${HERE} alice`], 'said once');
    clock.advance(300_000);
    assert.equal(await check('alice', 'wonderland'), 'staff/alice');
  });

  it('gains nothing by many tries at once', async () => {
    const { check } = setUp();
    const tries = Array.from({ length: 100 }, async (_, index) => await check('alice', `${index}`));
    const judged = (await Promise.all(tries)).filter((each) => each === 'client_unauthorized');
    assert.equal(judged.length, 10);
  });

  it('says when to try again', async () => {
    const { ask, check, clock } = setUp({ perPair: 1 });
    await check('alice', 'wrong');
    clock.advance(100_000);
    const limited = await ask('alice', 'wonderland');
    assert.equal(limited.verdict === 'rejected' && limited.retryAfterSeconds, 200);
  });

  const rows: readonly { name: string; limits: Partial<AttemptLimits>; tries: string[][] }[] = [
    {
      name: 'many users from one address',
      limits: { perAddress: 3 },
      tries: [
        ['a', HERE],
        ['b', HERE],
        ['c', HERE],
      ],
    },
    {
      name: 'many users from one IPv6 network',
      limits: { perAddress: 3 },
      tries: [
        ['a', '2001:db8:0:1::1'],
        ['b', '2001:db8::1:0:0:0:2'],
        ['c', '2001:db8:0:1:ffff:ffff:ffff:ffff'],
      ],
    },
    {
      name: 'one user from many addresses',
      limits: { perUser: 3 },
      tries: [
        ['bob', '192.0.2.7'],
        ['bob', '192.0.2.8'],
        ['bob', '192.0.2.9'],
      ],
    },
  ];
  for (const { name, limits, tries } of rows) {
    it(`ends for ${name}`, async () => {
      const { check } = setUp(limits);
      for (const [user = '', address] of tries) {
        assert.equal(await check(user, 'guess', address), 'client_unauthorized');
      }
      const address = limits.perUser === undefined ? tries[0]?.[1] : '203.0.113.1';
      assert.equal(await check('bob', 'builder', address), 'client_rate_limited');
      assert.equal(await check('alice', 'wonderland', '198.51.100.1'), 'staff/alice');
    });
  }

  it('of one node does not lock out the others behind its address', async () => {
    const { check, use } = setUp({ perAddress: 5 });
    assert.equal(await check('bob', 'builder'), 'staff/bob');
    for (let turn = 0; turn < 20; turn += 1) await check(`user-${turn}`, 'wrong');
    assert.equal(await check('mallory', 'wrong'), 'client_rate_limited');
    assert.equal(await check('bob', 'builder'), 'staff/bob', 'a remembered login');
    const renewed = new Map([...USERS, ['bob', hashSync('builder', 4)]] as const);
    use(renewed);
    assert.equal(await check('bob', 'builder'), 'staff/bob', 'a known user, compared anew');
  });
});

describe('BcryptThread', () => {
  const thread = (t: TestContext): BcryptThread => {
    const made = new BcryptThread();
    t.after(async () => await made.close());
    return made;
  };

  it('compares in turn, and lets the event loop run meanwhile', async (t) => {
    const bcrypt = thread(t);
    let turns = 0;
    const ticking = setInterval(() => {
      turns += 1;
    }, 1);
    const answers = await Promise.all([
      bcrypt.matches('wonderland', ALICE),
      bcrypt.matches('nonsense', ALICE),
      bcrypt.matches('x', hashSync('y', 10)),
    ]);
    clearInterval(ticking);
    assert.deepEqual(answers, [true, false, false]);
    assert.ok(turns > 2, `${turns} turns`);
  });

  it('finds no password for a hash that is none', async (t) => {
    assert.equal(await thread(t).matches('x', 'nonsense'), false);
  });

  it('takes no more than it can get through soon', async (t) => {
    const bcrypt = thread(t);
    const slow = hashSync('y', 8);
    const all = await Promise.all(
      Array.from({ length: 100 }, async () => await bcrypt.matches('x', slow)),
    );
    assert.equal(all.filter((each) => each === undefined).length, 35);
  });

  it('answers who waits, and nobody after, when it is closed', async () => {
    const bcrypt = new BcryptThread();
    const waiting = [bcrypt.matches('x', ALICE), bcrypt.matches('y', ALICE)];
    await bcrypt.close();
    assert.deepEqual(await Promise.all(waiting), [undefined, undefined]);
    assert.equal(await bcrypt.matches('wonderland', ALICE), undefined);
  });
});
