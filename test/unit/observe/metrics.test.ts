import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { parse } from 'yaml';
import { METRIC_TABLE, type MetricRow } from '../../../src/observe/metric-table.ts';
import { Metrics } from '../../../src/observe/metrics.ts';

const ROOT = new URL('../../../', import.meta.url);
const rows = new Map<string, MetricRow>(Object.entries(METRIC_TABLE));

async function withMetrics(
  test: (metrics: Metrics) => Promise<void>,
  rules: readonly { readonly rule: string; readonly trust: string }[] = [],
): Promise<void> {
  const metrics = new Metrics({ version: '1', rules, upstreams: ['docker.io'] });
  try {
    await test(metrics);
  } finally {
    metrics.stop();
  }
}

describe('metrics', () => {
  it('start at zero wherever all label values are known', async () => {
    await withMetrics(
      async (metrics) => {
        const text = await metrics.render();
        for (const series of [
          'pinnace_requests_total{kind="blob",verdict="inconclusive"} 0',
          'pinnace_refusals_total{reason="rollback",rule="docker.io/**",trust="corp"} 0',
          'pinnace_refusals_total{reason="no_rule",rule="none",trust="none"} 0',
          'pinnace_upstream_requests_total{upstream="docker.io",outcome="unreachable"} 0',
          'pinnace_cache_hits_total{cache="blob"} 0',
          'pinnace_bypass_suspected_total 0',
          'pinnace_first_use_admissions_total{trust="corp"} 0',
          'pinnace_request_duration_seconds_count{kind="manifest_tag"} 0',
          'pinnace_blobs_in_flight 0',
        ]) {
          assert.ok(text.includes(`${series}\n`), series);
        }
      },
      [{ rule: 'docker.io/**', trust: 'corp' }],
    );
  });

  it('find the trust source of a refusal by its rule', async () => {
    await withMetrics(
      async (metrics) => {
        metrics.countRefusal('rollback', 'a/**');
        metrics.countRefusal('rollback', 'unknown');
        const text = await metrics.render();
        assert.match(text, /reason="rollback",rule="a\/\*\*",trust="corp"\} 1/);
        assert.match(text, /reason="rollback",rule="unknown",trust="none"\} 1/);
      },
      [{ rule: 'a/**', trust: 'corp' }],
    );
  });

  it('count, raise to totals that others keep, and collect what others know', async () => {
    await withMetrics(async (metrics) => {
      let collected = 0;
      metrics.onCollect(() => {
        collected += 1;
        metrics.set('pinnace_cache_bytes', { cache: 'blob' }, 17);
      });
      metrics.countRequest('blob', 'pinned');
      metrics.countRequest('blob', 'pinned');
      metrics.raiseTo('pinnace_joined_requests_total', { kind: 'blob' }, 5);
      metrics.raiseTo('pinnace_joined_requests_total', { kind: 'blob' }, 3);
      metrics.observe('pinnace_verification_duration_seconds', { trust: 'corp' }, 0.2);
      await metrics.render();
      const text = await metrics.render();
      assert.equal(collected, 2);
      assert.match(text, /^pinnace_requests_total\{kind="blob",verdict="pinned"\} 2$/m);
      assert.match(text, /^pinnace_joined_requests_total\{kind="blob"\} 5$/m);
      assert.match(text, /^pinnace_cache_bytes\{cache="blob"\} 17$/m);
      assert.match(text, /^pinnace_verification_duration_seconds_count\{trust="corp"\} 1$/m);
      metrics.clear('pinnace_cache_bytes');
    });
  });

  it('read a tally when they are read, and share it between those who ask for the same', async () => {
    await withMetrics(async (metrics) => {
      const labels = { cache: 'blob' } as const;
      metrics.tally('pinnace_cache_hits_total', labels).total += 2;
      metrics.tally('pinnace_cache_hits_total', labels).total += 3;
      metrics.count('pinnace_cache_hits_total', labels);
      const line = /^pinnace_cache_hits_total\{cache="blob"\} 6$/m;
      assert.match(await metrics.render(), line);
      assert.match(await metrics.render(), line);
    });
  });

  it('count how long requests took in every bucket that is long enough', async () => {
    await withMetrics(async (metrics) => {
      for (const seconds of [0, 0.001, 0.0011, 0.6, 500]) metrics.observeRequest('blob', seconds);
      metrics.observeRequest('ping', 0.25);
      const text = await metrics.render();
      const lines = text.split('\n').filter((line) => line.includes('request_duration'));
      const of = (kind: string): readonly string[] =>
        lines
          .filter((line) => line.includes(`kind="${kind}"`))
          .map((line) => line.replace(/^pinnace_request_duration_seconds_|,?kind="\w+"/g, ''));
      assert.deepEqual(of('blob'), [
        ...['bucket{le="0.001"} 2', 'bucket{le="0.005"} 3', 'bucket{le="0.025"} 3'],
        ...['bucket{le="0.1"} 3', 'bucket{le="0.5"} 3', 'bucket{le="1"} 4', 'bucket{le="2.5"} 4'],
        ...['bucket{le="5"} 4', 'bucket{le="10"} 4', 'bucket{le="30"} 4', 'bucket{le="120"} 4'],
        ...['bucket{le="+Inf"} 5', 'sum{} 500.6021', 'count{} 5'],
      ]);
      assert.equal(of('ping').at(-2), 'sum{} 0.25');
      assert.equal(of('ping').at(-1), 'count{} 1');
    });
  });

  it('export everything that is declared, and the process', async () => {
    await withMetrics(async (metrics) => {
      const text = await metrics.render();
      for (const [name, { type }] of rows)
        assert.ok(text.includes(`# TYPE ${name} ${type}\n`), name);
      assert.match(text, /^process_cpu_seconds_total /m);
    });
  });

  it('have names with their base unit', () => {
    for (const [name, { type }] of rows) {
      assert.equal(name.endsWith('_total'), type === 'counter', name);
      if (type === 'histogram') assert.match(name, /_seconds$/);
    }
  });
});

