import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UpstreamError } from '../../../src/resolve/errors.ts';
import { rejectsWithCode } from '../../support/reject-with-code.ts';
import { type Handler, serve } from './loopback.ts';
import { DIGEST, LIMIT, REPOSITORY } from './registry-fixture.ts';
import { clientOf } from './registry-setup.ts';

const PATH = `/v2/library/alpine/referrers/${DIGEST}`;
const LIST = '{"schemaVersion":2,"manifests":[]}';

function listing(link?: string): Handler {
  return (_request, response) => {
    response.writeHead(200, link === undefined ? {} : { link });
    response.end(LIST);
  };
}

describe('RegistryClient: referrers', () => {
  it('asks for the list, and for what follows as the registry says', async (t) => {
    const server = await serve(t, listing(`<${PATH}?last=x&n=2>; rel="next"`));
    const client = clientOf(t, { url: server.url });
    const first = await client.fetchReferrers(REPOSITORY, DIGEST, LIMIT);
    assert.equal(Buffer.from(first.bytes).toString(), LIST);
    assert.equal(first.next, 'last=x&n=2');
    await client.fetchReferrers(REPOSITORY, DIGEST, { ...LIMIT, page: first.next ?? '' });
    assert.deepEqual(
      server.requests.map(({ url }) => url),
      [PATH, `${PATH}?last=x&n=2`],
    );
    const accept = server.requests[0]?.headers['accept'];
    assert.equal(accept, 'application/vnd.oci.image.index.v1+json');
  });

  const rows: readonly (readonly [row: string, link: string, next: string | undefined])[] = [
    ['another host', `<https://evil.example${PATH}?last=x>; rel="next"`, 'last=x'],
    ['a prefix', `<https://x.example/api${PATH}?last=x>; rel=next`, 'last=x'],
    ['an encoded colon', `<${PATH.replace(':', '%3A')}?last=x>; rel="next"`, 'last=x'],
    ['another list', `<${PATH.replace('alpine', 'secret')}?last=x>; rel="next"`, undefined],
    ['a manifest', `</v2/library/alpine/manifests/latest?last=x>; rel="next"`, undefined],
    [
      'a path that only ends alike',
      `</v2/x/v3/library/alpine/referrers/${DIGEST}?a>; rel="next"`,
      undefined,
    ],
    ['the same page', `<${PATH}>; rel="next"`, undefined],
    ['an endless query', `<${PATH}?${'a'.repeat(2000)}>; rel="next"`, undefined],
    ['something else', `<${PATH}?last=x>; rel="prev"`, undefined],
    ['nothing', 'next', undefined],
  ];
  for (const [row, link, next] of rows) {
    it(`takes only the query of a link, and only to the same list: ${row}`, async (t) => {
      const server = await serve(t, listing(link));
      const { next: found } = await clientOf(t, { url: server.url }).fetchReferrers(
        REPOSITORY,
        DIGEST,
        LIMIT,
      );
      assert.equal(found, next);
    });
  }

  it('says when the registry keeps no lists, and reads no longer than it may', async (t) => {
    const missing = await serve(t, (_request, response) => response.writeHead(404).end());
    const asked = clientOf(t, { url: missing.url }).fetchReferrers(REPOSITORY, DIGEST, LIMIT);
    await rejectsWithCode(asked, UpstreamError, 'manifest_missing');
    const long = await serve(t, (_request, response) => response.end('x'.repeat(2000)));
    const read = clientOf(t, { url: long.url }).fetchReferrers(REPOSITORY, DIGEST, LIMIT);
    await rejectsWithCode(read, UpstreamError, 'upstream_unreachable');
  });
});
