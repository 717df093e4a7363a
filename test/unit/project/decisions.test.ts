import assert from 'node:assert/strict';
import { test } from 'node:test';
import { projectFiles, textOf } from './project-files.ts';

const SECTIONS = ['Status', 'Context', 'Options considered', 'Decision', 'Consequences'] as const;
const ONE_PAGE = 90;
const records = projectFiles('docs/adr').map((path) => path.slice('docs/adr/'.length));

test('decisions are numbered without gaps', () => {
  assert.ok(records.length > 0);
  const numbers = records.map((name) => {
    assert.match(name, /^\d{4}-[a-z0-9-]+\.md$/);
    return Number(name.slice(0, 4));
  });
  assert.deepEqual(
    numbers.sort((one, other) => one - other),
    records.map((_, index) => index + 1),
  );
});

for (const name of records) {
  test(`${name} has its sections in order, on one page`, () => {
    const text = textOf(`docs/adr/${name}`);
    const titles = [...text.matchAll(/^## (.+)$/gm)].map(([, title]) => title);
    assert.deepEqual(titles, [...SECTIONS]);
    assert.match(text, new RegExp(`^# ${name.slice(0, 4)}: `));
    assert.ok(text.split('\n').length <= ONE_PAGE, 'longer than a page');
  });
}
