import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { TrustError } from '../../../src/trust/errors.ts';
import { type JsonValue, NonPlainNumber, parseStrictJson } from '../../../src/trust/strict-json.ts';
import { throwsWithCode } from '../../support/reject-with-code.ts';
import { utf8 } from './making.ts';

function parseText(text: string): JsonValue | undefined {
  return parseStrictJson(utf8(`{"v":${text}}`)).get('v');
}

function plain(value: JsonValue | undefined): unknown {
  if (value instanceof Map) {
    return Object.fromEntries([...value].map(([name, member]) => [name, plain(member)]));
  }
  if (Array.isArray(value)) return value.map(plain);
  return value instanceof NonPlainNumber ? value.value : value;
}

describe('strict JSON: values', () => {
  for (const [text, value] of [
    ['null', null],
    ['true', true],
    ['false', false],
    ['0', 0],
    ['-7', -7],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
    ['-9007199254740991', Number.MIN_SAFE_INTEGER],
    ['""', ''],
    ['"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"\\/\b\f\n\r\t'],
    ['"\\u00e9\\u0000\\uABcd"', '\u00e9\u0000\uabcd'],
    ['"\\ud83d\\ude00"', '\u{1f600}'],
    ['"\u007f\u{1f600}"', '\u007f\u{1f600}'],
    ['[]', []],
    ['[1,[2],"3"]', [1, [2], '3']],
    [' \t\r\n[ 1 , 2 ] \n', [1, 2]],
  ] as const) {
    it(`reads ${JSON.stringify(text)}`, () => {
      assert.deepEqual(parseText(text), value);
    });
  }

  it('keeps members in a map, in order, whatever they are called', () => {
    const parsed = parseStrictJson(
      utf8('{ "__proto__" : {"polluted": true} , "constructor":1, "toString":2, "":3}'),
    );
    assert.deepEqual([...parsed.keys()], ['__proto__', 'constructor', 'toString', '']);
    assert.deepEqual(parsed.get('__proto__'), new Map([['polluted', true]]));
    assert.equal(Reflect.get({}, 'polluted'), undefined);
  });

  it('takes an empty object and white space on both sides', () => {
    assert.equal(parseStrictJson(utf8('\n\t { \r\n } \n')).size, 0);
  });

  for (const [text, value] of [
    ['1.0', 1],
    ['1e3', 1000],
    ['1E+3', 1000],
    ['10e-1', 1],
    ['-0', 0],
    ['0.0', 0],
    ['-0.0', 0],
  ] as const) {
    it(`keeps in mind that ${text} was not written as a plain integer`, () => {
      const parsed = parseText(text);
      assert.ok(parsed instanceof NonPlainNumber);
      assert.ok(Object.is(parsed.value, value));
    });
  }
});

