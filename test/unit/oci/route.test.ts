import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { OciError, type OciRequestCode } from '../../../src/oci/errors.ts';
import { MAX_TARGET_LENGTH, parseRoute, type Route } from '../../../src/oci/route.ts';

const HEX = 'ab'.repeat(32);
const DIGEST = `sha256:${HEX}`;
const LONG = `sha512:${'cd'.repeat(64)}`;

/** The route as plain data: brands do not matter to what is asserted here. */
function parsed(target: string, method = 'GET'): unknown {
  return { ...parseRoute(method, target) };
}

function refusedWith(code: OciRequestCode, target: string, method = 'GET'): void {
  assert.throws(
    () => parseRoute(method, target),
    (error: unknown) => error instanceof OciError && error.code === code,
    `${method} ${target.slice(0, 100)}`,
  );
}

const tag = (name: string, text: string): object => ({
  kind: 'manifest',
  name,
  reference: { kind: 'tag', tag: text },
  method: 'GET',
});

describe('parseRoute accepts', () => {
  const rows: readonly (readonly [row: string, target: string, route: object])[] = [
    ['ping', '/v2/', { kind: 'ping', method: 'GET' }],
    ['ping without slash', '/v2', { kind: 'ping', method: 'GET' }],
    ['ping with ns', '/v2/?ns=docker.io', { kind: 'ping', method: 'GET', ns: 'docker.io' }],
    ['a tag', '/v2/library/alpine/manifests/3.20', tag('library/alpine', '3.20')],
    ['a tag with dots in a row', '/v2/a/manifests/a..b', tag('a', 'a..b')],
    ['a tag that names a member of objects', '/v2/a/manifests/__proto__', tag('a', '__proto__')],
    [
      'a name of keywords',
      '/v2/v2/manifests/tags/manifests/list',
      tag('v2/manifests/tags', 'list'),
    ],
    ['a name that ends in blobs', '/v2/a/blobs/manifests/x', tag('a/blobs', 'x')],
    ['a name with uploads in it', '/v2/a/blobs/uploads/manifests/x', tag('a/blobs/uploads', 'x')],
    [
      'a host with a port',
      '/v2/127.0.0.1:5000/team/app/manifests/1',
      tag('127.0.0.1:5000/team/app', '1'),
    ],
    ['localhost with a port', '/v2/localhost:5000/x/manifests/1', tag('localhost:5000/x', '1')],
    ['an IPv6 host', '/v2/[::1]:5000/x/manifests/1', tag('[::1]:5000/x', '1')],
    ['a host in capitals', '/v2/EXAMPLE.com/x/manifests/1', tag('EXAMPLE.com/x', '1')],
    [
      'ns with an encoded port',
      '/v2/a/manifests/1?ns=localhost%3A5000',
      { ...tag('a', '1'), ns: 'localhost:5000' },
    ],
    [
      'other parameters',
      '/v2/a/manifests/1?x=1&ns=ghcr.io&x=2',
      { ...tag('a', '1'), ns: 'ghcr.io' },
    ],
    [
      'a digest',
      `/v2/a/b/manifests/${DIGEST}`,
      {
        kind: 'manifest',
        name: 'a/b',
        reference: { kind: 'digest', digest: DIGEST },
        method: 'GET',
      },
    ],
    [
      'a sha512 digest',
      `/v2/a/manifests/${LONG}`,
      { kind: 'manifest', name: 'a', reference: { kind: 'digest', digest: LONG }, method: 'GET' },
    ],
    [
      'a digest with an encoded colon',
      `/v2/a/manifests/sha256%3A${HEX}`,
      { kind: 'manifest', name: 'a', reference: { kind: 'digest', digest: DIGEST }, method: 'GET' },
    ],
    ['a blob', `/v2/a/blobs/${DIGEST}`, { kind: 'blob', name: 'a', digest: DIGEST, method: 'GET' }],
    [
      'a blob with an encoded colon',
      `/v2/a/blobs/sha256%3a${HEX}`,
      { kind: 'blob', name: 'a', digest: DIGEST, method: 'GET' },
    ],
    [
      'a blob of a repository named like an upload',
      `/v2/a/blobs/uploads/blobs/${DIGEST}`,
      { kind: 'blob', name: 'a/blobs/uploads', digest: DIGEST, method: 'GET' },
    ],
    ['tags', '/v2/a/b/tags/list', { kind: 'tags', name: 'a/b', method: 'GET' }],
    [
      'a page of tags',
      '/v2/a/tags/list?n=0&last=3.20',
      { kind: 'tags', name: 'a', method: 'GET', n: 0, last: '3.20' },
    ],
    [
      'tags from the start',
      '/v2/a/tags/list?n=10&last=',
      { kind: 'tags', name: 'a', method: 'GET', n: 10 },
    ],
    [
      'referrers',
      `/v2/a/referrers/${DIGEST}?artifactType=x%2Fy`,
      { kind: 'referrers', name: 'a', digest: DIGEST, method: 'GET', artifactType: 'x/y' },
    ],
    [
      'referrers of any type',
      `/v2/a/referrers/${DIGEST}?artifactType=`,
      { kind: 'referrers', name: 'a', digest: DIGEST, method: 'GET' },
    ],
    ['the catalog', '/v2/_catalog', { kind: 'catalog', method: 'GET' }],
    [
      'a page of the catalog',
      '/v2/_catalog?n=5&last=docker.io/a',
      { kind: 'catalog', method: 'GET', n: 5, last: 'docker.io/a' },
    ],
    [
      'trust metadata',
      '/v2/proxy.example/a/b/_trust/tuf/root.json',
      { kind: 'trust-metadata', name: 'proxy.example/a/b', file: 'root.json', method: 'GET' },
    ],
    [
      'trust metadata of a delegation',
      '/v2/127.0.0.1:5000/a/_trust/tuf/targets/releases.json',
      {
        kind: 'trust-metadata',
        name: '127.0.0.1:5000/a',
        file: 'targets/releases.json',
        method: 'GET',
      },
    ],
  ];
  for (const [row, target, route] of rows) {
    it(row, () => assert.deepEqual(parsed(target), route));
  }

  it('HEAD like GET', () => {
    assert.deepEqual(parsed('/v2/a/manifests/1', 'HEAD'), { ...tag('a', '1'), method: 'HEAD' });
  });
});

