import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { OciError, type OciRequestCode } from '../../../src/oci/errors.ts';
import { parseImageReference } from '../../../src/oci/image-reference.ts';
import { repositoryName } from '../../../src/oci/names.ts';

const HEX = 'ab'.repeat(32);
const DIGEST = `sha256:${HEX}`;

/** The complete form: NAME, `:TAG` and `@DIGEST` as far as they are there. */
function complete(text: string): string {
  const { repository, tag, digest } = parseImageReference(text);
  const name = repositoryName(repository);
  return `${name}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

describe('parseImageReference completes', () => {
  const rows: readonly (readonly [text: string, whole: string])[] = [
    ['alpine', 'docker.io/library/alpine:latest'],
    ['docker.io/alpine', 'docker.io/library/alpine:latest'],
    ['index.docker.io/library/alpine', 'docker.io/library/alpine:latest'],
    ['docker.io/library/alpine:3.20', 'docker.io/library/alpine:3.20'],
    ['foo/bar', 'docker.io/foo/bar:latest'],
    ['registry-1.docker.io/library/alpine', 'registry-1.docker.io/library/alpine:latest'],
    ['localhost/foo', 'localhost/foo:latest'],
    ['localhost:5000/foo', 'localhost:5000/foo:latest'],
    ['10.1.2.3/foo:1', '10.1.2.3/foo:1'],
    ['EXAMPLE.com/foo', 'EXAMPLE.com/foo:latest'],
    ['[::1]:5000/foo:x', '[::1]:5000/foo:x'],
    [`localhost:5000/a/b@${DIGEST}`, `localhost:5000/a/b@${DIGEST}`],
    [`alpine:3.20@${DIGEST}`, `docker.io/library/alpine:3.20@${DIGEST}`],
    ['localhost', 'docker.io/library/localhost:latest'],
    ['a.b:1', 'docker.io/library/a.b:1'],
  ];
  for (const [text, whole] of rows) it(text, () => assert.equal(complete(text), whole));
});

describe('parseImageReference refuses', () => {
  const rows: readonly (readonly [row: string, code: OciRequestCode, text: string])[] = [
    ['nothing', 'NAME_INVALID', ''],
    ['an image id', 'NAME_INVALID', HEX],
    ['capitals', 'NAME_INVALID', 'Alpine'],
    ['a URL', 'NAME_INVALID', 'https://docker.io/alpine'],
    ['a space', 'NAME_INVALID', ' alpine'],
    ['a host without path', 'NAME_INVALID', 'localhost:5000/'],
    ['a name of 10 kB', 'NAME_INVALID', 'a'.repeat(10_000)],
    ['a name of 300 characters', 'NAME_INVALID', 'a'.repeat(300)],
    ['a host that is none', 'NAME_INVALID', '-a.b/c'],
    ['an empty tag', 'TAG_INVALID', 'alpine:'],
    ['a bad tag', 'TAG_INVALID', 'alpine:-'],
    ['an empty digest', 'DIGEST_INVALID', 'alpine@'],
    ['a bad digest', 'DIGEST_INVALID', 'alpine@sha256:12'],
    ['two digests', 'DIGEST_INVALID', `alpine@${DIGEST}@${DIGEST}`],
  ];
  for (const [row, code, text] of rows) {
    it(row, () => {
      assert.throws(
        () => parseImageReference(text),
        (error: unknown) => error instanceof OciError && error.code === code,
      );
    });
  }

  it('any other text with an OciError, and completes each complete form to itself', () => {
    const part = fc.constantFrom(
      'a',
      'docker.io',
      'localhost:5000',
      '/',
      ':',
      '@',
      DIGEST,
      'A',
      '..',
    );
    const texts = fc.oneof(
      fc.string({ maxLength: 40 }),
      fc.array(part, { maxLength: 8 }).map((all) => all.join('')),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const whole = completeOrError(text);
        if (!(whole instanceof OciError)) assert.equal(complete(whole), whole);
      }),
    );
  });
});

function completeOrError(text: string): string | OciError {
  try {
    return complete(text);
  } catch (error) {
    if (error instanceof OciError) return error;
    throw error;
  }
}
