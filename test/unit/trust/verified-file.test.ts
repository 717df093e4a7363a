import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { authorityFingerprint } from '../../../src/trust/authority.ts';
import { parseTimestamp } from '../../../src/trust/dialect/notary-v1.ts';
import { TrustError } from '../../../src/trust/errors.ts';
import type { FileMeta, RoleBody } from '../../../src/trust/model.ts';
import {
  requireHashes,
  requireMatch,
  requireNotOlder,
  sha256Hex,
  type VerifiedFile,
  verifyFile,
  withRole,
} from '../../../src/trust/verified-file.ts';
import { NotaryRepository } from '../../support/notary-repository.ts';
import { throwsWithCode } from '../../support/reject-with-code.ts';
import { authorityFor, NOTARY_RULES, utf8 } from './making.ts';

const BYTES = utf8('some file');
const hash = (algorithm: string, bytes: Uint8Array = BYTES): string =>
  createHash(algorithm).update(bytes).digest('hex');

function metaOf(hashes: Partial<Record<'sha256' | 'sha512', string>>, length = 9): FileMeta {
  const known = (['sha256', 'sha512'] as const).flatMap((name) => {
    const value = hashes[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { length, version: undefined, hashes: new Map(known) };
}

describe('files named by another one', () => {
  const good = { sha256: hash('sha256'), sha512: hash('sha512') };
  const other = utf8('other one');

  for (const [row, meta, code] of [
    ['both hashes', metaOf(good), undefined],
    ['SHA-256 alone', metaOf({ sha256: good.sha256 }), undefined],
    ['SHA-512 alone', metaOf({ sha512: good.sha512 }), undefined],
    ['a wrong SHA-256', metaOf({ ...good, sha256: hash('sha256', other) }), 'checksum_mismatch'],
    ['a wrong SHA-512', metaOf({ ...good, sha512: hash('sha512', other) }), 'checksum_mismatch'],
    ['no hash', metaOf({}), 'checksum_mismatch'],
    ['one byte more announced', metaOf(good, 10), 'length_mismatch'],
    ['one byte less announced', metaOf(good, 8), 'length_exceeded'],
  ] as const) {
    it(`${row}: ${code ?? 'in order'}`, () => {
      const act = (): void => requireMatch(BYTES, meta, 'targets');
      if (code === undefined) return act();
      const error = throwsWithCode(act, TrustError, code);
      assert.equal(error.detail['role'], 'targets');
    });
  }

  it('by their hashes alone may have any length', () => {
    requireHashes(BYTES, metaOf(good, 999), 'root');
    const act = (): void => requireHashes(BYTES, metaOf({}, 9), 'root');
    throwsWithCode(act, TrustError, 'checksum_mismatch');
  });
});

describe('versions', () => {
  const file = (version: number, sha256: string): VerifiedFile<RoleBody> => ({
    role: 'snapshot',
    bytes: new Uint8Array(),
    sha256,
    body: { version, expiresAt: 0 },
    verifiedUnder: '',
    signedBy: { keys: [], threshold: 1 },
  });
  for (const [row, offered, trusted, isOlder] of [
    ['higher', file(3, 'a'), file(2, 'b'), false],
    ['the same file', file(2, 'a'), file(2, 'a'), false],
    ['the same version, other bytes', file(2, 'a'), file(2, 'b'), true],
    ['lower', file(1, 'a'), file(2, 'b'), true],
    ['lower, same bytes', file(1, 'a'), file(2, 'a'), true],
  ] as const) {
    it(`${row}: ${isOlder ? 'rollback' : 'in order'}`, () => {
      const act = (): void => requireNotOlder(offered, trusted);
      if (!isOlder) return act();
      const error = throwsWithCode(act, TrustError, 'rollback');
      assert.deepEqual(error.detail, {
        role: 'snapshot',
        trustedVersion: trusted.body.version,
        offeredVersion: offered.body.version,
      });
    });
  }
});

describe('verified files', () => {
  const repository = new NotaryRepository({ gun: 'registry.example.test/app' });
  repository.publish();
  const bytes = repository.bytes('timestamp');
  const authority = authorityFor('timestamp', repository.keys('timestamp'));
  const options = { ...NOTARY_RULES, parse: parseTimestamp };

  it('carry what they are and under whom they were verified', () => {
    const file = verifyFile(bytes, authority, options);
    assert.equal(file.role, 'timestamp');
    assert.equal(file.bytes, bytes);
    assert.equal(file.sha256, sha256Hex(bytes));
    assert.equal(file.body.version, 1);
    assert.equal(file.verifiedUnder, authorityFingerprint(authority));
  });

  it('are not read before their signatures are verified', () => {
    const stranger = authorityFor('timestamp', repository.keys('snapshot'));
    const parse = (): never => assert.fail('content was read unverified');
    const act = (): unknown => verifyFile(bytes, stranger, { ...options, parse });
    throwsWithCode(act, TrustError, 'threshold_not_met');
  });

  it('name the role in whatever is wrong', () => {
    for (const junk of ['', '{}', '{"signed":{},"signatures":[]}']) {
      const act = (): unknown => verifyFile(utf8(junk), authority, options);
      const code = junk.includes('signed') ? 'threshold_not_met' : 'malformed';
      assert.equal(throwsWithCode(act, TrustError, code).detail['role'], 'timestamp');
    }
  });
});

describe('naming the role at fault', () => {
  it('keeps code, facts and cause', () => {
    const inner = new TrustError('malformed', 'odd', { detail: { field: 'x' } });
    const act = (): never =>
      withRole('targets', () => {
        throw inner;
      });
    const error = throwsWithCode(act, TrustError, 'malformed');
    assert.deepEqual(error.detail, { role: 'targets', field: 'x' });
    assert.equal(error.cause, inner);
  });

  it('leaves results, other errors and roles already named alone', () => {
    assert.equal(
      withRole('targets', () => 5),
      5,
    );
    for (const thrown of [
      new Error('other'),
      new TrustError('rollback', 'x', { detail: { role: 'root' } }),
    ]) {
      assert.throws(
        () =>
          withRole('targets', () => {
            throw thrown;
          }),
        (error) => error === thrown,
      );
    }
  });
});