describe('parseRoute refuses', () => {
  const long = 'a'.repeat(10_000);
  const rows: readonly (readonly [row: string, code: OciRequestCode, target: string])[] = [
    ['a path of another API', 'NAME_UNKNOWN', '/v1/search'],
    ['the root', 'NAME_UNKNOWN', '/'],
    ['an unknown path', 'NAME_UNKNOWN', '/v2/a/b'],
    ['a trailing slash', 'NAME_UNKNOWN', '/v2/a/'],
    ['a target of 10 kB', 'NAME_INVALID', `/v2/${long}/manifests/1`],
    ['a name of 300 characters', 'NAME_INVALID', `/v2/${long.slice(0, 300)}/manifests/1`],
    ['an empty name', 'NAME_INVALID', '/v2/manifests/1'],
    ['an encoded slash', 'NAME_INVALID', '/v2/library%2Falpine/manifests/1'],
    ['a wholly encoded path', 'NAME_INVALID', '/v2/a%2Fmanifests%2F1'],
    ['parent folders in the name', 'NAME_INVALID', '/v2/a/../b/manifests/1'],
    ['parent folders anywhere', 'NAME_INVALID', '/../etc/passwd'],
    ['encoded parent folders', 'NAME_INVALID', '/v2/%2e%2e/a/manifests/1'],
    ['a parent folder as a tag', 'TAG_INVALID', '/v2/a/manifests/..'],
    ['an empty component', 'NAME_INVALID', '/v2/a//b/manifests/1'],
    ['an empty first component', 'NAME_INVALID', '/v2//a/manifests/1'],
    ['two slashes at the start', 'NAME_INVALID', '//v2/'],
    ['an encoded NUL in the name', 'NAME_INVALID', '/v2/a%00/manifests/1'],
    ['a NUL in the name', 'NAME_INVALID', '/v2/a\0/manifests/1'],
    ['an encoded NUL in the tag', 'TAG_INVALID', '/v2/a/manifests/1%00'],
    ['a NUL elsewhere', 'NAME_INVALID', '/x\0'],
    ['__proto__ as a name', 'NAME_INVALID', '/v2/__proto__/manifests/1'],
    ['letters outside ASCII', 'NAME_INVALID', '/v2/alpiné/manifests/1'],
    ['a tag outside ASCII', 'TAG_INVALID', '/v2/a/manifests/é'],
    ['capitals in a path', 'NAME_INVALID', '/v2/a/Alpine/manifests/1'],
    ['a host alone', 'NAME_INVALID', '/v2/localhost:5000/manifests/1'],
    ['a port that is not first', 'NAME_INVALID', '/v2/a/localhost:5000/b/manifests/1'],
    ['user info before a host', 'NAME_INVALID', '/v2/u@example.com:1/b/manifests/1'],
    ['absolute form', 'NAME_INVALID', 'http://example.com/v2/a/manifests/1'],
    ['asterisk form', 'NAME_INVALID', '*'],
    ['an empty target', 'NAME_INVALID', ''],
    ['a tag of 129 characters', 'TAG_INVALID', `/v2/a/manifests/${long.slice(0, 129)}`],
    ['an empty reference', 'TAG_INVALID', '/v2/a/manifests/'],
    ['a broken percent encoding in a tag', 'TAG_INVALID', '/v2/a/manifests/%zz'],
    ['an encoded tag', 'TAG_INVALID', '/v2/a/manifests/%31'],
    ['an encoded colon twice', 'DIGEST_INVALID', `/v2/a/manifests/sha256%3A%3A${HEX}`],
    ['a short digest', 'DIGEST_INVALID', '/v2/a/manifests/sha256:abcd'],
    ['a digest in capitals', 'DIGEST_INVALID', `/v2/a/manifests/sha256:${HEX.toUpperCase()}`],
    ['an unknown algorithm', 'DIGEST_INVALID', `/v2/a/blobs/md5:${HEX.slice(0, 32)}`],
    ['a blob by tag', 'DIGEST_INVALID', '/v2/a/blobs/latest'],
    ['referrers of a tag', 'DIGEST_INVALID', '/v2/a/referrers/latest'],
    [
      'referrers of something that is no type',
      'MANIFEST_INVALID',
      `/v2/a/referrers/${DIGEST}?artifactType=x`,
    ],
    [
      'referrers of two types',
      'MANIFEST_INVALID',
      `/v2/a/referrers/${DIGEST}?artifactType=x/y&artifactType=x/z`,
    ],
    ['a catalog by words', 'PAGINATION_NUMBER_INVALID', '/v2/_catalog?n=ten'],
    ['a catalog from nowhere', 'NAME_INVALID', `/v2/_catalog?last=${'a'.repeat(600)}`],
    ['two ns', 'NAME_INVALID', '/v2/a/manifests/1?ns=docker.io&ns=ghcr.io'],
    ['the same ns twice', 'NAME_INVALID', '/v2/a/manifests/1?ns=docker.io&ns=docker.io'],
    ['two ns, one of them encoded', 'NAME_INVALID', '/v2/a/manifests/1?ns=docker.io&%6es=ghcr.io'],
    ['ns that is a URL', 'NAME_INVALID', '/v2/a/manifests/1?ns=http%3A%2F%2Fevil'],
    ['ns with a path', 'NAME_INVALID', '/v2/a/manifests/1?ns=docker.io/../x'],
    ['ns with user info', 'NAME_INVALID', '/v2/a/manifests/1?ns=u@docker.io'],
    ['empty ns', 'NAME_INVALID', '/v2/a/manifests/1?ns='],
    ['ns without value', 'NAME_INVALID', '/v2/a/manifests/1?ns'],
    ['a broken percent encoding in the query', 'NAME_INVALID', '/v2/a/manifests/1?ns=%'],
    ['a query outside ASCII', 'NAME_INVALID', '/v2/a/manifests/1?x=é'],
    ['n that is no number', 'PAGINATION_NUMBER_INVALID', '/v2/a/tags/list?n=ten'],
    ['n below zero', 'PAGINATION_NUMBER_INVALID', '/v2/a/tags/list?n=-1'],
    ['n beyond reason', 'PAGINATION_NUMBER_INVALID', '/v2/a/tags/list?n=99999999999'],
    ['two n', 'PAGINATION_NUMBER_INVALID', '/v2/a/tags/list?n=1&n=2'],
    ['last that is no tag', 'TAG_INVALID', '/v2/a/tags/list?last=a%2Fb'],
    ['two last', 'TAG_INVALID', '/v2/a/tags/list?last=a&last=b'],
    ['trust metadata elsewhere', 'NAME_INVALID', '/v2/a/_trust/tuf/../../x'],
    ['trust metadata without a file', 'NAME_INVALID', '/v2/a/_trust/tuf/'],
    ['an upload', 'UNSUPPORTED', '/v2/a/blobs/uploads/'],
    ['an upload without slash', 'UNSUPPORTED', '/v2/a/blobs/uploads'],
    ['an upload by id', 'UNSUPPORTED', '/v2/a/b/blobs/uploads/0b6e1c'],
  ];
  for (const [row, code, target] of rows) {
    it(row, () => refusedWith(code, target));
  }

  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'get']) {
    it(`${method} below /v2/`, () => {
      refusedWith('UNSUPPORTED', '/v2/a/manifests/1', method);
      refusedWith('UNSUPPORTED', '/v2/a/blobs/uploads/', method);
      refusedWith('NAME_UNKNOWN', '/other', method);
    });
  }
});

