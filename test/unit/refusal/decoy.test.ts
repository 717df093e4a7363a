import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { REASON_CODES } from '../../../src/base/reason-code.ts';
import { type Digest, hasDigest, parseDigest } from '../../../src/oci/digest.ts';
import { parseManifest } from '../../../src/oci/manifest.ts';
import { parseRegistryHost, parseRepositoryPath } from '../../../src/oci/names.ts';
import { type Decoy, DecoyIssuer, type DecoyOptions } from '../../../src/refusal/decoy.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const SECRET = new Uint8Array(32).fill(7);
const WINDOW_MS = 10 * 60 * 1000;
const registry = parseRegistryHost('docker.io');
const alpine = { registry, path: parseRepositoryPath('library/alpine') };
const busybox = { registry, path: parseRepositoryPath('library/busybox') };
const refusal = {
  reason: 'timestamp_expired',
  sentence: 'pinnace refused docker.io/library/alpine:3.20: its timestamp metadata expired',
} as const;

function issuer(options: Partial<DecoyOptions> = {}): DecoyIssuer {
  return new DecoyIssuer({ secret: SECRET, clock: new FakeClock(), ...options });
}

function partsOf(decoy: Decoy): readonly Digest[] {
  return parseManifest(decoy.bytes, decoy.mediaType).parts.map((part) => part.digest);
}

/** The text an engine would print. */
function printed(decoy: Decoy): string {
  const { parts } = parseManifest(decoy.bytes, decoy.mediaType);
  assert.equal(parts[0]?.mediaType, 'application/vnd.oci.image.config.v1+json');
  return parts[1]?.mediaType ?? '';
}

describe('DecoyIssuer.issue', () => {
  it('gives an image manifest with its digest, one config and one layer', () => {
    const decoy = issuer().issue(alpine, refusal);
    assert.ok(hasDigest(decoy.bytes, decoy.digest));
    assert.equal(decoy.mediaType, 'application/vnd.oci.image.manifest.v1+json');
    assert.equal(new Set(partsOf(decoy)).size, 2);
    const { parts } = parseManifest(decoy.bytes, decoy.mediaType);
    for (const part of parts) assert.ok(part.size > 500 && part.size < 5_000_000);
  });

  it('prints sentence, remedy and reason code', () => {
    const text = printed(issuer().issue(alpine, refusal));
    assert.ok(text.startsWith(refusal.sentence));
    assert.ok(text.includes('Ask the operator'));
    assert.ok(text.endsWith('(timestamp_expired)'));
  });

  it('prints one clean line of at most 500 characters, whatever the sentence', () => {
    const texts = fc.string({ unit: 'binary', maxLength: 2000 });
    const reasons = fc.constantFrom(...REASON_CODES);
    const decoys = issuer();
    fc.assert(
      fc.property(texts, reasons, (sentence, reason) => {
        const text = printed(decoys.issue(alpine, { reason, sentence }));
        assert.match(text, /^pinnace refused[\x20-\x7e]+$/);
        assert.doesNotMatch(text, /["\\]/);
        assert.ok(text.length <= 500);
        assert.ok(text.endsWith(`(${reason})`));
      }),
    );
  });

  it('gives the same bytes for the same refusal within a window, and others after it', () => {
    const clock = new FakeClock();
    const decoys = issuer({ clock });
    const first = decoys.issue(alpine, refusal);
    clock.advance(WINDOW_MS - 1);
    assert.deepEqual(decoys.issue(alpine, refusal), first);
    clock.advance(1);
    const next = decoys.issue(alpine, refusal);
    assert.notEqual(next.digest, first.digest);
    for (const digest of partsOf(next)) assert.ok(!partsOf(first).includes(digest));
  });

  it('gives the same bytes on each replica that shares the secret, and others elsewhere', () => {
    const first = issuer().issue(alpine, refusal);
    assert.deepEqual(issuer().issue(alpine, refusal), first);
    const other = issuer({ secret: new Uint8Array(32).fill(8) }).issue(alpine, refusal);
    for (const digest of partsOf(other)) assert.ok(!partsOf(first).includes(digest));
    const elsewhere = issuer().issue(busybox, refusal);
    for (const digest of partsOf(elsewhere)) assert.ok(!partsOf(first).includes(digest));
  });
});

describe('DecoyIssuer.manifest', () => {
  it('gives the same bytes again, for this repository only, in two windows', () => {
    const clock = new FakeClock();
    const decoys = issuer({ clock });
    const decoy = decoys.issue(alpine, refusal);
    assert.deepEqual(decoys.manifest(alpine, decoy.digest), decoy);
    assert.equal(decoys.manifest(busybox, decoy.digest), undefined);
    clock.advance(2 * WINDOW_MS - 1);
    assert.deepEqual(decoys.manifest(alpine, decoy.digest), decoy);
    clock.advance(1);
    assert.equal(decoys.manifest(alpine, decoy.digest), undefined);
  });

  it('remembers no more than it was told to', () => {
    const decoys = issuer({ maxRemembered: 2 });
    const issued = ['a', 'b', 'c'].map((sentence) =>
      decoys.issue(alpine, { ...refusal, sentence }),
    );
    const kept = issued.map((decoy) => decoys.manifest(alpine, decoy.digest) !== undefined);
    assert.deepEqual(kept, [false, true, true]);
  });
});

describe('DecoyIssuer.reasonOfBlob', () => {
  for (const reason of REASON_CODES) {
    it(`knows the parts of a decoy for ${reason} on another replica`, () => {
      for (const digest of partsOf(issuer().issue(alpine, { ...refusal, reason }))) {
        assert.equal(issuer().reasonOfBlob(alpine, digest), reason);
        assert.equal(issuer().reasonOfBlob(busybox, digest), undefined);
      }
    });
  }

  it('knows them in two windows, and where the clock is a little behind', () => {
    const clock = new FakeClock();
    const decoys = issuer({ clock });
    const [config] = partsOf(decoys.issue(alpine, refusal));
    assert.ok(config !== undefined);
    clock.advance(2 * WINDOW_MS - 1);
    assert.equal(decoys.reasonOfBlob(alpine, config), refusal.reason);
    clock.advance(1);
    assert.equal(decoys.reasonOfBlob(alpine, config), undefined);
    const behind = issuer({ clock: new FakeClock('2026-11-22T23:59:58Z') });
    assert.equal(behind.reasonOfBlob(alpine, config), refusal.reason);
  });

  it('knows no other content', () => {
    assert.equal(
      issuer().reasonOfBlob(alpine, parseDigest(`sha256:${'00'.repeat(32)}`)),
      undefined,
    );
    assert.equal(
      issuer().reasonOfBlob(alpine, parseDigest(`sha512:${'00'.repeat(64)}`)),
      undefined,
    );
  });
});

describe('new DecoyIssuer', () => {
  const rows: readonly (readonly [row: string, options: Partial<DecoyOptions>])[] = [
    ['a short secret', { secret: new Uint8Array(31) }],
    ['an empty window', { windowMs: 0 }],
    ['a window that is no number', { windowMs: Number.NaN }],
    ['no memory', { maxRemembered: 0 }],
  ];
  for (const [row, options] of rows) {
    it(`refuses ${row}`, () => assert.throws(() => issuer(options), RangeError));
  }
});
