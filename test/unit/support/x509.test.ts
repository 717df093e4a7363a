import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:https';
import { test } from 'node:test';
import { connect } from 'node:tls';
import { issueServerCertificate, makeCertificate, makeTestCa } from '../../support/x509.ts';

test('a self-signed certificate says what was asked and verifies with its own key', () => {
  for (const keyKind of ['p256', 'p384', 'p521', 'rsa2048'] as const) {
    const made = makeCertificate({
      commonName: 'registry.example.test/team/app',
      keyKind,
      extendedKeyUsages: ['codeSigning'],
      notBefore: new Date('2026-11-20T00:00:00Z'),
      notAfter: new Date('2056-11-20T00:00:00Z'),
    });
    const read = new X509Certificate(made.certPem);
    assert.equal(read.subject, 'CN=registry.example.test/team/app');
    assert.equal(read.verify(made.publicKey), true);
    assert.equal(read.ca, false);
    assert.equal(read.checkPrivateKey(made.privateKey), true);
    assert.deepEqual(read.keyUsage, ['1.3.6.1.5.5.7.3.3']);
    assert.equal(new Date(read.validTo).toISOString(), '2056-11-20T00:00:00.000Z');
  }
});

test('an issued certificate chains to its authority', () => {
  const ca = makeTestCa();
  const issued = new X509Certificate(
    issueServerCertificate(ca, ['127.0.0.1', 'localhost']).certPem,
  );
  const authority = new X509Certificate(ca.certPem);
  assert.equal(authority.ca, true);
  assert.equal(issued.checkIssued(authority), true);
  assert.equal(issued.verify(ca.publicKey), true);
  assert.equal(issued.checkIP('127.0.0.1'), '127.0.0.1');
  assert.equal(issued.checkHost('localhost'), 'localhost');
});

test('a TLS client that trusts the authority accepts the server certificate', async () => {
  const ca = makeTestCa();
  const server = issueServerCertificate(ca, ['127.0.0.1']);
  const listening = createServer({ cert: server.certPem, key: server.keyPem });
  listening.listen(0, '127.0.0.1');
  await once(listening, 'listening');
  const address = listening.address();
  assert.ok(typeof address === 'object' && address !== null);
  const socket = connect({ host: '127.0.0.1', port: address.port, ca: ca.certPem });
  await once(socket, 'secureConnect');
  assert.equal(socket.authorized, true);
  socket.destroy();
  listening.close();
});
