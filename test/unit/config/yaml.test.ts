import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ConfigError } from '../../../src/config/errors.ts';
import { loadConfig } from '../../../src/config/load.ts';
import type { ReadFile } from '../../../src/config/read-file.ts';
import { configOf, GOOD, load, problemsOf } from './loading.ts';

const CASES = [
  { name: 'empty file', yaml: '', line: undefined },
  { name: 'comments only', yaml: '# nothing\n', line: undefined },
  { name: 'a list', yaml: '- a\n', line: undefined },
  { name: 'a scalar', yaml: 'hello\n', line: undefined },
  { name: 'unclosed list', yaml: 'data: /d\nlisteners: [a\nadmin: x\n', line: 3 },
  { name: 'tab as indentation', yaml: 'data: /d\nlisteners:\n\ta: 1\n', line: 3 },
  { name: 'two documents', yaml: 'data: /d\n---\ndata: /e\n', line: 2 },
  { name: 'duplicate top key', yaml: `${GOOD}data: /other\n`, line: 14 },
  { name: 'unknown tag', yaml: `${GOOD}state: !secret { kind: sqlite }\n`, line: 14 },
  { name: 'a list as key', yaml: '? [a, b]\n: 1\n', line: undefined },
  { name: 'a value and a block at once', yaml: 'data: /d\n  x: 1\n', line: 1 },
  { name: 'very deep nesting', yaml: `data: ${'['.repeat(100_000)}`, line: 1 },
  { name: 'aliases that multiply', yaml: laughs(12), line: undefined },
  { name: 'a list that contains itself', yaml: 'policy: &a [*a, *a, *a, *a]\n', line: undefined },
  { name: 'larger than 1 MiB', yaml: `# ${'x'.repeat(1024 * 1024)}\n`, line: undefined },
];

for (const { name, yaml, line } of CASES) {
  test(`refused: ${name}`, async () => {
    const problems = await problemsOf(yaml);
    if (line !== undefined) assert.ok(problems.some((problem) => problem.line === line));
  });
}

test('the key that is written twice is named', async () => {
  const problems = await problemsOf(`${GOOD}data: /other\n`);
  assert.ok(problems[0]?.problem.includes('data'));
});

test('refused: bytes that are not UTF-8', async () => {
  const readFile: ReadFile = async () => Buffer.from([0x64, 0x3a, 0x20, 0xff, 0x0a]);
  await assert.rejects(loadConfig('/x.yaml', { env: {}, readFile }), ConfigError);
});

test('an alias may be used for a repeated block', async () => {
  const yaml = GOOD.replace(
    '{ url: https://registry.example.com }',
    '{ url: https://registry.example.com, timeouts: &t { connect: 5s } }\n  quay.io: { url: https://quay.io, timeouts: *t }',
  ).replace('policy:', 'policy:\n  - { match: "quay.io/**", allowUnverified: true, reason: test }');
  const config = await configOf(yaml);
  assert.equal(config.upstreams.get('quay.io')?.timeouts.connectMs, 5000);
});

test('names from Object.prototype are names like any other', async () => {
  const yaml = GOOD.replace('registry: {', 'constructor: {').replaceAll('corp', 'valueof');
  const config = await configOf(yaml);
  assert.equal(config.listeners[0]?.name, 'constructor');
  assert.ok(config.trust.has('valueof'));
  const problems = await problemsOf(GOOD.replace('trust: corp', 'trust: toString'));
  assert.deepEqual(
    problems.map((problem) => problem.path),
    ['policy[0].trust'],
  );
});

test('whatever is in the file, the outcome is a configuration or a ConfigError', async () => {
  const value = fc.oneof(
    fc.constantFrom('[]', '{}', 'null', '-1', '0s', 'true', '""', '{ a: { b: [1] } }', '[[], {}]'),
    fc.string({ maxLength: 12 }),
  );
  const lines = GOOD.split('\n');
  await fc.assert(
    fc.asyncProperty(fc.nat(lines.length - 1), value, async (at, text) => {
      const line = (lines[at] ?? '').replace(/:.*$/, () => `: ${text}`);
      await load(lines.with(at, line).join('\n')).catch((error: unknown) => {
        assert.ok(error instanceof ConfigError, String(error));
      });
    }),
    { numRuns: 300 },
  );
});

function laughs(levels: number): string {
  const lines = ['a0: &a0 [x, x, x, x]'];
  for (let level = 1; level < levels; level += 1) {
    const alias = `*a${level - 1}`;
    lines.push(`a${level}: &a${level} [${alias}, ${alias}, ${alias}, ${alias}]`);
  }
  return `${lines.join('\n')}\n`;
}
