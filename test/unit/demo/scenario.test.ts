import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PullResult } from '../../../demo/engine.ts';
import { isAsExpected, type Played } from '../../../demo/scenario.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const OTHER = `sha256:${'b'.repeat(64)}`;
const served: PullResult = { verdict: 'pinned', digest: DIGEST, sentence: '', part: 'layer' };
const refused: PullResult = {
  verdict: 'refused',
  reason: 'tag_not_signed',
  sentence: '',
  part: 'tag',
};

const CASES: readonly (Omit<Played, 'asked'> & { readonly asked: string; readonly is: boolean })[] =
  [
    { asked: 'the signed digest', expected: { digest: DIGEST }, result: served, is: true },
    { asked: 'another digest', expected: { digest: OTHER }, result: served, is: false },
    { asked: 'a refusal instead', expected: { digest: DIGEST }, result: refused, is: false },
    { asked: 'the reason', expected: { reason: 'tag_not_signed' }, result: refused, is: true },
    { asked: 'another reason', expected: { reason: 'rollback' }, result: refused, is: false },
    { asked: 'served instead', expected: { reason: 'tag_not_signed' }, result: served, is: false },
    {
      asked: 'the reason, but not for certain',
      expected: { reason: 'tag_not_signed' },
      result: { ...refused, verdict: 'inconclusive' },
      is: false,
    },
  ];

for (const { is, ...played } of CASES) {
  test(`the demo judges ${played.asked} as ${is ? 'right' : 'wrong'}`, () => {
    assert.equal(isAsExpected(played), is);
  });
}
