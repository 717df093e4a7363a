import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { matchesPlatform, parsePlatform, platformOf } from '../../../src/oci/platform.ts';

describe('platforms', () => {
  it('are read from a configuration as os/architecture or os/architecture/variant', () => {
    assert.deepEqual(parsePlatform('linux/amd64'), { os: 'linux', architecture: 'amd64' });
    assert.deepEqual(parsePlatform('linux/arm/v7'), {
      os: 'linux',
      architecture: 'arm',
      variant: 'v7',
    });
    for (const text of ['', 'linux', 'linux/', '/amd64', 'Linux/amd64', 'linux/arm/v7/x', ' a/b']) {
      assert.equal(parsePlatform(text), undefined, JSON.stringify(text));
    }
  });

  const entries: readonly (readonly [row: string, value: unknown, expected: object | undefined])[] =
    [
      ['plain', { os: 'linux', architecture: 'amd64' }, { os: 'linux', architecture: 'amd64' }],
      [
        'with a variant',
        { os: 'linux', architecture: 'arm64', variant: 'v8' },
        { os: 'linux', architecture: 'arm64', variant: 'v8' },
      ],
      [
        'with an empty variant',
        { os: 'linux', architecture: 'arm64', variant: '' },
        { os: 'linux', architecture: 'arm64' },
      ],
      [
        'with a variant that is no text',
        { os: 'linux', architecture: 'arm64', variant: 8 },
        { os: 'linux', architecture: 'arm64' },
      ],
      ['of an attestation', { os: 'unknown', architecture: 'unknown' }, undefined],
      ['of unknown architecture', { os: 'linux', architecture: 'unknown' }, undefined],
      ['without an architecture', { os: 'linux' }, undefined],
      ['without an os', { architecture: 'amd64' }, undefined],
      ['absent', undefined, undefined],
      ['null', null, undefined],
      ['a text', 'linux/amd64', undefined],
    ];
  for (const [row, value, expected] of entries) {
    it(`are read from an index entry ${row}`, () => assert.deepEqual(platformOf(value), expected));
  }

  const pairs: readonly (readonly [one: string, other: string, matches: boolean])[] = [
    ['linux/amd64', 'linux/amd64', true],
    ['linux/amd64', 'linux/arm64', false],
    ['linux/amd64', 'windows/amd64', false],
    ['linux/arm64', 'linux/arm64/v8', true],
    ['linux/arm64/v8', 'linux/arm64', true],
    ['linux/arm/v7', 'linux/arm/v7', true],
    ['linux/arm/v7', 'linux/arm/v6', false],
  ];
  for (const [one, other, expected] of pairs) {
    it(`match: ${one} and ${other}, ${expected}`, () => {
      const [left, right] = [parsePlatform(one), parsePlatform(other)];
      assert.ok(left !== undefined && right !== undefined);
      assert.equal(matchesPlatform(left, right), expected);
    });
  }
});
