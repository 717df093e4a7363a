import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  type Challenge,
  MAX_CHALLENGE_LENGTH,
  parseChallenges,
} from '../../../src/oci/challenge.ts';

interface Row {
  readonly name: string;
  readonly value: string | readonly string[] | undefined;
  readonly expected: readonly Challenge[];
}

const ROWS: readonly Row[] = [
  { name: 'no field', value: undefined, expected: [] },
  { name: 'an empty field', value: '', expected: [] },
  {
    name: 'a registry asking for a token',
    value: 'Bearer realm="https://a.example/token",service="r",scope="repository:x:pull"',
    expected: [
      {
        scheme: 'bearer',
        realm: 'https://a.example/token',
        service: 'r',
        scope: 'repository:x:pull',
      },
    ],
  },
  {
    name: 'a scope with a comma, an error, and other case',
    value: 'BEARER Realm="r", SCOPE="repository:x:push,pull", error="invalid_token"',
    expected: [
      { scheme: 'bearer', realm: 'r', scope: 'repository:x:push,pull', error: 'invalid_token' },
    ],
  },
  { name: 'basic alone', value: 'Basic', expected: [{ scheme: 'basic' }] },
  {
    name: 'escapes in a quoted string',
    value: String.raw`Basic realm="a \"b\" \\c"`,
    expected: [{ scheme: 'basic', realm: String.raw`a "b" \c` }],
  },
  {
    name: 'several challenges in one line',
    value: 'Newauth realm="apps", type=1, title="Log in, \\"now\\"", Basic realm="simple"',
    expected: [{ scheme: 'basic', realm: 'simple' }],
  },
  {
    name: 'several lines',
    value: ['Negotiate', 'Bearer realm="r"', 'Basic realm="b"'],
    expected: [
      { scheme: 'bearer', realm: 'r' },
      { scheme: 'basic', realm: 'b' },
    ],
  },
  {
    name: 'a challenge in token68 form before one of ours',
    value: 'Negotiate YIICkQ==, Basic',
    expected: [{ scheme: 'basic' }],
  },
  {
    name: 'empty list elements and space round equals signs',
    value: ' , Basic , ,Bearer realm = "q" ,service\t=\tx,',
    expected: [{ scheme: 'basic' }, { scheme: 'bearer', realm: 'q', service: 'x' }],
  },
  {
    name: 'values without quotes that are no tokens',
    value: 'Bearer realm=https://a.example:5001/t?x=y,service=host:5000',
    expected: [{ scheme: 'bearer', realm: 'https://a.example:5001/t?x=y', service: 'host:5000' }],
  },
  { name: 'bearer without realm', value: 'Bearer service="s"', expected: [] },
  { name: 'bearer with an empty realm', value: 'Bearer realm=""', expected: [] },
  {
    name: 'a parameter named twice',
    value: 'Bearer realm="a",realm="b", Basic',
    expected: [{ scheme: 'basic' }],
  },
  { name: 'names of object members', value: '__proto__ constructor=x', expected: [] },
  { name: 'an open quote', value: 'Basic, Bearer realm="https://a', expected: [] },
  { name: 'no comma between parameters', value: 'Bearer realm="a" service="b"', expected: [] },
  { name: 'a control character in a value', value: 'Bearer realm="a\u0000b"', expected: [] },
  { name: 'no scheme', value: '="x"', expected: [] },
  { name: 'too many challenges', value: Array(17).fill('Basic'), expected: [] },
  {
    name: 'too many parameters',
    value: `Basic ${Array.from({ length: 40 }, (_, index) => `p${index}=x`).join(',')}`,
    expected: [],
  },
  { name: 'too long', value: `Basic realm="${'x'.repeat(MAX_CHALLENGE_LENGTH)}"`, expected: [] },
];

describe('parseChallenges', () => {
  for (const { name, value, expected } of ROWS) {
    it(`understands ${name}`, () => {
      assert.deepEqual(parseChallenges(value), expected);
    });
  }

  it('never throws and never gives back more than was there', () => {
    const pieces = fc.constantFrom(
      ...['Bearer', 'Basic', ' ', ',', '=', '"', '\\', 'realm', 'x', '\t', '\u00e9', '\n', ';'],
    );
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(pieces).map((all) => all.join('')),
    );
    fc.assert(
      fc.property(text, (value) => {
        for (const challenge of parseChallenges(value)) {
          assert.ok(['basic', 'bearer'].includes(challenge.scheme));
          assert.ok((challenge.realm ?? '').length <= value.length);
        }
      }),
    );
  });

  it('takes time in proportion to hostile input', () => {
    for (const unit of ['a', ' ', ',', '"', '\\"', 'a=', 'a,', 'Basic ', 'a =']) {
      const started = performance.now();
      parseChallenges(unit.repeat(MAX_CHALLENGE_LENGTH / unit.length));
      assert.ok(performance.now() - started < 1000);
    }
  });

  it('reads back whatever is written by the grammar', () => {
    const quote = (text: string): string => `"${text.replaceAll(/["\\]/g, '\\$&')}"`;
    const printable = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 60 });
    const members = {
      scheme: fc.constant('bearer' as const),
      realm: printable,
      service: printable,
      scope: printable,
    };
    const bearer = fc.record(members, { noNullPrototype: true });
    fc.assert(
      fc.property(fc.array(bearer, { maxLength: 5 }), (challenges) => {
        const lines = challenges.map(
          ({ realm, service, scope }) =>
            `Bearer realm=${quote(realm)}, service=${quote(service)},scope=${quote(scope)}`,
        );
        assert.deepEqual(parseChallenges(lines), challenges);
      }),
    );
  });
});
