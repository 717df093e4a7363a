import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type ParsedRange, parseRange } from '../../../src/oci/range.ts';

describe('parseRange', () => {
  type Row = readonly [
    header: string | undefined,
    size: number,
    range: ParsedRange | 'whole' | 'unsatisfiable',
  ];
  const rows: readonly Row[] = [
    [undefined, 10, 'whole'],
    ['bytes=0-', 10, { start: 0, end: 10 }],
    ['bytes=0-0', 10, { start: 0, end: 1 }],
    ['bytes=3-5', 10, { start: 3, end: 6 }],
    ['bytes=3-99', 10, { start: 3, end: 10 }],
    ['bytes=9-9', 10, { start: 9, end: 10 }],
    ['Bytes= 3-5 ', 10, { start: 3, end: 6 }],
    ['bytes=-4', 10, { start: 6, end: 10 }],
    ['bytes=-99', 10, { start: 0, end: 10 }],
    ['bytes=10-', 10, 'unsatisfiable'],
    ['bytes=99999999999999999999999-', 10, 'unsatisfiable'],
    ['bytes=3-99999999999999999999999', 10, { start: 3, end: 10 }],
    ['bytes=-0', 10, 'unsatisfiable'],
    ['bytes=0-', 0, 'unsatisfiable'],
    ['bytes=-5', 0, 'whole'],
    ['bytes=5-3', 10, 'whole'],
    ['bytes=-', 10, 'whole'],
    ['bytes=0-1,3-4', 10, 'whole'],
    ['bytes=1.5-', 10, 'whole'],
    ['bytes=+1-', 10, 'whole'],
    ['items=0-1', 10, 'whole'],
    ['', 10, 'whole'],
    [`bytes=${'0'.repeat(200)}-`, 10, 'whole'],
  ];
  for (const [header, size, range] of rows) {
    it(`${header?.slice(0, 40)} of ${size}`, () =>
      assert.deepEqual(parseRange(header, size), range));
  }

  it('never leaves the content', () => {
    const bound = fc.oneof(
      fc.constant(''),
      fc.nat(30).map(String),
      fc.bigInt({ min: 0n }).map(String),
    );
    fc.assert(
      fc.property(bound, bound, fc.nat(20), (first, last, size) => {
        const range = parseRange(`bytes=${first}-${last}`, size);
        if (typeof range === 'string') return;
        assert.ok(0 <= range.start && range.start < range.end && range.end <= size);
      }),
    );
  });
});
