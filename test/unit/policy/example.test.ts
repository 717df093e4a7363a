import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exampleOfBoth } from '../../../src/policy/example.ts';
import { parseNamePattern } from '../../../src/policy/name-pattern.ts';
import { parseTagPattern } from '../../../src/policy/tag-pattern.ts';

function covering(name: string, tags?: string) {
  const pattern = parseNamePattern(name);
  assert.ok(pattern !== undefined);
  if (tags === undefined) return { pattern };
  const parsed = parseTagPattern(tags);
  assert.ok(parsed !== undefined);
  return { pattern, tags: parsed };
}

test('an example is covered by both patterns', () => {
  const both = (...[a, b]: readonly [Parameters<typeof covering>, Parameters<typeof covering>]) =>
    exampleOfBoth(covering(...a), covering(...b));
  assert.equal(both(['*/a/b'], ['*/a/*']), 'registry.example.com/a/b');
  assert.equal(both(['*/a/b'], ['docker.io/a/*']), 'docker.io/a/b');
  assert.equal(both(['docker.io/a/b'], ['*/a/*']), 'docker.io/a/b');
  assert.equal(both(['*.example.com/a/b'], ['r.example.com/a/*']), 'r.example.com/a/b');
  assert.equal(both(['*.example.com/a/b'], ['*.example.com/a/*']), 'x.example.com/a/b');
  assert.equal(both(['docker.io/a/*/**'], ['docker.io/a/**']), 'docker.io/a/x/x');
  assert.equal(both(['docker.io/a/b', 'v1'], ['docker.io/a/b', 'v*']), 'docker.io/a/b:v1');
  assert.equal(both(['docker.io/a/b'], ['docker.io/a/b', 'v*']), 'docker.io/a/b:vx');
  assert.equal(both(['docker.io/a/b', 'v*'], ['docker.io/a/b']), 'docker.io/a/b:vx');
});
