import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { compareCodePoints, encodeCanonicalJson } from '../../../src/trust/canonical-json.ts';
import { type JsonValue, NonPlainNumber } from '../../../src/trust/strict-json.ts';
import {
  encodeWireJson,
  encodeCanonicalJson as independentCanonicalJson,
  type Json,
} from '../../support/notary-json.ts';
import { valueFrom } from './making.ts';

function textOf(value: JsonValue): string {
  return Buffer.from(encodeCanonicalJson(value)).toString('utf8');
}

describe('canonical JSON', () => {
  for (const [row, value, text] of [
    ['null', null, 'null'],
    ['true', true, 'true'],
    ['a number', -12, '-12'],
    ['a number written otherwise', new NonPlainNumber(1000), '1000'],
    ['an empty string', '', '""'],
    ['quotes and backslashes', 'a"b\\c', '"a\\"b\\\\c"'],
    ['control characters, raw', 'a\n\u0001\u007f', '"a\n\u0001\u007f"'],
    ['what HTML escapes', '<&>\u2028', '"<&>\u2028"'],
    ['an empty array', [], '[]'],
    ['an array in its order', [3, 1, [2]], '[3,1,[2]]'],
    ['an empty object', new Map(), '{}'],
    [
      'an object with sorted members',
      new Map<string, JsonValue>([
        ['b', 1],
        ['a', null],
        ['aa', new Map()],
        ['', false],
      ]),
      '{"":false,"a":null,"aa":{},"b":1}',
    ],
    ['a quoted member name', new Map([['a"', 1]]), '{"a\\"":1}'],
  ] as const) {
    it(`encodes ${row}`, () => {
      assert.equal(textOf(value), text);
    });
  }

  it('sorts names by code point, not by UTF-16 unit', () => {
    const sorted = [
      ...['z', '\ud7ff', '\ue000', '\uffff'],
      ...['\u{10000}', '\u{103fe}', '\u{103ff}', '\u{10ffff}'],
    ];
    const names = sorted.toReversed();
    assert.deepEqual([...names].sort(compareCodePoints), sorted);
    const members = new Map(names.map((name) => [name, 0]));
    const expected = `{${sorted.map((name) => `"${name}":0`).join(',')}}`;
    assert.equal(textOf(members), expected);
  });

  it('orders as the UTF-8 bytes do', () => {
    const text = fc.string({ unit: 'binary' }).filter((each) => each.isWellFormed());
    fc.assert(
      fc.property(text, text, (a, b) => {
        const bytes = Buffer.compare(Buffer.from(a, 'utf8'), Buffer.from(b, 'utf8'));
        assert.equal(Math.sign(compareCodePoints(a, b)), bytes);
      }),
      { numRuns: 500 },
    );
  });

  it('agrees with an encoder written independently', () => {
    const value = fc.letrec<{ any: Json }>((tie) => ({
      any: fc.oneof(
        { maxDepth: 5 },
        fc.constantFrom(null, true, false),
        fc.maxSafeInteger().map((number) => (number === 0 ? 0 : number)),
        fc.string({ unit: 'grapheme' }),
        fc.array(tie('any'), { maxLength: 4 }),
        fc
          .array(fc.tuple(fc.string({ unit: 'grapheme' }), tie('any')), { maxLength: 4 })
          .map((members) => new Map(members)),
      ),
    })).any;
    fc.assert(
      fc.property(value, (any) => {
        assert.ok(encodeWireJson(any).length > 0);
        assert.equal(textOf(valueFrom(any)), independentCanonicalJson(any).toString('utf8'));
      }),
    );
  });
});
