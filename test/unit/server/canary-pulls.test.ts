import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { makeCanaryImage } from '../../../src/oci/canary.ts';
import { parseRepositoryName, parseTag } from '../../../src/oci/names.ts';
import { CanaryPulls } from '../../../src/server/canary-pulls.ts';
import { FakePullService } from '../../support/fake-pull-service.ts';

const NONCE = '00112233445566778899aabbccddeeff';

describe('CanaryPulls', () => {
  it('gives out the parts of a canary under the registry it was asked for alone', async () => {
    const upstreams = new Set(['docker.io', 'quay.io']);
    const listener = { name: 'hub', refusal: 'deny', isCompleteFirst: false } as const;
    const pulls = new CanaryPulls(new FakePullService(), listener, upstreams);
    const facts = { kind: 'signed', nonce: NONCE, registry: 'docker.io' } as const;
    const { index } = makeCanaryImage({ ...facts, listener: 'hub', refusal: 'deny' });
    const [own, other] = ['docker.io', 'quay.io'].map((registry) =>
      parseRepositoryName(`${registry}/pinnace-canary/signed`),
    );
    assert.ok(own !== undefined && other !== undefined);
    await pulls.manifestByTag(own, parseTag(NONCE), {});
    assert.equal((await pulls.manifestByDigest(own, index.digest, {})).verdict, 'pinned');
    assert.equal((await pulls.manifestByDigest(other, index.digest, {})).verdict, 'refused');
  });
});
