import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { CodedError } from '../../../src/base/coded-error.ts';
import { errorFields, LOG_EVENTS, Log } from '../../../src/observe/log.ts';
import { scrubText } from '../../../src/observe/scrub.ts';
import { refusalFor } from '../../support/fake-pull-service.ts';
import { RegistryUnderTest } from '../../support/registry-under-test.ts';

class SampleError extends CodedError<'sample'> {}

function logInto(lines: string[], level?: 'debug' | 'warn'): Log {
  const sink = { write: (line: string) => lines.push(line) };
  return level === undefined ? new Log(sink) : new Log(sink, { level });
}

const REQUEST = {
  requestId: 'a-1',
  listener: 'hub',
  method: 'GET',
  kind: 'manifest_tag',
  status: 200,
  durationMs: 1.23456,
  bytes: 10,
} as const;

describe('the log', () => {
  it('writes JSON lines with time, level and a stable event', () => {
    const lines: string[] = [];
    logInto(lines).event('trust.changed', { trust: 'corp', repository: 'docker.io/a/b' });
    const line = JSON.parse(lines[0] ?? '');
    assert.equal(line.level, 'info');
    assert.equal(line.event, 'trust.changed');
    assert.equal(line.repository, 'docker.io/a/b');
    assert.ok(!Number.isNaN(Date.parse(line.time)));
    assert.ok(lines[0]?.endsWith('\n'));
  });

  it('gives requests a level by their verdict, or the one of the reason', () => {
    const lines: string[] = [];
    const log = logInto(lines);
    log.request({ ...REQUEST, verdict: 'pinned' });
    log.request({ ...REQUEST, verdict: 'refused' });
    log.request({ ...REQUEST, verdict: 'failed' });
    log.request({ ...REQUEST, verdict: 'refused', level: 'info' });
    const levels = lines.map((line) => JSON.parse(line).level);
    assert.deepEqual(levels, ['info', 'warn', 'error', 'info']);
    assert.equal(JSON.parse(lines[0] ?? '').durationMs, 1.235);
  });

  it('writes nothing below its level', () => {
    const lines: string[] = [];
    const log = logInto(lines, 'warn');
    log.request({ ...REQUEST, verdict: 'pinned' });
    log.event('server.started');
    log.event('bypass.suspected');
    assert.equal(lines.length, 1);
  });

  it('tells class, code and causes of an error, and the stack only of unforeseen ones', () => {
    const cause = new Error('root cause');
    const coded = errorFields(new SampleError('sample', 'on purpose', { cause }));
    assert.equal(coded['errorCode'], 'sample');
    assert.deepEqual(coded['errorCauses'], ['Error: root cause']);
    assert.equal(coded['stack'], undefined);
    assert.ok(Array.isArray(errorFields(new TypeError('defect'))['stack']));
    assert.equal(errorFields('text')['errorMessage'], 'text');
  });

  it('has one place where each event is declared', async () => {
    const source = new URL('../../../src/', import.meta.url);
    const files = (await readdir(source, { recursive: true })).filter((file) =>
      file.endsWith('.ts'),
    );
    for (const file of files) {
      const text = await readFile(new URL(file, source), 'utf8');
      for (const [, event = ''] of text.matchAll(/log\.(?:event|failure)\(\s*'([^']+)'/g)) {
        assert.ok(Object.hasOwn(LOG_EVENTS, event), `${file}: ${event}`);
      }
    }
  });
});

describe('scrubText', () => {
  const rows: readonly (readonly [string, string, string])[] = [
    ['URL user-info', 'GET https://user:hunter2@host/x failed', 'GET https://host/x failed'],
    ['query strings', 'https://cdn/x?sig=abc&exp=1 gone', 'https://cdn/x?… gone'],
    ['bearer tokens', 'sent Bearer abcdefghijklmnop.qrs', 'sent Bearer …'],
    ['basic credentials', 'Basic dXNlcjpodW50ZXIy sent', 'Basic … sent'],
    ['named secrets', 'password=hunter2 and more', 'password=… and more'],
    ['JSON members', '{"access_token":"abc"}', '{"access_token":"…"}'],
    ['control characters', 'a\nb\u001b[31mc', 'a\ufffdb\ufffd[31mc'],
  ];
  for (const [name, text, expected] of rows) {
    it(`removes ${name}`, () => assert.equal(scrubText(text), expected));
  }

  it('leaves digests and names alone', () => {
    const text = `docker.io/library/alpine@sha256:${'a'.repeat(64)} expired 2026-11-20T00:00:00Z`;
    assert.equal(scrubText(text), text);
    assert.equal(scrubText('basic authentication failed'), 'basic authentication failed');
  });

  it('never gives more than asked, nor control characters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 3000 }), (text) => {
        const scrubbed = scrubText(text, 100);
        assert.ok(scrubbed.length <= 100);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: their absence is what is tested
        assert.ok(!/[\u0000-\u001f\u007f]/.test(scrubbed));
      }),
    );
  });
});

describe('secrets', () => {
  it('planted in every input of a listener never reach the log', async () => {
    const canary = 'c4n4ry';
    const secret = `${canary}-abcdefghijklmnop`;
    await using registry = await new RegistryUnderTest({
      relay: {
        authorization: async () => `Bearer ${secret}`,
        originOf: () => ({ url: new URL(`http://user:${secret}@127.0.0.1:9/`) }),
      },
    }).start();
    const repository = 'docker.io/library/alpine';
    registry.pulls.addTag(repository, 'good', { body: '{}' });
    registry.pulls.leaveUnverified('docker.io/library/relayed');
    const cause = `token request to https://u:${secret}@auth/token?access_token=${secret} failed`;
    const facts = { token: secret };
    registry.pulls.refuseTag(repository, 'bad', refusalFor('internal', { cause, facts }));
    const headers = {
      Authorization: `Bearer ${secret}`,
      Cookie: `session=${secret}`,
      'Proxy-Authorization': `Basic ${secret}`,
      'X-Api-Key': secret,
      Referer: `https://x/?token=${secret}`,
      'User-Agent': `engine/1 (https://user:${secret}@host/?key=${secret}) Bearer ${secret}`,
    };
    for (const path of [
      `/v2/?token=${secret}`,
      `/v2/library/alpine/manifests/good?token=${secret}`,
      `/v2/library/alpine/manifests/bad?token=${secret}`,
      `/v2/library/alpine/manifests/-?token=${secret}`,
      `/v2/library/alpine/tags/list?n=${secret}`,
      `/v2/library/relayed/manifests/x?token=${secret}`,
      `/elsewhere?token=${secret}`,
    ]) {
      await registry.get(path, { headers });
    }
    registry.pulls.defect = new Error(cause);
    await registry.get('/v2/library/alpine/manifests/good', { headers });
    await registry.get('/v2/library/alpine/blobs/uploads/', {
      method: 'POST',
      headers,
      body: secret,
    });
    assert.equal(registry.logged('request').length, 9);
    assert.equal(registry.logged('relay.failed').length, 1);
    assert.equal(registry.logged('request.failed').length, 1);
    assert.ok(!registry.lines.join('').includes(canary), registry.lines.join(''));
    assert.ok(!(await registry.metrics.render()).includes(canary));
  });
});
