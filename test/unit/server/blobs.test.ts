import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { UpstreamError } from '../../../src/resolve/errors.ts';
import { ociError, RegistryUnderTest, until } from '../../support/registry-under-test.ts';

const NAME = 'library/alpine';
const REPOSITORY = `docker.io/${NAME}`;
const BLOB = Buffer.alloc(100_000, 'pinnace ');

describe('blobs', () => {
  it('are verified whole before a part is sent, and only then', async () => {
    await using registry = await new RegistryUnderTest().start();
    const digest = registry.pulls.addBlob(REPOSITORY, BLOB);
    const path = `/v2/${NAME}/blobs/${digest}`;
    const cases = [
      { headers: {}, wholeFirst: false },
      { headers: { Range: 'bytes=5-9' }, wholeFirst: true },
      { headers: { Range: 'bytes=0-' }, wholeFirst: false },
      { headers: { Range: 'bytes=5-9', 'If-Range': '"old"' }, wholeFirst: false },
    ];
    for (const { headers } of cases) await registry.get(path, { headers });
    const asked = registry.pulls.blobOptions.map((options) => options.wholeFirst);
    assert.deepEqual(
      asked,
      cases.map((each) => each.wholeFirst),
    );
  });

  it('that are still arriving are sent whole, whatever range was asked for', async () => {
    await using registry = await new RegistryUnderTest().start();
    const digest = registry.pulls.addBlob(REPOSITORY, BLOB, { isVerified: false });
    const headers = { Range: 'bytes=7-9' };
    const answer = await registry.get(`/v2/${NAME}/blobs/${digest}`, { headers });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['content-range'], undefined);
    assert.deepEqual(answer.body, BLOB);
  });

  it('that turn out wrong after the first byte break the connection off', async () => {
    await using registry = await new RegistryUnderTest().start();
    const error = new UpstreamError('digest_mismatch', 'other content');
    const digest = registry.pulls.addBlob(REPOSITORY, BLOB, { failAfter: 60_000, error });
    await assert.rejects(registry.get(`/v2/${NAME}/blobs/${digest}`), { code: 'ECONNRESET' });
    await until(() => registry.logged('request').length > 0);
    const [line] = registry.logged('request');
    assert.equal(line?.['verdict'], 'cut');
    assert.equal(line?.['code'], 'digest_mismatch');
    assert.equal(line?.['level'], 'warn');
    assert.equal(registry.pulls.closedBlobs, 1);
    const series = 'pinnace_refusals_total{reason="digest_mismatch",rule="none",trust="none"}';
    assert.equal(await registry.metric(series), 1);
  });

  it('that turn out wrong before the first byte are refused', async () => {
    await using registry = await new RegistryUnderTest().start();
    const error = new UpstreamError('digest_mismatch', 'other content');
    const digest = registry.pulls.addBlob(REPOSITORY, BLOB, { failAfter: 0, error });
    const answer = await registry.get(`/v2/${NAME}/blobs/${digest}`);
    assert.equal(answer.status, 403);
    assert.equal(ociError(answer).detail['code'], 'digest_mismatch');
    assert.equal(answer.headers['accept-ranges'], undefined);
    assert.equal(answer.headers['docker-content-digest'], undefined);
  });

  it('stop being sent when the engine hangs up, and are closed', async () => {
    await using registry = await new RegistryUnderTest().start();
    const digest = registry.pulls.addBlob(REPOSITORY, BLOB, { failAfter: 1000, hangs: true });
    const socket = connect(registry.port, '127.0.0.1');
    socket.write(`GET /v2/${NAME}/blobs/${digest} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await once(socket, 'data');
    const [signal] = registry.pulls.blobOptions.map((options) => options.signal);
    assert.ok(signal);
    const aborted = once(signal, 'abort');
    socket.destroy();
    await aborted;
    await until(() => registry.logged('request').length > 0);
    assert.equal(registry.pulls.closedBlobs, 1);
    assert.equal(registry.logged('request')[0]?.['verdict'], 'cut');
    assert.equal(registry.logged('request.failed').length, 0);
  });

  it('of no bytes at all are served', async () => {
    await using registry = await new RegistryUnderTest().start();
    const digest = registry.pulls.addBlob(REPOSITORY, Buffer.alloc(0));
    const answer = await registry.get(`/v2/${NAME}/blobs/${digest}`);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['content-length'], '0');
  });
});
