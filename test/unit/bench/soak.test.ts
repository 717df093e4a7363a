import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseExposition, sumOf } from '../../bench/exposition.ts';
import { durationSeconds } from '../../bench/soak/duration.ts';
import { Latencies } from '../../bench/soak/latencies.ts';
import { SHARES } from '../../bench/soak/mixture.ts';
import { kindAt } from '../../bench/soak/pace.ts';
import { soakPicture, soakTables } from '../../bench/soak/report.ts';
import type { SoakResult, SoakSample } from '../../bench/soak/result.ts';
import { riseOf, type SoakTotals, verdictsOf } from '../../bench/soak/verdict.ts';

const LATENCY = { count: 100, p50Ms: 1, p99Ms: 4, maxMs: 9 };
const LATENCIES = {
  'tag-get': LATENCY,
  'tag-head': LATENCY,
  'blob-4-kib': LATENCY,
  'blob-8-mib': LATENCY,
};
const GOOD: SoakTotals = { requests: 1_000, errors: 0, errorLines: 0, failed: 0, corrupt: 0 };

describe('how long a soak is', () => {
  const cases: readonly (readonly [string, number | undefined])[] = [
    ['10s', 10],
    ['60m', 3600],
    ['24h', 86_400],
    ['9s', undefined],
    ['25h', undefined],
    ['60', undefined],
    ['1.5h', undefined],
    ['60m ', undefined],
  ];
  for (const [text, seconds] of cases) {
    it(`"${text}"`, () => assert.equal(durationSeconds(text), seconds));
  }
});

describe('latencies', () => {
  it('are exact to 2 % at the percentiles, and to the last digit at the longest', () => {
    const latencies = new Latencies();
    for (let ms = 1; ms <= 1_000; ms += 1) latencies.add(ms / 10);
    const { count, p50Ms, p99Ms, maxMs } = latencies.summary;
    assert.equal(count, 1_000);
    assert.ok(p50Ms >= 50 && p50Ms <= 51, String(p50Ms));
    assert.ok(p99Ms >= 99 && p99Ms <= 100, String(p99Ms));
    assert.equal(maxMs, 100);
  });

  it('are zero where there are none, and bounded whatever comes', () => {
    assert.deepEqual(new Latencies().summary, { count: 0, p50Ms: 0, p99Ms: 0, maxMs: 0 });
    const latencies = new Latencies();
    for (const ms of [0, -1, 1e12]) latencies.add(ms);
    assert.equal(latencies.summary.maxMs, 1e12);
  });
});

it('a thousand requests in a row have exactly their shares of the mixture', () => {
  const counted = new Map<string, number>();
  for (let number = 5_000; number < 6_000; number += 1) {
    const kind = kindAt(number);
    counted.set(kind, (counted.get(kind) ?? 0) + 1);
  }
  assert.deepEqual(Object.fromEntries(counted), { ...SHARES });
});

it('metrics are read by series and summed by label', () => {
  const metrics = parseExposition('# HELP a b\na{x="1"} 2\na{x="2",y="1"} 3\nab 9\nplain 4\n');
  assert.equal(sumOf(metrics, 'a'), 5);
  assert.equal(sumOf(metrics, 'a', 'x="2"'), 3);
  assert.equal(sumOf(metrics, 'plain'), 4);
});