describe('docs/metrics.md', () => {
  it('describes each metric with its type and labels, and no other', async () => {
    const text = await readFile(new URL('docs/metrics.md', ROOT), 'utf8');
    const sections = text.split(/^### /m).slice(1);
    const described = sections.map((section) => section.slice(0, section.indexOf('\n')));
    assert.deepEqual(described.toSorted(), [...rows.keys()].toSorted());
    for (const section of sections) {
      const [name = '', , facts = '', , meaning = ''] = section.split('\n');
      const row = rows.get(name);
      assert.ok(row);
      const labels = Object.keys(row.labels).map((label) => `\`${label}\``);
      const type = row.type.charAt(0).toUpperCase() + row.type.slice(1);
      const expected = labels.length === 0 ? 'No labels' : `Labels: ${labels.join(', ')}`;
      assert.equal(facts, `${type}. ${expected}.`, name);
      assert.ok(meaning.length > 20, `${name} has no meaning`);
    }
  });
});

describe('deploy/prometheus/alerts.yaml', () => {
  it('uses only metrics, labels and values that exist', async () => {
    const text = await readFile(new URL('deploy/prometheus/alerts.yaml', ROOT), 'utf8');
    const document: { groups: { rules: { alert: string; expr: string }[] }[] } = parse(text);
    const rules = document.groups.flatMap((group) => group.rules);
    assert.ok(rules.length > 10);
    for (const { alert, expr } of rules) {
      for (const [, name = '', selector = ''] of expr.matchAll(
        /(pinnace_\w+?)(?:_bucket)?\b(?:\{([^}]*)\})?/g,
      )) {
        const row = rows.get(name);
        assert.ok(row, `${alert} uses ${name}`);
        for (const [, label = '', values = ''] of selector.matchAll(/(\w+)=~?"([^"]*)"/g)) {
          const known = row.labels[label];
          assert.ok(known, `${alert}: ${name} has no label ${label}`);
          for (const value of values.split('|').map((each) => new RegExp(`^(?:${each})$`))) {
            assert.ok(
              known.some((one) => value.test(one)),
              `${alert}: ${label}=${value}`,
            );
          }
        }
      }
    }
  });
});
