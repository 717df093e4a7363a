import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { buildImage } from '../../support/images.ts';
import { PullBench } from './verified-pulls-setup.ts';

describe('trust files', () => {
  it('are those of the collection, with the rule that it is verified by', async () => {
    const bench = new PullBench();
    bench.release('1', buildImage());
    const found = await bench.trustFiles.trustFile(bench.repository, 'root.json', {});
    assert.ok(found?.verdict === 'pinned');
    assert.deepEqual(found.bytes, bench.publisher.bytes('root'));
    assert.equal(found.rule, 'registry.example.com/**');
    assert.equal(found.staleSeconds, undefined);
  });

  it('are given where the rule for some tags is verified and the one for all others is not', async () => {
    const match = 'registry.example.com/**';
    const requirement = { kind: 'verified', source: 'corp', signers: [] } as const;
    const bench = new PullBench([
      { match, requirement: { kind: 'unverified', reason: 'scratch' } },
      { match, tags: ['v*'], requirement },
    ]);
    bench.release('v1', buildImage());
    const found = await bench.trustFiles.trustFile(bench.repository, 'root.json', {});
    assert.ok(found?.verdict === 'pinned');
    assert.equal(found.rule, `${match}:v*`);
  });

  it('take a client that went away for what it is, not for a refusal', async () => {
    const bench = new PullBench();
    bench.release('1', buildImage());
    const signal = AbortSignal.abort(new RangeError('gone'));
    const asked = bench.trustFiles.trustFile(bench.repository, 'root.json', { signal });
    await assert.rejects(asked, RangeError);
  });

  it('of a collection that is refused are its refusal', async () => {
    const bench = new PullBench();
    const found = await bench.trustFiles.trustFile(bench.repository, 'root.json', {});
    assert.ok(found !== undefined && found.verdict !== 'pinned');
    assert.deepEqual([found.reason, found.rule], ['no_trust_data', 'registry.example.com/**']);
  });
});
