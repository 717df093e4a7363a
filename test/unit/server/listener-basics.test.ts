import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:https';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { type Digest, parseDigest } from '../../../src/oci/digest.ts';
import { BypassWatch } from '../../../src/server/bypass-watch.ts';
import { HttpHost } from '../../../src/server/http-host.ts';
import { RefusalHistory } from '../../../src/server/refusal-history.ts';
import { timeLeft } from '../../../src/server/status-page.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { RegistryUnderTest } from '../../support/registry-under-test.ts';
import { issueServerCertificate, makeTestCa } from '../../support/x509.ts';

const NOW = Date.parse('2026-11-23T00:00:00Z');

describe('HttpHost', () => {
  it('speaks TLS with the certificate it is given', async () => {
    const ca = makeTestCa();
    const { certPem: cert, keyPem: key } = issueServerCertificate(ca, ['localhost']);
    const host = new HttpHost({
      host: '127.0.0.1',
      port: 0,
      tls: { cert, key },
      clock: systemClock,
      onRequest: (_request, response) => response.end('over TLS'),
    });
    const { port } = await host.start();
    const outgoing = request({ host: 'localhost', port, ca: ca.certPem, agent: false });
    outgoing.end();
    const [incoming] = await once(outgoing, 'response');
    assert.equal((await incoming.toArray()).join(''), 'over TLS');
    await host.stop({ drainMs: 0 });
  });

  it('rejects when the port is taken, and can be stopped without having started', async () => {
    await using registry = await new RegistryUnderTest().start();
    const options = { host: '127.0.0.1', clock: systemClock, onRequest: () => undefined };
    const taken = new HttpHost({ ...options, port: registry.port });
    await assert.rejects(taken.start(), { code: 'EADDRINUSE' });
    await taken.stop({ drainMs: 0 });
  });

  it('takes no more connections than it may', async () => {
    const host = new HttpHost({
      ...{ host: '127.0.0.1', port: 0, clock: systemClock, limits: { maxConnections: 1 } },
      onRequest: (_request, response) => response.end('x'),
    });
    const { port } = await host.start();
    const first = connect(port, '127.0.0.1');
    first.write('GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(first, 'data');
    const second = connect(port, '127.0.0.1');
    second.on('error', () => undefined);
    await once(second, 'close');
    first.destroy();
    await host.stop({ drainMs: 0 });
  });

  it('warns at the start of a listener that engines would go round', async () => {
    await using registry = await new RegistryUnderTest().start();
    assert.equal(registry.logged('listener.warning').length, 1);
    await using hardStop = await new RegistryUnderTest({ refusal: 'hard-stop' }).start();
    assert.equal(hardStop.logged('listener.warning').length, 0);
  });
});

describe('BypassWatch', () => {
  it('forgets the oldest refusals beyond its limit', () => {
    const watch = new BypassWatch({ clock: new FakeClock(), maxEntries: 2 });
    const digest = parseDigest(`sha256:${'a'.repeat(64)}`);
    const clients = ['10.0.0.1', '10.0.0.2', '10.0.0.3'];
    const refused = { tag: 'latest', reason: 'tag_not_signed' } as const;
    for (const client of clients) watch.noteRefusedTag({ client, repository: 'r' }, refused);
    const found = clients.map(
      (client) =>
        watch.suspect({ client, repository: 'r' }, { digest, listener: 'hub' })?.refusedTag,
    );
    assert.deepEqual(found, [undefined, 'latest', 'latest']);
    assert.equal(watch.isIdle, true);
  });

  it('knows what served manifests name, those within an index too, and looks through each once', () => {
    const watch = new BypassWatch({ clock: new FakeClock() });
    const suspect = { client: '10.0.0.1', repository: 'r' };
    const [index, child, config, other] = [...'abcd'].map((each) =>
      parseDigest(`sha256:${each.repeat(64)}`),
    );
    assert.ok(index && child && config && other);
    watch.noteRefusedTag(suspect, { tag: 'edge', reason: 'tag_not_signed' });
    const isSuspect = (digest: Digest): boolean =>
      watch.suspect(suspect, { digest, listener: 'hub' }) !== undefined;
    watch.noteServed(suspect, index, Buffer.from(`{"manifests":[{"digest":"${child}"}]}`));
    assert.equal(isSuspect(child), false);
    watch.noteServed(suspect, child, Buffer.from(`{"config":{"digest":"${config}"}}`));
    assert.equal(isSuspect(config), false);
    // A digest has one content only, so it need not be read again.
    watch.noteServed(suspect, child, Buffer.from(`{"config":{"digest":"${other}"}}`));
    assert.equal(isSuspect(other), true);
  });

  it('lists the last suspected bypasses, newest first, and no more than its limit', () => {
    const clock = new FakeClock();
    const watch = new BypassWatch({ clock, maxListed: 2 });
    const digest = parseDigest(`sha256:${'a'.repeat(64)}`);
    for (const client of ['10.0.0.1', '10.0.0.2', '10.0.0.3']) {
      const suspect = { client, repository: 'docker.io/library/alpine' };
      watch.noteRefusedTag(suspect, { tag: 'edge', reason: 'tag_not_signed' });
      clock.advance(1000);
      watch.suspect(suspect, { digest, listener: 'hub' });
      // Judged again it is no news.
      watch.suspect(suspect, { digest, listener: 'hub' });
    }
    assert.deepEqual(
      watch.listed.map(({ client }) => client),
      ['10.0.0.3', '10.0.0.2'],
    );
    assert.deepEqual(watch.listed[0], {
      at: clock.now(),
      client: '10.0.0.3',
      listener: 'hub',
      repository: 'docker.io/library/alpine',
      refusedTag: 'edge',
      reason: 'tag_not_signed',
      digest,
    });
  });
});

describe('RefusalHistory', () => {
  it('keeps the last five refusals of the last repositories', () => {
    const history = new RefusalHistory();
    for (let index = 0; index < 600; index += 1) {
      const entry = { at: index, reference: 'x', message: 'm', decision: String(index) };
      history.add(`r${index}`, { ...entry, reason: 'no_rule' });
      history.add('always', { ...entry, reason: 'no_rule' });
    }
    assert.equal(history.repositories().length, 512);
    assert.deepEqual(
      history.of('always').map((refusal) => refusal.at),
      [599, 598, 597, 596, 595],
    );
    assert.deepEqual(history.of('r0'), []);
  });
});

describe('timeLeft', () => {
  const rows: readonly (readonly [string, string])[] = [
    ['2026-11-23T00:00:09Z', 'in 9 s'],
    ['2026-11-23T00:12:00Z', 'in 12 min'],
    ['2026-11-23T05:30:00Z', 'in 5 h 30 min'],
    ['2026-11-26T04:00:00Z', 'in 3 d 4 h'],
    ['2027-11-23T04:00:00Z', 'in 365 d'],
    ['2026-11-22T23:00:00Z', '1 h 0 min ago'],
    ['nonsense', 'at an unknown time'],
  ];
  for (const [at, expected] of rows) {
    it(`says ${expected}`, () => assert.equal(timeLeft(at, NOW), expected));
  }
});
