import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TrustError } from '../../../src/trust/errors.ts';
import {
  asArray,
  asBase64,
  asInteger,
  asObject,
  asString,
  asTime,
  malformed,
} from '../../../src/trust/fields.ts';
import { type JsonValue, NonPlainNumber } from '../../../src/trust/strict-json.ts';
import { throwsWithCode } from '../../support/reject-with-code.ts';

const VALUES: readonly (readonly [string, JsonValue | undefined])[] = [
  ['null', null],
  ['absent', undefined],
  ['a boolean', true],
  ['a string', 'text'],
  ['a number', 5],
  ['a number written otherwise', new NonPlainNumber(5)],
  ['an array', []],
  ['an object', new Map()],
];

const READERS: readonly (readonly [
  string,
  string,
  (value: JsonValue | undefined, where: string) => unknown,
])[] = [
  ['asObject', 'an object', asObject],
  ['asArray', 'an array', asArray],
  ['asString', 'a string', asString],
  ['asInteger', 'a number', (value, where) => asInteger(value, where, 1)],
];

describe('field kinds', () => {
  for (const [reader, wanted, read] of READERS) {
    for (const [kind, value] of VALUES) {
      it(`${reader} ${kind === wanted ? 'takes' : 'refuses'} ${kind}`, () => {
        if (kind === wanted) assert.equal(read(value, 'place'), value);
        else {
          const error = throwsWithCode(() => read(value, 'place'), TrustError, 'malformed');
          assert.equal(error.detail['field'], 'place');
        }
      });
    }
  }

  it('refuses an integer below its minimum and takes the minimum itself', () => {
    assert.equal(asInteger(0, 'n', 0), 0);
    assert.equal(asInteger(1, 'n', 1), 1);
    throwsWithCode(() => asInteger(0, 'n', 1), TrustError, 'malformed');
    throwsWithCode(() => asInteger(-1, 'n', 0), TrustError, 'malformed');
  });

  it('names the place of what is malformed', () => {
    const error = throwsWithCode(() => malformed('a.b', 'is odd'), TrustError, 'malformed');
    assert.deepEqual(error.detail, { field: 'a.b' });
  });
});

describe('base64 fields', () => {
  for (const [text, hex] of [
    ['', ''],
    ['AA==', '00'],
    ['AAE=', '0001'],
    ['AAEC', '000102'],
    ['+/+/', 'fbffbf'],
    ['AA\n==', '00'],
    ['A\r\nAEC\n', '000102'],
  ] as const) {
    it(`takes ${JSON.stringify(text)}`, () => {
      assert.equal(Buffer.from(asBase64(text, 'field')).toString('hex'), hex);
    });
  }

  for (const text of [
    'AA',
    'AA=',
    'AAE',
    'A===',
    'A',
    '====',
    '-_-_',
    'AA==AA==',
    'AA== ',
    ' AA==',
    'A A==',
    'AAEC!',
    '\u00c4AEC',
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      throwsWithCode(() => asBase64(text, 'field'), TrustError, 'malformed');
    });
  }

  it('refuses what is no string', () => {
    throwsWithCode(() => asBase64(7, 'field'), TrustError, 'malformed');
  });
});

describe('time fields', () => {
  for (const [text, iso] of [
    ['2026-11-23T00:00:00Z', '2026-11-23T00:00:00.000Z'],
    ['2026-11-23T23:59:59+00:00', '2026-11-23T23:59:59.000Z'],
    ['2026-11-22T16:00:00.5-08:00', '2026-11-23T00:00:00.500Z'],
    ['2026-11-23T00:00:00.000999999Z', '2026-11-23T00:00:00.000Z'],
    ['2026-11-23T00:00:00.999999999Z', '2026-11-23T00:00:00.999Z'],
    ['2024-02-29T12:00:00Z', '2024-02-29T12:00:00.000Z'],
    ['2026-12-31T23:59:59.12-12:30', '2027-01-01T12:29:59.120Z'],
    ['2026-01-01T00:30:00+05:30', '2025-12-31T19:00:00.000Z'],
  ] as const) {
    it(`takes ${text}`, () => {
      assert.equal(new Date(asTime(text, 'expires')).toISOString(), iso);
    });
  }

  for (const text of [
    '2026-11-23',
    '2026-11-23 00:00:00Z',
    '2026-11-23T00:00:00',
    '2026-11-23t00:00:00z',
    '2026-11-23T00:00Z',
    '2026-11-23T24:00:00Z',
    '2026-11-23T00:60:00Z',
    '2026-11-23T00:00:60Z',
    '2026-11-23T00:00:00.Z',
    '2026-11-23T00:00:00,5Z',
    '2026-11-23T00:00:00.1234567890Z',
    '2026-11-23T00:00:00+24:00',
    '2026-11-23T00:00:00+0100',
    '2026-13-01T00:00:00Z',
    '2026-00-01T00:00:00Z',
    '2026-11-00T00:00:00Z',
    '2026-11-32T00:00:00Z',
    '+002026-11-23T00:00:00Z',
    '12026-11-23T00:00:00Z',
    ' 2026-11-23T00:00:00Z',
    '2026-11-23T00:00:00Z ',
    '1795392000',
    '',
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      throwsWithCode(() => asTime(text, 'expires'), TrustError, 'malformed');
    });
  }

  for (const text of [
    '2026-02-29T00:00:00Z',
    '2026-02-30T00:00:00Z',
    '2026-04-31T00:00:00+01:00',
    '2100-02-29T00:00:00.5Z',
  ]) {
    it(`refuses ${text}, a day that the month does not have`, () => {
      throwsWithCode(() => asTime(text, 'expires'), TrustError, 'malformed');
    });
  }

  it('refuses what is no string', () => {
    throwsWithCode(() => asTime(1_795_392_000_000, 'expires'), TrustError, 'malformed');
  });
});