describe('strict JSON: refusals', () => {
  for (const [row, text] of [
    ['an empty document', ''],
    ['white space only', '  \n'],
    ['an array as document', '[]'],
    ['a string as document', '"{}"'],
    ['null as document', 'null'],
    ['a number as document', '1'],
    ['two documents', '{}{}'],
    ['garbage behind', '{} x'],
    ['NUL behind', '{}\u0000'],
    ['a byte order mark', '\ufeff{}'],
    ['a form feed as white space', '{\f}'],
    ['a no-break space as white space', '{\u00a0}'],
    ['a duplicate member', '{"a":1,"a":1}'],
    ['a duplicate member in disguise', '{"a":1,"\\u0061":2}'],
    ['a duplicate member further down', '{"x":[{"b":1,"c":2,"b":3}]}'],
    ['a duplicate __proto__', '{"__proto__":1,"__proto__":2}'],
    ['a trailing comma in an object', '{"a":1,}'],
    ['a trailing comma in an array', '{"a":[1,]}'],
    ['a leading comma', '{,"a":1}'],
    ['a missing comma in an object', '{"a":1 "b":2}'],
    ['a missing comma in an array', '{"a":[1 2]}'],
    ['a missing colon', '{"a" 1}'],
    ['an equals sign', '{"a"=1}'],
    ['a bare member name', '{a:1}'],
    ['a single-quoted name', "{'a':1}"],
    ['a number as member name', '{1:1}'],
    ['something else in place of the first quote of a name', '{xa":1}'],
    ['a digit in place of the first quote of a name', '{"b":1,2a":1}'],
    ['a misspelt true', '{"a":trxe}'],
    ['a misspelt false', '{"a":fals3}'],
    ['a misspelt null', '{"a":nuLL}'],
    ['a missing value', '{"a":}'],
    ['a comment', '{"a":1/* */}'],
    ['an unclosed object', '{"a":1'],
    ['an unclosed array', '{"a":[1'],
    ['an unclosed string', '{"a":"x'],
    ['an unclosed name', '{"a'],
    ['a string ending in a backslash', '{"a":"x\\'],
    ['a raw line break in a string', '{"a":"x\ny"}'],
    ['a raw NUL in a string', '{"a":"\u0000"}'],
    ['a raw tab in a string', '{"a":"\t"}'],
    ['an unknown escape', '{"a":"\\x41"}'],
    ['an escaped quote of the other kind', '{"a":"\\\'"}'],
    ['a short unicode escape', '{"a":"\\u12"}'],
    ['a unicode escape with a sign', '{"a":"\\u+123"}'],
    ['a unicode escape with a space', '{"a":"\\u 123"}'],
    ['a lone high surrogate', '{"a":"\\ud800"}'],
    ['a lone low surrogate', '{"a":"\\udc00"}'],
    ['surrogates the wrong way round', '{"a":"\\udc00\\ud800"}'],
    ['a lone surrogate in a name', '{"\\ud800":1}'],
    ['a leading zero', '{"a":01}'],
    ['a leading plus', '{"a":+1}'],
    ['a bare point', '{"a":.5}'],
    ['a point without digits', '{"a":1.}'],
    ['an exponent without digits', '{"a":1e}'],
    ['a lone minus', '{"a":-}'],
    ['hexadecimal', '{"a":0x10}'],
    ['NaN', '{"a":NaN}'],
    ['Infinity', '{"a":Infinity}'],
    ['undefined', '{"a":undefined}'],
    ['True', '{"a":True}'],
    ['a literal cut short', '{"a":tru}'],
    ['nul', '{"a":nul}'],
    ['a literal run together with a digit', '{"a":true1}'],
    ['a fraction', '{"a":1.5}'],
    ['a tiny fraction', '{"a":1e-1}'],
    ['an integer above the safe ones', '{"a":9007199254740992}'],
    ['an integer below the safe ones', '{"a":-9007199254740992}'],
    ['a number without end', '{"a":1e400}'],
  ] as const) {
    it(`refuses ${row}`, () => {
      const error = throwsWithCode(() => parseStrictJson(utf8(text)), TrustError, 'malformed');
      assert.equal(typeof error.detail['offset'], 'number');
    });
  }

  for (const [row, bytes] of [
    ['a lone continuation byte', [0x7b, 0x22, 0x80, 0x22, 0x7d]],
    ['an overlong encoding', [0x7b, 0x22, 0xc0, 0xa2, 0x22, 0x7d]],
    ['an encoded surrogate', [0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x7d]],
    ['UTF-16', [0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00]],
  ] as const) {
    it(`refuses ${row}: not UTF-8`, () => {
      const error = throwsWithCode(
        () => parseStrictJson(Uint8Array.from(bytes)),
        TrustError,
        'malformed',
      );
      assert.ok(error.cause instanceof TypeError);
    });
  }

  it('takes 64 levels and refuses one more, whichever bracket', () => {
    const nested = (open: string, close: string, levels: number): Uint8Array =>
      utf8(`{"a":${open.repeat(levels)}1${close.repeat(levels)}}`);
    assert.equal(parseStrictJson(nested('[', ']', 63)).size, 1);
    assert.equal(parseStrictJson(nested('{"b":', '}', 63)).size, 1);
    for (const [open, close] of [
      ['[', ']'],
      ['{"b":', '}'],
    ] as const) {
      throwsWithCode(() => parseStrictJson(nested(open, close, 64)), TrustError, 'malformed');
      throwsWithCode(() => parseStrictJson(nested(open, close, 100_000)), TrustError, 'malformed');
    }
  });
});

describe('strict JSON: properties', () => {
  it('reads what JSON.stringify writes, white space or not', () => {
    const value = fc.letrec<{ any: unknown }>((tie) => ({
      any: fc.oneof(
        { maxDepth: 6 },
        fc.constantFrom(null, true, false),
        fc.maxSafeInteger().map((number) => (number === 0 ? 0 : number)),
        fc.string({ unit: 'grapheme' }),
        fc.array(tie('any'), { maxLength: 4 }),
        fc.dictionary(fc.string({ unit: 'grapheme' }), tie('any'), {
          maxKeys: 4,
          noNullPrototype: true,
        }),
      ),
    })).any;
    fc.assert(
      fc.property(value, fc.constantFrom(0, 2), (any, indent) => {
        const parsed = parseStrictJson(utf8(JSON.stringify({ any }, null, indent))).get('any');
        assert.deepEqual(plain(parsed), JSON.parse(JSON.stringify(any)));
      }),
    );
  });

  it('never takes what JSON.parse refuses, and never fails but with a TrustError', () => {
    const text = fc.oneof(
      fc.string({ unit: fc.constantFrom(...'{}[]",:\\u0019e-. \ntruefalsn') }),
      fc.json().map((json) => `{"a":${json}}`),
    );
    fc.assert(
      fc.property(text, (json) => {
        let parsed: unknown;
        try {
          parsed = plain(parseStrictJson(utf8(json)));
        } catch (error) {
          assert.ok(error instanceof TrustError);
          return;
        }
        assert.deepEqual(parsed, JSON.parse(json));
      }),
      { numRuns: 500 },
    );
  });
});
