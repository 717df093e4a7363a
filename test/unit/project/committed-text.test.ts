import assert from 'node:assert/strict';
import { test } from 'node:test';
import { projectFiles, ROOT, textOf } from './project-files.ts';

const THIS_FILE = 'test/unit/project/committed-text.test.ts';
const files = projectFiles().filter((path) => path !== THIS_FILE);

/** What only means something on one machine or in one company, by what it is. */
const FORBIDDEN: readonly { readonly what: string; readonly pattern: RegExp }[] = [
  { what: 'the path of this checkout', pattern: checkoutPath() },
  {
    what: "a path of somebody's home",
    pattern: /(?<![\w.$}])\/(?:root|(?:home|Users)\/[\w-]+)\/[\w.]/,
  },
  {
    what: 'the host of a package registry',
    pattern: /\b(?:npmjs\.(?:org|com)|yarnpkg\.com|pypi\.org|crates\.io|proxy\.golang\.org)\b/i,
  },
  { what: 'a private key', pattern: /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s+[\w+/=]{40}/ },
  { what: 'a conflict left by a merge', pattern: /^(?:<{7}|>{7}) /m },
];

/** Keys made for tests, with no use beyond them. */
const TEST_KEYS = /^test\/(?:fixtures|unit|support)\//;

for (const { what, pattern } of FORBIDDEN) {
  test(`no committed file holds ${what}`, () => {
    const found = files
      .filter((path) => what !== 'a private key' || !TEST_KEYS.test(path))
      .filter((path) => pattern.test(textOf(path)));
    assert.deepEqual(found, []);
  });
}

test('text files end with a line break and have no carriage returns', () => {
  const ours = files.filter(
    (path) => /\.(?:ts|mjs|md|json|yaml|sh)$/.test(path) && !path.startsWith('test/fixtures/'),
  );
  const broken = ours.filter((path) => !/[^\r]\n$/.test(textOf(path)) || /\r\n/.test(textOf(path)));
  assert.deepEqual(broken, []);
});

/** Where this checkout is, unless that is a place that an installation or a container has as well. */
function checkoutPath(): RegExp {
  const path = ROOT.replace(/\/$/, '');
  const isOrdinary = /^\/[^/]*$|^\/(?:opt|usr|var\/lib)\//.test(path);
  return isOrdinary ? /(?!)/ : new RegExp(path.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
}
