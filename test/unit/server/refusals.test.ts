import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { REASON_CODES } from '../../../src/base/reason-code.ts';
import { REASON_TABLE } from '../../../src/refusal/reason-table.ts';
import { refusalFor } from '../../support/fake-pull-service.ts';
import { ociError, RegistryUnderTest } from '../../support/registry-under-test.ts';

const NAME = 'library/alpine';
const REPOSITORY = `docker.io/${NAME}`;

describe('refusals of a deny listener', () => {
  it('tells every reason by its status, in JSON, the same on HEAD but for the body', async () => {
    await using registry = await new RegistryUnderTest().start();
    // That one is told with a challenge, and never for a tag: callers.test.ts.
    for (const reason of REASON_CODES.filter((each) => each !== 'client_unauthorized')) {
      registry.pulls.refuseTag(REPOSITORY, reason, refusalFor(reason, { rule: 'docker.io/**' }));
      const path = `/v2/${NAME}/manifests/${reason}`;
      const [answer, head] = [await registry.get(path), await registry.head(path)];
      const row = REASON_TABLE[reason];
      assert.equal(answer.status, row.status, reason);
      assert.equal(head.status, row.status, reason);
      assert.equal(head.body.length, 0);
      assert.equal(ociError(answer).code, row.ociCode);
      assert.equal(ociError(answer).detail['code'], reason);
      for (const each of [answer, head]) {
        assert.equal(each.headers['content-type'], 'application/json');
        assert.equal(each.headers['cache-control'], 'no-store');
        assert.equal(each.headers['docker-distribution-api-version'], 'registry/2.0');
        assert.equal(each.headers['retry-after'], row.retryAfterSeconds?.toString());
      }
    }
  });

  it('passes on the wait that an upstream asked for', async () => {
    await using registry = await new RegistryUnderTest().start();
    const refusal = refusalFor('upstream_rate_limited', { retryAfterSeconds: 37 });
    registry.pulls.refuseTag(REPOSITORY, 'busy', refusal);
    const answer = await registry.get(`/v2/${NAME}/manifests/busy`);
    assert.equal(answer.status, 429);
    assert.equal(answer.headers['retry-after'], '37');
  });

  it('gives the decision id in the body, the header and the log line, with reason and rule', async () => {
    await using registry = await new RegistryUnderTest().start();
    const refusal = refusalFor('timestamp_expired', { rule: 'docker.io/library/**' });
    registry.pulls.refuseTag(REPOSITORY, '3.20', refusal);
    const answer = await registry.get(`/v2/${NAME}/manifests/3.20`);
    const { decision } = { decision: ociError(answer).detail['decision'] };
    assert.equal(answer.headers['x-pinnace-decision'], decision);
    const [line] = registry.logged('request');
    assert.equal(line?.['requestId'], decision);
    assert.equal(line?.['code'], 'timestamp_expired');
    assert.equal(line?.['verdict'], 'refused');
    assert.equal(line?.['rule'], 'docker.io/library/**');
    assert.equal(line?.['cause'], 'test of timestamp_expired');
    assert.equal(registry.refusals.of(REPOSITORY)[0]?.decision, decision);
  });

  it('counts requests and refusals', async () => {
    await using registry = await new RegistryUnderTest().start();
    registry.pulls.addTag(REPOSITORY, 'good', { body: '{}' });
    await registry.get(`/v2/${NAME}/manifests/good`);
    await registry.get(`/v2/${NAME}/manifests/unsigned`);
    await registry.get('/v2/nobody/knows/manifests/latest');
    await registry.get(`/v2/${NAME}/blobs/uploads/`, { method: 'POST' });
    const series = (kind: string, verdict: string): string =>
      `pinnace_requests_total{kind="${kind}",verdict="${verdict}"}`;
    assert.equal(await registry.metric(series('manifest_tag', 'pinned')), 1);
    assert.equal(await registry.metric(series('manifest_tag', 'refused')), 2);
    assert.equal(await registry.metric(series('other', 'rejected')), 1);
    const refusals = (reason: string): string =>
      `pinnace_refusals_total{reason="${reason}",rule="none",trust="none"}`;
    assert.equal(await registry.metric(refusals('tag_not_signed')), 1);
    assert.equal(await registry.metric(refusals('no_rule')), 1);
    assert.equal(await registry.metric(refusals('push_not_supported')), 1);
    assert.equal(await registry.metric(refusals('rollback')), 0);
  });

  it('marks an answer that is stale, and counts it', async () => {
    await using registry = await new RegistryUnderTest().start();
    registry.pulls.addTag(REPOSITORY, 'old', { body: '{}', staleSeconds: 75 });
    const answer = await registry.get(`/v2/${NAME}/manifests/old`);
    assert.equal(answer.status, 200);
    assert.match(answer.headers['warning'] ?? '', /^110 - ".*75 s.*"$/);
    assert.equal(await registry.metric('pinnace_stale_answers_total'), 1);
    assert.equal(registry.logged('request')[0]?.['staleSeconds'], 75);
  });

  it('answers an unforeseen error with 500 and an id, logs it with its stack, and lives on', async () => {
    await using registry = await new RegistryUnderTest().start();
    for (const isAtHand of [true, false]) {
      registry.pulls.hasAnswersAtHand = isAtHand;
      registry.pulls.defect = new TypeError('boom');
      const answer = await registry.get(`/v2/${NAME}/manifests/latest`);
      assert.equal(answer.status, 500);
      assert.equal(ociError(answer).detail['code'], 'internal');
      const id = ociError(answer).detail['decision'];
      const line = registry.logged('request.failed').find((each) => each['requestId'] === id);
      assert.equal(line?.['errorMessage'], 'boom');
      assert.ok(Array.isArray(line?.['stack']));
      registry.pulls.defect = undefined;
      assert.equal((await registry.get('/v2/')).status, 200);
    }
    assert.equal(
      registry.logged('request').find((each) => each['status'] === 500)?.['level'],
      'error',
    );
  });
});

