import assert from 'node:assert/strict';
import { existsSync, globSync } from 'node:fs';
import { dirname, normalize } from 'node:path';
import { describe, it } from 'node:test';
import { ACT_ONE } from '../../../demo/act-one.ts';
import { ACT_TWO } from '../../../demo/act-two.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { readTop, referencesIn, TOP, tableRows, testProblems } from './references.ts';

const DOCUMENTS = ['README.md', 'CHANGELOG.md', ...globSync('docs/**/*.md', { cwd: TOP })];
const DECISIONS = globSync('docs/adr/[0-9]*.md', { cwd: TOP }).sort();
const SECTIONS = ['Status', 'Context', 'Options considered', 'Decision', 'Consequences'];

describe('links', () => {
  for (const path of DOCUMENTS) {
    it(`of ${path} lead to files that are there, and to headings that they have`, () => {
      const broken = linksOf(path).filter((link) => !leadsSomewhere(path, link));
      assert.deepEqual(broken, []);
    });
  }
});

describe('README.md', () => {
  it('has 120 to 200 lines', () => {
    const lines = readTop('README.md').trimEnd().split('\n').length;
    assert.ok(lines >= 120 && lines <= 200, `${lines} lines`);
  });

  it('shows a configuration that can be used', async () => {
    const [, yaml = ''] = /^```yaml\n(.*?)^```/ms.exec(readTop('README.md')) ?? [];
    const options = {
      env: {},
      checkFiles: false,
      readFile: () => Promise.resolve(Buffer.from(yaml)),
    };
    const { config, warnings } = await loadConfig('/README.yaml', options);
    assert.equal(config.rules.length, 1);
    assert.deepEqual(warnings, []);
  });

  it('counts the pulls of the demo', () => {
    const [, pulls] = /^ {4}npm run demo .* (\d+) pulls /m.exec(readTop('README.md')) ?? [];
    assert.equal(Number(pulls), ACT_ONE.length + ACT_TWO.length);
  });

  it('guarantees ten facts, each with an end-to-end test that exists', () => {
    const rows = tableRows(readTop('README.md')).filter((row) => row.has('Proven by'));
    assert.equal(rows.length, 10);
    for (const row of rows) {
      const [, path = ''] =
        /\]\((test\/e2e\/[\w-]+\.test\.ts)\)/.exec(row.get('Proven by') ?? '') ?? [];
      const references = referencesIn(`\`${path}\` ${row.get('Proven by')}`);
      assert.deepEqual(references.flatMap(testProblems), []);
    }
  });
});

describe('docs/adr', () => {
  it('is numbered without a number twice', () => {
    const numbers = DECISIONS.map((path) => path.slice('docs/adr/'.length, 'docs/adr/0000'.length));
    assert.deepEqual([...new Set(numbers)], numbers);
  });

  for (const path of DECISIONS.filter((each) => each > 'docs/adr/0002')) {
    it(`${path} has every section, on one page`, () => {
      const text = readTop(path);
      const headings = [...text.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading);
      assert.deepEqual(headings, SECTIONS);
      assert.ok(text.split('\n').length <= 60, 'one page');
    });
  }
});

/** Targets of the links to other places of the repository. */
function linksOf(path: string): readonly string[] {
  const text = readTop(path).replaceAll(/^```.*?^```/gms, '');
  const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
  return targets.filter((target) => !/^[a-z]+:/.test(target));
}

function leadsSomewhere(from: string, link: string): boolean {
  const [file = '', heading] = link.split('#');
  const path = file === '' ? from : normalize(`${dirname(from)}/${file}`);
  if (!existsSync(`${TOP}${path}`)) return false;
  if (heading === undefined) return true;
  const anchors = [...readTop(path).matchAll(/^#+ (.+)$/gm)].map(([, text = '']) => anchorOf(text));
  return anchors.includes(heading);
}

/** The anchor that Markdown viewers make of a heading. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{Letter}\p{Number}\s_-]/gu, '')
    .replaceAll(' ', '-');
}