describe('the verdict of a soak', () => {
  it('holds where nothing was wrong and everything is flat', () => {
    const verdicts = verdictsOf(samples(), GOOD);
    assert.deepEqual(
      verdicts.filter(({ verdict }) => verdict !== 'kept'),
      [],
    );
    assert.ok(verdicts.length > 10);
  });

  const wrong: readonly (readonly [string, Partial<SoakTotals>])[] = [
    ['unexpected answers', { errors: 1 }],
    ['internal errors', { failed: 1 }],
    ['stored content that was not what its digest says', { corrupt: 1 }],
    ['lines in the log at level error', { errorLines: 1 }],
  ];
  for (const [what, totals] of wrong) {
    it(`does not hold with ${what}`, () => {
      assert.deepEqual(broken(samples(), { ...GOOD, ...totals }), [what]);
    });
  }

  const rising: readonly (readonly [string, (at: number) => Partial<SoakSample>])[] = [
    ['resident memory', (at) => ({ residentMib: 200 + 2 * at })],
    ['heap in use', (at) => ({ heapMib: 50 + 2 * at })],
    ['event-loop delay, p99', (at) => ({ loopP99Ms: 10 + at })],
    ['open files', (at) => ({ openFiles: 100 + 2 * at })],
    ['open sockets', (at) => ({ sockets: 50 + 2 * at })],
    [
      'latency of tag-get, p99',
      (at) => ({ latencies: { ...LATENCIES, 'tag-get': { ...LATENCY, p99Ms: 4 + at } } }),
    ],
  ];
  for (const [what, change] of rising) {
    it(`does not hold where ${what} rises`, () => {
      assert.deepEqual(broken(samples(change), GOOD), [what]);
    });
  }

  it('forgives one sample that stands out, and what happens in the first half', () => {
    const change = (at: number): Partial<SoakSample> => ({
      residentMib: at < 20 ? at * 10 : at === 30 ? 900 : 200,
    });
    assert.deepEqual(broken(samples(change), GOOD), []);
  });

  it('says nothing from too few samples', () => {
    const verdicts = verdictsOf(samples().slice(0, 28), GOOD);
    assert.deepEqual(
      verdicts.map(({ verdict }) => verdict),
      verdicts.map((_, index) => (index < 4 ? 'kept' : 'not judged')),
    );
  });
});

it('a rise is what lies between the middles of both halves, carried to the ends', () => {
  assert.equal(riseOf([1, 1, 1, 3, 3, 3]), 4);
  assert.equal(riseOf([5, 5, 100, 5]), 95);
  assert.equal(riseOf([1]), 0);
});

describe('what is shown of a soak', () => {
  const result: SoakResult = {
    machine: 'a machine',
    startedAt: '2026-11-23T10:00:00.000Z',
    seconds: 400,
    requestsPerSecond: 300,
    kinds: [{ kind: 'tag-get', ...LATENCY }],
    events: [{ at: 40, what: 'registry down' }],
    samples: samples(),
    problems: [],
    verdicts: verdictsOf(samples(), { ...GOOD, errors: 2 }),
  };

  it('tables of verdicts and latencies', () => {
    const tables = soakTables(result).replaceAll(/ +/g, ' ');
    assert.match(
      tables,
      /\| unexpected answers \| 2 of 1000 requests \| none \| \*\*not kept\*\* \|/,
    );
    assert.match(tables, /\| tag-get \| 100 \| 1\.00 \| 4\.00 \| 9\.00 \|/);
  });

  it('a picture without holes, with a bounded number of points', () => {
    const many = Array.from({ length: 3_000 }, (_, at) => ({ ...sampleAt(at), at: at * 10 }));
    const svg = soakPicture({ ...result, seconds: 30_000, samples: many });
    assert.doesNotMatch(svg, /NaN|Infinity|undefined/);
    assert.ok(svg.length < 60_000, String(svg.length));
  });
});

function sampleAt(at: number): SoakSample {
  return {
    at: at * 10,
    residentMib: 200,
    heapMib: 60,
    loopP99Ms: 10,
    loopMaxMs: 20,
    loadLoopP99Ms: 10,
    openFiles: 100,
    sockets: 50,
    cpu: 0.2,
    latencies: LATENCIES,
    errors: 0,
    excused: 0,
  };
}

function samples(change: (at: number) => Partial<SoakSample> = () => ({})): readonly SoakSample[] {
  return Array.from({ length: 40 }, (_, at) => ({ ...sampleAt(at), ...change(at) }));
}

function broken(seen: readonly SoakSample[], totals: SoakTotals): readonly string[] {
  return verdictsOf(seen, totals).flatMap(({ what, verdict }) =>
    verdict === 'kept' ? [] : [what],
  );
}
