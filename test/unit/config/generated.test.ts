import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parse } from 'yaml';
import { renderConfigurationDoc, renderJsonSchema } from '../../../scripts/generate-config-docs.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { configRoot, type SchemaNode, visitValues } from '../../../src/config/schema-node.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const ROOT = new URL('../../../', import.meta.url);

function read(name: string): string {
  return readFileSync(new URL(name, ROOT), 'utf8');
}

test('docs/configuration.md is what the schema says (node scripts/generate-config-docs.ts)', () => {
  assert.equal(read('docs/configuration.md'), renderConfigurationDoc());
});

test('config/pinnace.schema.json is what the schema says (node scripts/generate-config-docs.ts)', () => {
  assert.equal(read('config/pinnace.schema.json'), renderJsonSchema());
});

test('the example in the documentation is config/minimal.yaml', () => {
  const example = /```yaml\n([\s\S]*?)```/.exec(read('docs/configuration.md'))?.[1];
  assert.deepEqual(parse(example ?? ''), parse(read('config/minimal.yaml')));
});

for (const name of readdirSync(new URL('config/', ROOT)).filter((file) => file.endsWith('.yaml'))) {
  test(`config/${name} loads without a warning`, async () => {
    const path = new URL(`config/${name}`, ROOT).pathname;
    const { warnings } = await loadConfig(path, {
      env: {},
      checkFiles: false,
      // Exceptions end, also those of examples.
      clock: new FakeClock('2026-11-23T00:00:00Z'),
    });
    assert.deepEqual(warnings, []);
  });
}

test('config/reference.yaml has every key, and the defaults are the defaults', () => {
  const root = configRoot();
  const data: unknown = parse(read('config/reference.yaml'));
  const seen = new Set<SchemaNode>();
  const differing: string[] = [];
  visitValues(root, data, (node, value, path) => {
    seen.add(node);
    const isLeaf = node.default !== undefined && typeof node.default !== 'object';
    if (isLeaf && value !== node.default) differing.push(path.join('.'));
  });
  // A login looks the same wherever it stands: each of its keys is shown once.
  const shown = new Set([...seen].map(({ text }) => text));
  const missing = missingKeys(root, seen, '').filter(({ path, node }) =>
    path.includes('.credentials.') ? !shown.has(node.text) : true,
  );
  assert.deepEqual(
    missing.map(({ path }) => path),
    [],
  );
  // Both values of these two are shown, the default first.
  assert.deepEqual(differing, ['listeners.hub-mirror.refusal', 'trust.approved.trustOnFirstUse']);
});

test('every key has a text, and every leaf a default, an example or a closed list of values', () => {
  const bare: string[] = [];
  const walk = (node: SchemaNode, path: string): void => {
    for (const [key, child] of node.keys) {
      const isLeaf = child.keys.size === 0 && child.entry === undefined && child.item === undefined;
      const isShown = [child.default, child.example, child.only].some((v) => v !== undefined);
      if (child.text === '') bare.push(`${path}${key}: text`);
      if (isLeaf && !isShown && child.choices.length === 0) bare.push(`${path}${key}: example`);
      walk(child, `${path}${key}.`);
    }
    for (const inner of [node.entry, node.item]) if (inner !== undefined) walk(inner, path);
  };
  walk(configRoot(), '');
  assert.deepEqual(bare, []);
});

interface Missing {
  readonly path: string;
  readonly node: SchemaNode;
}

function missingKeys(node: SchemaNode, seen: ReadonlySet<SchemaNode>, path: string): Missing[] {
  const children = [...node.keys].map(([key, child]) => [`${path}.${key}`, child] as const);
  const inner = [node.entry, node.item].filter((child) => child !== undefined);
  return [
    ...children
      .filter(([, child]) => !seen.has(child))
      .map(([name, child]) => ({ path: name, node: child })),
    ...children.flatMap(([name, child]) => missingKeys(child, seen, name)),
    ...inner.flatMap((child) => missingKeys(child, seen, `${path}.*`)),
  ];
}
