import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { repeatedMember } from '../../../src/oci/unique-members.ts';

describe('repeatedMember', () => {
  const rows: readonly (readonly [json: string, name: string | undefined])[] = [
    ['{}', undefined],
    ['"a"', undefined],
    ['{"a":1,"b":1}', undefined],
    ['{"a":1,"a":1}', 'a'],
    ['{"a":{"b":1},"c":{"b":1}}', undefined],
    ['{"a":[{"b":1},{"b":1,"c":[],"b":2}]}', 'b'],
    ['{"a":"a","b":["a","a"]}', undefined],
    ['{"a":1,"\\u0061" :1}', 'a'],
    ['{"a":"\\"a\\":","b":"}{","c":1}', undefined],
    ['{"a\\\\":1,"a":1}', undefined],
    ['{"":1 , "" :1}', ''],
    ['{"__proto__":1,"constructor":2}', undefined],
  ];
  for (const [json, name] of rows) it(json, () => assert.equal(repeatedMember(json), name));

  it('finds nothing in what was written from objects', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(0, 1), (value, indent) => {
        assert.equal(repeatedMember(JSON.stringify(value, undefined, indent)), undefined);
      }),
    );
  });
});
