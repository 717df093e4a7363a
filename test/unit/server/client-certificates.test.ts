import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { describe, it } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { CertificateGate } from '../../../src/auth/certificate-gate.ts';
import type { HttpLimits } from '../../../src/server/http-limits.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { ociError, RegistryUnderTest, until } from '../../support/registry-under-test.ts';
import { askTls, keepAlive } from '../../support/tls-ask.ts';
import {
  type Certificate,
  type CertificateOptions,
  issueServerCertificate,
  makeCertificate,
  makeTestCa,
} from '../../support/x509.ts';

const SERVER_CA = makeTestCa('server CA');
const SERVER = issueServerCertificate(SERVER_CA, ['localhost']);
const CLIENT_CA = makeTestCa('client CA');
const STRANGE_CA = makeTestCa('client CA');
const PATH = '/v2/team/app/manifests/1';

function clientCertificate(options: Partial<CertificateOptions> = {}): Certificate {
  return makeCertificate({
    commonName: 'node-1',
    issuer: CLIENT_CA,
    extendedKeyUsages: ['clientAuth'],
    ...options,
  });
}

async function start(
  options: {
    nameFrom?: 'common-name' | 'dns-name';
    clock?: FakeClock;
    limits?: Partial<HttpLimits>;
  } = {},
): Promise<RegistryUnderTest> {
  const clock = options.clock ?? new FakeClock(new Date());
  const { nameFrom = 'common-name', limits = {} } = options;
  const registry = await new RegistryUnderTest({
    gate: new CertificateGate({ name: 'nodes', nameFrom, clock }),
    ...{ clock, limits },
    tls: { cert: SERVER.certPem, key: SERVER.keyPem, clientCa: CLIENT_CA.certPem },
  }).start();
  registry.pulls.addTag('docker.io/team/app', '1', { body: '{}' });
  return registry;
}

/** Who the listener says is asking with this certificate, or why it is nobody. */
async function callerOf(registry: RegistryUnderTest, client?: Certificate): Promise<string> {
  const shown = client === undefined ? {} : { client };
  const answer = await askTls(PATH, { port: registry.port, ca: SERVER_CA, ...shown });
  if (answer.status !== 200) return `${answer.status} ${ociError(answer).message.split('. ')[0]}`;
  return String(registry.logged('request').at(-1)?.['caller']);
}