describe('suspected bypass', () => {
  const told = '{"schemaVersion":2}';
  const other = `sha256:${'e'.repeat(64)}`;

  it('reports an engine that was refused a tag and then knows a digest, once per refusal', async () => {
    await using registry = await new RegistryUnderTest().start();
    registry.pulls.addTag(REPOSITORY, 'good', { body: told });
    await registry.head(`/v2/${NAME}/manifests/unsigned`);
    await registry.head(`/v2/${NAME}/manifests/${other}`);
    await registry.get(`/v2/${NAME}/manifests/${other}`);
    assert.equal(await registry.metric('pinnace_bypass_suspected_total'), 1);
    const [line] = registry.logged('bypass.suspected');
    assert.equal(line?.['client'], '127.0.0.1');
    assert.equal(line?.['repository'], REPOSITORY);
    assert.equal(line?.['listener'], 'test');
    assert.equal(line?.['refusedTag'], 'unsigned');
    assert.equal(line?.['reason'], 'tag_not_signed');
    assert.equal(line?.['digest'], other);
  });

  it('says nothing of other engines, other repositories, later requests, or digests that were told', async () => {
    await using registry = await new RegistryUnderTest().start();
    const child = registry.pulls.addTag(REPOSITORY, 'child', { body: '{"child":true}' });
    const body = `{"manifests":[{"digest":"${child.digest}"}]}`;
    const index = registry.pulls.addTag(REPOSITORY, 'good', { body });
    await registry.get(`/v2/${NAME}/manifests/unsigned`);
    await registry.get(`/v2/${NAME}/manifests/${other}`, { localAddress: '127.0.0.9' });
    await registry.get(`/v2/library/busybox/manifests/${other}`);
    await registry.head(`/v2/${NAME}/manifests/good`);
    await registry.get(`/v2/${NAME}/manifests/${index.digest}`);
    await registry.get(`/v2/${NAME}/manifests/${child.digest}`);
    registry.clock.advance(5 * 60_000 + 1);
    await registry.get(`/v2/${NAME}/manifests/${other}`);
    assert.equal(await registry.metric('pinnace_bypass_suspected_total'), 0);
  });
});