describe('parseRoute under any input', () => {
  const piece = fc.constantFrom(
    '/',
    '/v2/',
    'v2',
    'manifests',
    'blobs',
    'tags',
    'list',
    'uploads',
    '_trust/tuf/',
    '_catalog',
    '%2F',
    '%3A',
    '..',
    '?',
    '&',
    '=',
    'ns',
    'n',
    ':',
    '@',
    DIGEST,
    'localhost:5000',
    'docker.io',
    'a',
    'A',
    '\0',
    'é',
    ' ',
    '\\',
    '#',
  );
  const target = fc.oneof(
    fc.string({ maxLength: 200, unit: 'binary' }),
    fc
      .array(fc.oneof(piece, fc.string({ maxLength: 3 })), { maxLength: 20 })
      .map((all) => `/v2/${all.join('/')}`),
    fc.array(piece, { maxLength: 20 }).map((all) => all.join('')),
  );

  it('gives a route or an OciError, and what it accepts is free of surprises', () => {
    fc.assert(
      fc.property(fc.constantFrom('GET', 'HEAD', 'PUT'), target, (method, text) => {
        const route = routeOrError(method, text);
        if (route instanceof OciError) return;
        assert.ok(method === 'GET' || method === 'HEAD');
        assert.ok(text.length <= MAX_TARGET_LENGTH);
        if ('name' in route)
          assert.match(route.name, /^[a-zA-Z0-9[][a-zA-Z0-9._:\][-]*(\/[a-z0-9][a-z0-9._-]*)*$/);
        if ('file' in route) assert.doesNotMatch(route.file, /(^|\/)\.\.?(\/|$)/);
      }),
    );
  });

  it('reads back every name and tag it could have been given', () => {
    const component = fc.stringMatching(/^[a-z0-9]{1,5}([._-][a-z0-9]{1,5})?$/);
    const words = fc.constantFrom(
      'v2',
      'manifests',
      'blobs',
      'tags',
      'list',
      'referrers',
      'uploads',
    );
    const name = fc.array(fc.oneof(component, words), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(name, fc.stringMatching(/^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,20}$/), (parts, text) => {
        assert.deepEqual(
          parsed(`/v2/${parts.join('/')}/manifests/${text}`),
          tag(parts.join('/'), text),
        );
        const tags = { kind: 'tags', name: parts.join('/'), method: 'GET' };
        assert.deepEqual(parsed(`/v2/${parts.join('/')}/tags/list`), tags);
      }),
    );
  });
});

function routeOrError(method: string, target: string): Route | OciError {
  try {
    return parseRoute(method, target);
  } catch (error) {
    if (error instanceof OciError) return error;
    throw error;
  }
}
