import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseBase } from '../../../src/upstream/base-url.ts';
import { abortable, withDeadline } from '../../../src/upstream/deadline.ts';
import { ExchangeError } from '../../../src/upstream/errors.ts';
import { outcomeOfStatus, silentEvents } from '../../../src/upstream/events.ts';
import { failedBody, failedRequest } from '../../../src/upstream/http-failure.ts';
import { realmHostSet } from '../../../src/upstream/realm.ts';
import { retrying } from '../../../src/upstream/retry.ts';
import { parseRetryAfter } from '../../../src/upstream/retry-after.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { rejectsWithCode, throwsWithCode } from '../../support/reject-with-code.ts';

const NOW = Date.parse('2026-11-23T08:00:00Z');

describe('parseRetryAfter', () => {
  const rows: readonly (readonly [string | undefined, number | undefined])[] = [
    [undefined, undefined],
    ['', undefined],
    ['0', 0],
    ['120', 120],
    ['99999999999999999999', 86_400],
    ['-1', undefined],
    ['1.5', undefined],
    ['Mon, 23 Nov 2026 08:00:30 GMT', 30],
    ['Monday, 23-Nov-26 08:00:30 GMT', 30],
    ['Mon, 23 Nov 2026 07:00:00 GMT', 0],
    ['Mon, 23 Nov 2099 07:00:00 GMT', 86_400],
    ['Mon, 99 Nov 2026 07:00:00 GMT', undefined],
    ['2026', 2026],
    ['soon', undefined],
    ['1'.repeat(100), undefined],
  ];
  for (const [value, expected] of rows) {
    it(`reads ${value?.slice(0, 40)} as ${expected}`, () => {
      assert.equal(parseRetryAfter(value, NOW), expected);
    });
  }

  it('gives a whole number of seconds within a day, or nothing', () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        const seconds = parseRetryAfter(value, NOW) ?? 0;
        assert.ok(Number.isInteger(seconds) && seconds >= 0 && seconds <= 86_400);
      }),
    );
  });
});

describe('outcomeOfStatus', () => {
  const rows = [
    [200, false, 'ok'],
    [307, true, 'redirected'],
    [401, false, 'ok'],
    [401, true, 'unauthorized'],
    [403, false, 'unauthorized'],
    [404, false, 'missing'],
    [429, false, 'rate_limited'],
    [400, false, 'client_error'],
    [500, true, 'server_error'],
  ] as const;
  for (const [status, hadAuthorization, expected] of rows) {
    it(`calls ${status} ${hadAuthorization ? 'with' : 'without'} login ${expected}`, () => {
      assert.equal(outcomeOfStatus(status, hadAuthorization), expected);
    });
  }

  it('can be told to nobody', () => {
    silentEvents.request('x', 'ok');
    silentEvents.bytes('x', 1);
    silentEvents.rateLimitRemaining('x', 1);
  });
});

describe('network failures', () => {
  const coded = (code: unknown): Error => Object.assign(new Error('with a secret'), { code });
  const rows = [
    ['ECONNREFUSED', 'unreachable', true],
    ['ENOTFOUND', 'unreachable', false],
    ['CERT_HAS_EXPIRED', 'unreachable', false],
    ['UND_ERR_CONNECT_TIMEOUT', 'timed_out', true],
    ['UND_ERR_HEADERS_TIMEOUT', 'timed_out', false],
    ['HPE_INVALID_CONSTANT', 'broken_off', false],
    ['SOMETHING_NEW', 'unreachable', false],
    ['not a code', 'unreachable', false],
    [42, 'unreachable', false],
  ] as const;
  for (const [code, expected, isTransient] of rows) {
    it(`takes ${code} for ${expected}`, () => {
      const error = failedRequest(coded(code), 'r.test');
      assert.deepEqual([error.code, error.isTransient], [expected, isTransient]);
      assert.ok(!error.message.includes('secret'));
    });
  }

  it('in a body are broken off or timed out', () => {
    assert.equal(failedBody(coded('ECONNRESET'), 'r.test').code, 'broken_off');
    assert.equal(failedBody(coded('UND_ERR_BODY_TIMEOUT'), 'r.test').code, 'timed_out');
    assert.equal(failedBody('no error at all', 'r.test').detail['networkCode'], 'UNKNOWN');
    const known = new ExchangeError('timed_out', 'x');
    assert.equal(failedBody(known, 'r.test'), known);
  });
});

describe('withDeadline', () => {
  it('fails work that goes on too long, and only that', async () => {
    const clock = new FakeClock();
    const endless = withDeadline({ clock, timeoutMs: 1000 }, () => new Promise(() => undefined));
    clock.advance(999);
    clock.advance(1);
    await rejectsWithCode(endless, ExchangeError, 'timed_out');
    let kept: AbortSignal | undefined;
    const value = await withDeadline({ clock, timeoutMs: 1000 }, async (signal) => {
      kept = signal;
      return 7;
    });
    clock.advance(5000);
    assert.equal(value, 7);
    assert.equal(kept?.aborted, false);
  });

  it('does not begin when the signal has fired', async () => {
    const reason = new Error('enough');
    const signal = AbortSignal.abort(reason);
    const work = (): never => assert.fail('began');
    const call = withDeadline({ clock: new FakeClock(), timeoutMs: 1, signal }, work);
    await assert.rejects(call, (error) => error === reason);
    await assert.rejects(abortable(Promise.resolve(1), signal), (error) => error === reason);
  });
});

describe('retrying', () => {
  it('stops pausing when the signal fires', async () => {
    const reason = new Error('enough');
    const controller = new AbortController();
    const policy = { tries: 3, baseDelayMs: 1000 };
    const options = { policy, clock: new FakeClock(), signal: controller.signal };
    const transient = new ExchangeError('unreachable', 'x', { isTransient: true });
    const call = retrying(() => Promise.reject(transient), options);
    setImmediate(() => controller.abort(reason));
    await assert.rejects(call, (error) => error === reason);
  });

  it('gives up with a failure that nobody round it tries again', async () => {
    const options = { policy: { tries: 1, baseDelayMs: 1 }, clock: new FakeClock() };
    const detail = { host: 'r.test' };
    const transient = new ExchangeError('server_error', 'x', {
      isTransient: true,
      detail,
      retryAfterSeconds: 3,
    });
    const call = retrying(() => Promise.reject(transient), options);
    const error = await rejectsWithCode(call, ExchangeError, 'server_error');
    assert.equal(error.isTransient, false);
    assert.equal(error.retryAfterSeconds, 3);
    assert.deepEqual(error.detail, detail);
  });
});

describe('configured names', () => {
  it('are compared in one form', () => {
    const hosts = realmHostSet(['Auth.Example.com', 'a.test:443', 'a.test:5001', 'no host']);
    assert.deepEqual([...hosts], ['auth.example.com', 'a.test', 'a.test:5001', 'no host']);
  });

  for (const url of [
    '',
    'registry.test',
    'ftp://registry.test',
    'https://u@r.test',
    'https://:p@r.test',
  ]) {
    it(`are refused as an upstream URL: ${JSON.stringify(url)}`, () => {
      throwsWithCode(() => parseBase(url), ExchangeError, 'unexpected');
    });
  }

  it('lose query, fragment and trailing slashes as an upstream URL', () => {
    assert.equal(parseBase('https://r.test/a//?x=1#y').href, 'https://r.test/a');
  });
});
