import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { OciError } from '../../../src/oci/errors.ts';
import { HostNames } from '../../../src/oci/host-names.ts';
import { parseRegistryHost, repositoryName } from '../../../src/oci/names.ts';
import { ListenerRoutes } from '../../../src/server/listener-routes.ts';
import { askRaw, ociError, RegistryUnderTest } from '../../support/registry-under-test.ts';
import { throwsWithCode } from '../../support/reject-with-code.ts';

const HOSTS = { 'hub.pinnace.test': 'docker.io', 'corp.pinnace.test': 'registry.example.com' };
const PATH = '/v2/team/app/manifests/1.0';

describe('a listener with host names', () => {
  let registry: RegistryUnderTest;

  before(async () => {
    registry = await new RegistryUnderTest({ hosts: HOSTS, defaultRegistry: 'docker.io' }).start();
    registry.pulls.addTag('docker.io/team/app', '1.0', { body: '{"of":"hub"}' });
    registry.pulls.addTag('registry.example.com/team/app', '1.0', { body: '{"of":"corp"}' });
    registry.pulls.addTag('docker.io/library/alpine', '1.0', { body: '{"of":"alpine"}' });
  });
  after(async () => await registry[Symbol.asyncDispose]());

  const get = (host: string, path: string) => registry.get(path, { headers: { host } });

  it('serves the same path as another repository under each', async () => {
    for (let round = 0; round < 2; round += 1) {
      assert.equal((await get('hub.pinnace.test', PATH)).body.toString(), '{"of":"hub"}');
      assert.equal((await get('corp.pinnace.test', PATH)).body.toString(), '{"of":"corp"}');
      assert.equal((await get('CORP.pinnace.test.:1', PATH)).body.toString(), '{"of":"corp"}');
    }
  });

  it('adds library/ under the name of Docker Hub only', async () => {
    const path = '/v2/alpine/manifests/1.0';
    assert.equal((await get('hub.pinnace.test', path)).body.toString(), '{"of":"alpine"}');
    assert.equal((await get('corp.pinnace.test', path)).status, 403);
  });

  it('means the default under any other name', async () => {
    assert.equal((await get('elsewhere.test', PATH)).body.toString(), '{"of":"hub"}');
    assert.equal((await registry.get(PATH)).body.toString(), '{"of":"hub"}');
  });

  it('refuses what the host and the request say differently', async () => {
    for (const path of [`${PATH}?ns=docker.io`, '/v2/docker.io/team/app/manifests/1.0']) {
      const answer = await get('corp.pinnace.test', path);
      assert.equal(answer.status, 400);
      assert.equal(ociError(answer).code, 'NAME_INVALID');
      assert.match(ociError(answer).message, /names docker\.io|names registry\.example\.com/);
    }
    assert.equal((await get('corp.pinnace.test', '/v2/ghcr.io/a/manifests/1.0')).status, 404);
  });

  const request = (...lines: readonly string[]): string =>
    [...lines, 'Connection: close', '', ''].join('\r\n');
  const rows: readonly (readonly [row: string, request: string, status: number])[] = [
    ['no host', request(`GET ${PATH} HTTP/1.1`), 400],
    ['no host in HTTP 1.0', request(`GET ${PATH} HTTP/1.0`), 400],
    ['an empty host', request(`GET ${PATH} HTTP/1.1`, 'Host:'), 400],
    [
      'two hosts',
      request(`GET ${PATH} HTTP/1.1`, 'Host: hub.pinnace.test', 'host: corp.pinnace.test'),
      400,
    ],
    [
      'the same host twice',
      request(`GET ${PATH} HTTP/1.1`, 'Host: hub.pinnace.test', 'Host: hub.pinnace.test'),
      400,
    ],
    ['a list of hosts', request(`GET ${PATH} HTTP/1.1`, 'Host: hub.pinnace.test, x'), 400],
    [
      'a target with the host',
      request(`GET http://corp.pinnace.test${PATH} HTTP/1.1`, 'Host: corp.pinnace.test'),
      200,
    ],
    [
      'a target with another host',
      request(`GET http://corp.pinnace.test${PATH} HTTP/1.1`, 'Host: hub.pinnace.test'),
      400,
    ],
    [
      'a target for somebody else',
      request(`GET http://elsewhere.test${PATH} HTTP/1.1`, 'Host: elsewhere.test'),
      400,
    ],
    [
      'a target without a path',
      request('GET http://corp.pinnace.test HTTP/1.1', 'Host: corp.pinnace.test'),
      400,
    ],
    ['a target of another scheme', request(`GET ftp://x${PATH} HTTP/1.1`, 'Host: x'), 400],
    ['no host for a ping', request('GET /v2/ HTTP/1.0'), 400],
  ];
  for (const [row, bytes, status] of rows) {
    it(`answers ${status}: ${row}`, async () => {
      const answer = await askRaw(registry.port, bytes);
      assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `));
      if (status === 200) assert.match(answer, /\{"of":"corp"\}$/);
    });
  }
});

it('without host names the host has no say, even if there are two', async () => {
  await using registry = await new RegistryUnderTest().start();
  const bytes = 'GET /v2/ HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n';
  assert.match(await askRaw(registry.port, bytes), /^HTTP\/1\.1 200 /);
});

describe('requests of HTTP/2', () => {
  const routes = new ListenerRoutes(
    {
      name: 'test',
      refusal: 'deny',
      naming: {},
      hosts: new HostNames([['hub.pinnace.test', parseRegistryHost('docker.io')]]),
    },
    new Set(['docker.io']),
  );
  const parse = (...rawHeaders: readonly string[]) =>
    routes.parse({ method: 'GET', url: PATH, rawHeaders });

  it('say their host as :authority', () => {
    const { repository } = parse(':method', 'GET', ':authority', 'hub.pinnace.test');
    assert.equal(repository && repositoryName(repository), 'docker.io/team/app');
  });

  const refused: readonly (readonly string[])[] = [
    [':authority', 'hub.pinnace.test', 'host', 'elsewhere.test'],
    [':authority', 'hub.pinnace.test', ':authority', 'hub.pinnace.test'],
    [':method', 'GET'],
  ];
  for (const headers of refused) {
    it(`are refused with ${headers.join(' ')}`, () => {
      throwsWithCode(() => parse(...headers), OciError, 'NAME_INVALID');
    });
  }
});
