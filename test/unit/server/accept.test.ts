import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AcceptMatcher } from '../../../src/server/accept.ts';

const INDEX = 'application/vnd.oci.image.index.v1+json';
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

describe('an Accept header that was met before', () => {
  it('says the same each time, whatever was asked in between', () => {
    const matcher = new AcceptMatcher();
    for (let turn = 0; turn < 3; turn += 1) {
      assert.equal(matcher.accepts(INDEX, INDEX), true, 'index by index');
      assert.equal(matcher.accepts(INDEX, MANIFEST), false, 'manifest by index');
      assert.equal(matcher.accepts(MANIFEST, MANIFEST), true, 'manifest by manifest');
      assert.equal(matcher.accepts(MANIFEST, INDEX), false, 'index by manifest');
      assert.equal(matcher.accepts(`${MANIFEST};q=0`, MANIFEST), false, 'excluded');
      assert.equal(matcher.accepts(undefined, MANIFEST), true, 'no header');
    }
  });

  it('is right after more headers and types than are remembered', () => {
    const matcher = new AcceptMatcher();
    for (let each = 0; each < 400; each += 1) {
      assert.equal(matcher.accepts(`text/x-${each}`, MANIFEST), false);
      assert.equal(matcher.accepts(`text/x-${each}, ${MANIFEST}`, MANIFEST), true);
      assert.equal(matcher.accepts('text/*', `text/x-${each}`), true);
    }
    assert.equal(matcher.accepts('text/x-0', MANIFEST), false);
    assert.equal(matcher.accepts('text/*', 'text/x-0'), true);
  });
});