describe('client certificates', () => {
  const good: readonly {
    name: string;
    of: Certificate;
    from: 'common-name' | 'dns-name';
    is: string;
  }[] = [
    { name: 'common name', of: clientCertificate(), from: 'common-name', is: 'nodes/node-1' },
    {
      name: 'DNS name',
      of: clientCertificate({ dnsNames: ['node-2.example.com'] }),
      from: 'dns-name',
      is: 'nodes/node-2.example.com',
    },
    {
      name: 'common name of one for any use',
      of: clientCertificate({ extendedKeyUsages: [] }),
      from: 'common-name',
      is: 'nodes/node-1',
    },
  ];
  for (const { name, of, from, is } of good) {
    it(`name their caller by ${name}`, async () => {
      await using registry = await start({ nameFrom: from });
      assert.equal(await callerOf(registry, of), is);
    });
  }

  const day = 86_400_000;
  const bad: readonly {
    name: string;
    of: Certificate | undefined;
    from?: 'dns-name';
    says: RegExp;
  }[] = [
    { name: 'none', of: undefined, says: /showed no client certificate/ },
    {
      name: 'one of another CA of the same name',
      of: clientCertificate({ issuer: STRANGE_CA }),
      says: /showed no client certificate that Pinnace accepts/,
    },
    {
      name: 'one that nobody signed',
      of: makeCertificate({ commonName: 'node-1' }),
      says: /showed no client certificate/,
    },
    {
      name: 'one for servers',
      of: clientCertificate({ extendedKeyUsages: ['serverAuth'] }),
      says: /showed no client certificate/,
    },
    {
      name: 'one that has expired',
      of: clientCertificate({
        notBefore: new Date(Date.now() - 2 * day),
        notAfter: new Date(Date.now() - day),
      }),
      says: /showed no client certificate/,
    },
    {
      name: 'one that is not valid yet',
      of: clientCertificate({ notBefore: new Date(Date.now() + day) }),
      says: /showed no client certificate/,
    },
    {
      name: 'one issued by the certificate of another client',
      of: clientCertificate({ issuer: clientCertificate() }),
      says: /showed no client certificate/,
    },
    {
      name: 'one without a DNS name',
      of: clientCertificate(),
      from: 'dns-name',
      says: /has no DNS name/,
    },
    {
      name: 'one with two DNS names',
      of: clientCertificate({ dnsNames: ['a.example', 'b.example'] }),
      from: 'dns-name',
      says: /has no DNS name that could be a name/,
    },
    {
      name: 'one whose DNS name hides another',
      of: clientCertificate({ dnsNames: ['a.example, DNS:b.example'] }),
      from: 'dns-name',
      says: /has no DNS name that could be a name/,
    },
    {
      name: 'one with a name that means a group',
      of: clientCertificate({ commonName: '@web' }),
      says: /has no common name that could be a name/,
    },
    {
      name: 'one with a name that means everybody',
      of: clientCertificate({ commonName: '*' }),
      says: /has no common name that could be a name/,
    },
  ];
  for (const { name, of, from, says } of bad) {
    it(`are refused with words and without a question: ${name}`, async () => {
      await using registry = await start(from === undefined ? {} : { nameFrom: from });
      const caller = await callerOf(registry, of);
      assert.match(caller, /^403 /);
      assert.match(caller, says);
    });
  }

  it('cannot give a name by what only looks like a second one', async () => {
    await using registry = await start();
    const caller = await callerOf(registry, clientCertificate({ commonName: 'node-1\nCN=root' }));
    assert.notEqual(caller, 'nodes/root');
    assert.notEqual(caller, 'nodes/node-1');
  });

  it('count no longer than they are valid, on a connection that lasts', async () => {
    const clock = new FakeClock(new Date());
    await using registry = await start({
      clock,
      limits: { keepAliveTimeoutMs: 5 * day, idleTimeoutMs: 5 * day },
    });
    const client = clientCertificate({ notAfter: new Date(Date.now() + day) });
    const agent = keepAlive();
    const ask = async () =>
      await askTls(PATH, { port: registry.port, ca: SERVER_CA, client, agent });
    assert.equal((await ask()).status, 200);
    clock.advance(2 * day);
    const late = await ask();
    assert.equal(late.status, 403);
    assert.match(ociError(late).message, /certificate of the engine has expired/);
    agent.destroy();
  });

  it('follow a change of the client CA: idle connections go, busy ones with their next answer', async () => {
    await using registry = await start();
    const { port } = registry;
    const client = clientCertificate();
    const agent = keepAlive();
    const digest = registry.pulls.addBlob('docker.io/team/app', Buffer.from('layer'), {
      hangs: true,
    });
    await askTls(PATH, { port, ca: SERVER_CA, client, agent });
    const [sockets = []] = Object.values(agent.freeSockets);
    const gone = once(sockets[0] ?? new EventEmitter(), 'close');
    const busy = connectTls({
      ...{ host: 'localhost', port, ca: SERVER_CA.certPem },
      ...{ cert: client.certPem, key: client.keyPem },
    });
    await once(busy, 'secureConnect');
    busy.write(`GET /v2/team/app/blobs/${digest} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await until(() => registry.pulls.blobOptions.length > 0);

    const tls = { cert: SERVER.certPem, key: SERVER.keyPem, clientCa: STRANGE_CA.certPem };
    registry.useTls(tls);
    await gone;
    assert.equal(busy.destroyed, false);
    assert.match(await callerOf(registry, client), /^403 /);
    const theirs = clientCertificate({ issuer: STRANGE_CA });
    assert.equal(await callerOf(registry, theirs), 'nodes/node-1');
    busy.destroy();
    agent.destroy();
  });

  it('are not asked for again when something else changes', async () => {
    await using registry = await start();
    const { port } = registry;
    const client = clientCertificate();
    const agent = keepAlive();
    await askTls(PATH, { port, ca: SERVER_CA, client, agent });
    const renewed = issueServerCertificate(SERVER_CA, ['localhost']);
    const { certPem: cert, keyPem: key } = renewed;
    registry.useTls({ cert, key, clientCa: CLIENT_CA.certPem });
    const again = await askTls(PATH, { port, ca: SERVER_CA, client, agent });
    assert.equal(again.status, 200);
    assert.notEqual(again.headers.connection, 'close');
    agent.destroy();
  });

  it('on a connection from before the client CA changed count for one more answer', async () => {
    await using registry = await start();
    const { port } = registry;
    const client = clientCertificate();
    const socket = connectTls({
      ...{ host: 'localhost', port, ca: SERVER_CA.certPem },
      ...{ cert: client.certPem, key: client.keyPem },
    });
    // A request that has begun keeps the connection from being idle.
    socket.write(`GET ${PATH} HTTP/1.1\r\nHost: x\r\n`);
    await once(socket, 'secureConnect');
    await askTls('/v2/', { port, ca: SERVER_CA });
    const tls = { cert: SERVER.certPem, key: SERVER.keyPem, clientCa: STRANGE_CA.certPem };
    registry.useTls(tls);
    socket.write(`\r\nGET ${PATH} HTTP/1.1\r\nHost: x\r\n\r\n`);
    let text = '';
    for await (const chunk of socket) text += String(chunk);
    assert.equal(text.match(/HTTP\/1\.1 200/g)?.length, 1);
    assert.match(text, /Connection: close/);
  });
});
