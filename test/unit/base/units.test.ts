import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  DURATION_FORM,
  formatDuration,
  formatSize,
  parseDuration,
  parseSize,
  SIZE_FORM,
  UnitError,
} from '../../../src/base/units.ts';

const GOOD = [
  { text: '0s', parse: parseDuration, value: 0 },
  { text: '500ms', parse: parseDuration, value: 500 },
  { text: '60s', parse: parseDuration, value: 60_000 },
  { text: '5m', parse: parseDuration, value: 300_000 },
  { text: '1h', parse: parseDuration, value: 3_600_000 },
  { text: '2d', parse: parseDuration, value: 172_800_000 },
  { text: '0B', parse: parseSize, value: 0 },
  { text: '4096B', parse: parseSize, value: 4096 },
  { text: '1KB', parse: parseSize, value: 1000 },
  { text: '64MiB', parse: parseSize, value: 67_108_864 },
  { text: '10GB', parse: parseSize, value: 10_000_000_000 },
  { text: '200GiB', parse: parseSize, value: 214_748_364_800 },
];

for (const { text, parse, value } of GOOD) {
  test(`${text} is read by ${parse.name}`, () => assert.equal(parse(text), value));
}

const BAD = [
  { text: '60', parse: parseDuration, code: 'unit_missing', suggestion: '60s' },
  { text: '60S', parse: parseDuration, code: 'unit_unknown', suggestion: '60s' },
  { text: '5min', parse: parseDuration, code: 'unit_unknown', suggestion: '5m' },
  { text: '5 m', parse: parseDuration, code: 'unit_unknown', suggestion: '5m' },
  { text: '5M', parse: parseDuration, code: 'unit_unknown', suggestion: '5m' },
  { text: '5w', parse: parseDuration, code: 'unit_unknown', suggestion: undefined },
  { text: '1.5h', parse: parseDuration, code: 'unit_unknown', suggestion: undefined },
  { text: '-1s', parse: parseDuration, code: 'not_a_number', suggestion: undefined },
  { text: '', parse: parseDuration, code: 'not_a_number', suggestion: undefined },
  { text: 's', parse: parseDuration, code: 'not_a_number', suggestion: undefined },
  { text: '1s\n', parse: parseDuration, code: 'not_a_number', suggestion: undefined },
  { text: '999999999999999d', parse: parseDuration, code: 'too_large', suggestion: undefined },
  { text: '64', parse: parseSize, code: 'unit_missing', suggestion: '64B' },
  { text: '64M', parse: parseSize, code: 'unit_unknown', suggestion: '64MiB' },
  { text: '64mib', parse: parseSize, code: 'unit_unknown', suggestion: '64MiB' },
  { text: '64s', parse: parseSize, code: 'unit_unknown', suggestion: undefined },
];

for (const { text, parse, code, suggestion } of BAD) {
  test(`${JSON.stringify(text)} is refused by ${parse.name}`, () => {
    assert.throws(
      () => parse(text),
      (error) =>
        error instanceof UnitError &&
        error.code === code &&
        error.detail['suggestion'] === suggestion,
    );
  });
}

test('what is formatted is read back as it was', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (value) => {
      assert.equal(parseDuration(formatDuration(value)), value);
      assert.equal(parseSize(formatSize(value)), value);
    }),
  );
});

test('the forms for schemas agree with the parsers', () => {
  const text = fc.stringMatching(/^[0-9]{0,3}[a-zA-Z]{0,3}$/);
  fc.assert(
    fc.property(text, (word) => {
      assert.equal(new RegExp(DURATION_FORM).test(word), accepts(parseDuration, word));
      assert.equal(new RegExp(SIZE_FORM).test(word), accepts(parseSize, word));
    }),
  );
});

test('the longest exact unit is used', () => {
  assert.equal(formatDuration(90_000), '90s');
  assert.equal(formatDuration(3_600_000), '1h');
  assert.equal(formatSize(67_108_864), '64MiB');
  assert.equal(formatSize(10_000_000_000), '10GB');
});

function accepts(parse: (text: string) => number, text: string): boolean {
  try {
    parse(text);
    return true;
  } catch (error) {
    assert.ok(error instanceof UnitError);
    return false;
  }
}
