import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ifNoneMatchHits, ifRangeAllows } from '../../../src/oci/conditional.ts';

const ETAG = '"sha256:ab"';

describe('ifNoneMatchHits', () => {
  const rows: readonly (readonly [header: string | undefined, hit: boolean])[] = [
    [undefined, false],
    [ETAG, true],
    [`W/${ETAG}`, true],
    ['*', true],
    [' * ', true],
    [`"x", ${ETAG}`, true],
    [`"x,y" ,W/${ETAG}, "z"`, true],
    ['"x"', false],
    ['"sha256:abc"', false],
    ['sha256:ab', false],
    [`x, ${ETAG}`, false],
    ['', false],
    [`"${ETAG}"`, false],
    [`${'"x", '.repeat(4000)}${ETAG}`, false],
  ];
  for (const [header, hit] of rows) {
    it(`${header?.slice(0, 60)}`, () => assert.equal(ifNoneMatchHits(header, ETAG), hit));
  }

  it('does not depend on the call before', () => {
    assert.equal(ifNoneMatchHits(`"x", ${ETAG}`, ETAG), true);
    assert.equal(ifNoneMatchHits(`"x", ${ETAG}`, ETAG), true);
  });
});

describe('ifRangeAllows', () => {
  const rows: readonly (readonly [header: string | undefined, allowed: boolean])[] = [
    [undefined, true],
    [ETAG, true],
    [`W/${ETAG}`, false],
    ['"x"', false],
    ['*', false],
    ['Mon, 23 Nov 2026 00:00:00 GMT', false],
  ];
  for (const [header, allowed] of rows) {
    it(`${header}`, () => assert.equal(ifRangeAllows(header, ETAG), allowed));
  }
});
