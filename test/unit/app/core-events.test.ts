import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AnswerCounts, AnswerMemory } from '../../../src/app/answer-memory.ts';
import { observedCoreEvents } from '../../../src/app/core-events.ts';
import type { Pin } from '../../../src/metadata/collection.ts';
import { TrustServerError } from '../../../src/metadata/errors.ts';
import { Log } from '../../../src/observe/log.ts';
import { Metrics } from '../../../src/observe/metrics.ts';
import { sha256Digest } from '../../../src/oci/digest.ts';
import type { ServedManifest } from '../../../src/resolve/pull-service.ts';
import { StateError } from '../../../src/store/errors.ts';
import { TrustError } from '../../../src/trust/errors.ts';

const KEY = { source: 'corp', gun: 'registry.example.com/team/app' };

class Observed {
  readonly lines: Record<string, unknown>[] = [];
  readonly metrics = new Metrics({ version: '0', processMetrics: false });
  isReleasing = false;
  readonly events = observedCoreEvents(
    new Log({ write: (line) => this.lines.push(JSON.parse(line)) }),
    this.metrics,
    () => this.isReleasing,
  );

  async metric(series: string): Promise<string | undefined> {
    const lines = (await this.metrics.render()).split('\n');
    return lines.find((line) => line.startsWith(`${series} `))?.slice(series.length + 1);
  }
}

describe('what the core reports', () => {
  for (const [name, failure, event] of [
    ['proved bad', new TrustError('rollback', 'it went back'), 'trust.refused'],
    [
      'not found out',
      new TrustServerError('trust_server_error', 'it failed'),
      'trust.refresh_failed',
    ],
    ['state', new StateError('state_unreadable', 'damaged'), 'state.error'],
    ['a defect', new TypeError('oops'), 'trust.refresh_failed'],
  ] as const) {
    it(`logs a failed refresh: ${name}`, (t) => {
      const observed = new Observed();
      t.after(() => observed.metrics.stop());
      observed.events.collections.refreshed(KEY, 5, failure);
      assert.deepEqual(
        observed.lines.map((line) => [line['event'], line['errorMessage']]),
        [[event, failure.message]],
      );
      observed.isReleasing = true;
      observed.events.collections.refreshed(KEY, 5, failure);
      assert.equal(observed.lines.length, 1);
    });
  }

  it('counts a failure of the state once, however many learn of it', async (t) => {
    const observed = new Observed();
    t.after(() => observed.metrics.stop());
    const error = new StateError('state_unreadable', 'damaged');
    observed.events.collections.refreshed(KEY, 5, error);
    for (let pull = 0; pull < 3; pull += 1) observed.events.stateFailed(error);
    assert.equal(await observed.metric('pinnace_state_errors_total'), '1');
    observed.events.stateFailed(new StateError('state_unreadable', 'damaged'));
    assert.equal(await observed.metric('pinnace_state_errors_total'), '2');
    assert.equal(observed.lines.length, 2);
  });

  it('says when an upstream limits the rate', async (t) => {
    const observed = new Observed();
    t.after(() => observed.metrics.stop());
    observed.events.upstream.request('docker.io', 'ok');
    observed.events.upstream.request('docker.io', 'redirected');
    observed.events.upstream.request('docker.io', 'rate_limited');
    const series = (outcome: string): string =>
      `pinnace_upstream_requests_total{upstream="docker.io",outcome="${outcome}"}`;
    assert.equal(await observed.metric(series('ok')), '2');
    assert.equal(await observed.metric(series('rate_limited')), '1');
    assert.deepEqual(
      observed.lines.map((line) => [line['event'], line['upstream']]),
      [['upstream.rate_limited', 'docker.io']],
    );
  });
});

describe('AnswerMemory', () => {
  it('counts answers at hand and answers made', () => {
    const kept = new Map<Pin, ServedManifest>();
    const counts = new AnswerCounts();
    const answers = new AnswerMemory(kept, counts);
    const pin: Pin = { role: 'targets', sha256: '0'.repeat(64), length: 2, freshUntil: 1 };
    const bytes = Buffer.from('{}');
    const answer: ServedManifest = {
      verdict: 'pinned',
      digest: sha256Digest(bytes),
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      bytes,
    };
    assert.equal(answers.get(pin), undefined);
    answers.set(pin, answer);
    assert.equal(answers.get(pin), answer);
    assert.equal(answers.get(pin), answer);
    assert.deepEqual([counts.hits, counts.misses], [2, 1]);
  });
});
