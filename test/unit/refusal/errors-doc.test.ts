import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { REASON_CODES } from '../../../src/base/reason-code.ts';
import { parseRegistryHost, parseRepositoryPath } from '../../../src/oci/names.ts';
import { describeRefusal } from '../../../src/refusal/describe-refusal.ts';
import { REASON_TABLE } from '../../../src/refusal/reason-table.ts';

const DOCUMENT = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8');
const ANSWER = /^(\d{3}) `([A-Z_]+)`, (refused|inconclusive)\. Who acts: \S.*\.$/;

/** The text below each third-level heading, by heading. */
const sections: ReadonlyMap<string, string> = new Map(
  DOCUMENT.split(/^### /m)
    .slice(1)
    .map((section) => {
      const [heading = '', ...lines] = section.split('\n');
      return [heading.replaceAll('`', ''), lines.join('\n').split(/^## /m)[0] ?? ''];
    }),
);

describe('docs/errors.md', () => {
  it('has one heading for each reason code and no other', () => {
    assert.deepEqual([...sections.keys()].sort(), [...REASON_CODES].sort());
    assert.equal(DOCUMENT.match(/^### /gm)?.length, REASON_CODES.length);
  });

  for (const code of REASON_CODES) {
    it(`says of ${code} what the table says`, () => {
      const [answer = '', ...text] = (sections.get(code) ?? '').trim().split('\n\n');
      const [, status, ociCode, verdict] = ANSWER.exec(answer) ?? [];
      const row = REASON_TABLE[code];
      assert.deepEqual([status, ociCode, verdict], [String(row.status), row.ociCode, row.verdict]);
      assert.ok(text.join(' ').length > 60, 'a paragraph says what happened and what to do');
    });
  }

  it('shows an example that is what Pinnace writes', () => {
    const example: unknown = JSON.parse(/```json\n(.*?)```/s.exec(DOCUMENT)?.[1] ?? '');
    const registry = parseRegistryHost('docker.io');
    const repository = { registry, path: parseRepositoryPath('library/alpine') };
    const { body } = describeRefusal(
      {
        verdict: 'refused',
        reason: 'timestamp_expired',
        cause: 'timestamp metadata has expired',
        facts: { role: 'timestamp', expiresAt: '2026-11-20T00:00:00.000Z' },
      },
      { repository, reference: '3.20' },
      { decision: '0b6e1c' },
    );
    assert.deepEqual(example, JSON.parse(body));
  });
});
