import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Caller } from '../../../src/base/caller.ts';
import { parseDigest } from '../../../src/oci/digest.ts';
import { parseRepositoryName, parseTag } from '../../../src/oci/names.ts';
import { compilePolicy } from '../../../src/policy/policy.ts';
import type { Rule } from '../../../src/policy/rule.ts';
import { UpstreamError } from '../../../src/resolve/errors.ts';
import type { FetchedManifest } from '../../../src/resolve/ports.ts';
import { UnverifiedContent } from '../../../src/resolve/unverified-content.ts';
import { buildImage } from '../../support/images.ts';
import { rejectsWithCode } from '../../support/reject-with-code.ts';
import { GUN, PullBench } from './verified-pulls-setup.ts';

const requirement = { kind: 'verified', source: 'corp', signers: [] } as const;

function caller(name: string): Caller {
  return { source: 'staff', name, groups: new Set() };
}

describe('who may pull by rules for tags', () => {
  const rules: readonly Rule[] = [
    { match: GUN, requirement, clients: ['staff/alice', 'staff/bob'] },
    { match: GUN, requirement, tags: ['internal-*'], clients: ['staff/alice'] },
  ];
  for (const [who, tag, isAllowed] of [
    ['alice', 'internal-1', true],
    ['alice', undefined, true],
    ['bob', '1', true],
    ['bob', 'internal-1', false],
    // The digest may be that of an internal tag.
    ['bob', undefined, false],
    ['eve', '1', false],
  ] as const) {
    it(`${who} ${isAllowed ? 'may have' : 'may not have'} ${tag ?? 'a digest'}`, () => {
      const { pulls, repository } = new PullBench(rules);
      const asked = tag === undefined ? undefined : parseTag(tag);
      const refusal = pulls.forbids(repository, caller(who), asked);
      assert.equal(refusal?.reason, isAllowed ? undefined : 'client_forbidden');
    });
  }
});

describe('unverified content', () => {
  const image = buildImage();
  const other = buildImage({ message: 'other' });
  const repository = parseRepositoryName(GUN);
  const policy = compilePolicy([{ match: GUN, requirement }]);
  const content = (sent: FetchedManifest): UnverifiedContent =>
    new UnverifiedContent({
      policy,
      upstream: {
        fetchManifest: async () => sent,
        fetchByTagUnverified: async () => sent,
        fetchBlob: async () => await Promise.reject(new Error('not asked here')),
      },
      blobs: { open: async () => await Promise.reject(new Error('not asked here')) },
    });

  it('has the digest that was asked for, whatever the upstream sends', async () => {
    const digest = parseDigest(image.manifest.digest);
    const right = await content(image.manifest).manifestByDigest(repository, digest, undefined);
    assert.deepEqual([right.digest, right.bytes], [digest, image.manifest.bytes]);
    await rejectsWithCode(
      content(other.manifest).manifestByDigest(repository, digest, undefined),
      UpstreamError,
      'digest_mismatch',
    );
  });

  it('of a tag goes by the digest of its own bytes', async () => {
    const found = await content(other.manifest).manifestByTag(repository, parseTag('1'), undefined);
    assert.equal(found.digest, other.manifest.digest);
  });
});
