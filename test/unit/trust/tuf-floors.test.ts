import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { changingSigned } from '../../support/damage.ts';
import type { TrustBench } from '../../support/trust-bench.ts';
import { verdictOf } from '../../support/trust-bench.ts';
import { tufBench } from '../../support/tuf-bench.ts';
import { TufRepository } from '../../support/tuf-repository.ts';

const CONTENT = { sha256: 'ab'.repeat(32), length: 100 };
const OTHER = { sha256: 'cd'.repeat(32), length: 200 };

function signedRepository(): TufRepository {
  const repository = new TufRepository();
  repository.sign('1.0', CONTENT);
  return repository;
}

async function digestOf(bench: TrustBench): Promise<string> {
  const { verdict, digest } = await verdictOf(bench, '1.0');
  return digest ?? verdict;
}

describe('TUF 1.0: what was trusted before', () => {
  test('another timestamp of the same version is passed over: the trusted one stays', async () => {
    const repository = signedRepository();
    const bench = tufBench(repository);
    await digestOf(bench);
    const version = bench.collection.state?.set?.timestamp.body.version ?? 0;
    repository.sign('1.0', OTHER);
    const edit = changingSigned((signed) => signed.set('version', version));
    bench.serve(repository.publish(new Map([['timestamp', edit]])));
    assert.equal(await digestOf(bench), `sha256:${CONTENT.sha256}`);
  });

  test('a timestamp may not list an older snapshot, even one signed with a new key', async () => {
    const repository = signedRepository();
    repository.setVersion('snapshot', 10);
    const bench = tufBench(repository);
    bench.serve(repository.publish());
    assert.equal(await digestOf(bench), `sha256:${CONTENT.sha256}`);
    repository.rotateKey('snapshot');
    repository.setVersion('snapshot', 5);
    bench.serve(repository.publish());
    bench.clock.advance(11 * 60_000);
    assert.equal(await digestOf(bench), 'rollback');
  });

  test('a snapshot may not drop a role that it listed', async () => {
    const repository = signedRepository();
    repository.addDelegation('team');
    repository.sign('2.0', CONTENT, 'team');
    const bench = tufBench(repository);
    assert.equal(await digestOf(bench), `sha256:${CONTENT.sha256}`);
    const edit = changingSigned((signed) => {
      const meta = signed.get('meta');
      assert.ok(meta instanceof Map);
      signed.set('meta', new Map([...meta].filter(([name]) => name !== 'team.json')));
    });
    bench.serve(repository.publish(new Map([['snapshot', edit]])));
    assert.equal(await digestOf(bench), 'rollback');
  });
});
