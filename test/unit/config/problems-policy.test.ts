import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GOOD, load } from './loading.ts';
import { testProblems } from './problem-cases.ts';

const RULE = '{ match: "registry.example.com/**", trust: corp }';
const DIGEST = `sha256:${'1'.repeat(64)}`;

function ruleWith(more: string): readonly [string, string] {
  return [RULE, `{ match: "registry.example.com/**", trust: corp, ${more} }`];
}

function unverifiedWith(more: string): readonly [string, string] {
  const rule = `match: "registry.example.com/**", allowUnverified: true, reason: a test`;
  return [RULE, `{ ${rule}, ${more} }`];
}

function glassWith(more: string): readonly [string, string] {
  const entry = `approvedBy: Ann, reason: a test, until: 2026-11-24T00:00:00Z`;
  return [RULE, `${RULE}\nbreakGlass: [{ ${entry}, ${more} }]`];
}

const APP = 'image: registry.example.com/app:1';

testProblems([
  {
    name: 'a tag pattern that no tag can match',
    change: ruleWith('tags: [".a"]'),
    paths: ['policy[0].tags[0]'],
  },
  { name: 'no tag at all', change: ruleWith('tags: []'), paths: ['policy[0].tags'] },
  {
    name: 'more signers needed than there are',
    change: ruleWith('signers: [alice], signersNeeded: 2'),
    paths: ['policy[0].signersNeeded'],
  },
  {
    name: 'signers needed without signers',
    change: ruleWith('signersNeeded: 1'),
    paths: ['policy[0].signersNeeded'],
  },
  {
    name: 'a lifetime of digests that have none',
    change: ruleWith('digests: signed-now, earlierDigests: 30d'),
    paths: ['policy[0].earlierDigests'],
  },
  {
    name: 'another kind of digests',
    change: ruleWith('digests: all'),
    paths: ['policy[0].digests'],
  },
  {
    name: 'verification of what is not verified',
    change: unverifiedWith(
      'digests: any, audit: true, referrers: false, deny: { signers: [a], keys: [b] }',
    ),
    paths: [
      'policy[0].digests',
      'policy[0].audit',
      'policy[0].referrers',
      'policy[0].deny.signers',
      'policy[0].deny.keys',
      'policy[0].deny.keys[0]',
    ],
  },
  {
    name: 'the same tags twice',
    change: [
      RULE,
      `${RULE.replace(' }', ', tags: [a, b] }')}\n  - ${RULE.replace(' }', ', tags: [b] }')}`,
    ],
    paths: ['policy[1].match'],
  },
  {
    name: 'no digest, no key, no tag',
    change: [RULE, `${RULE}\ndeny: { digests: [sha256:1], keys: [x], tags: [-a] }`],
    paths: ['deny.digests[0]', 'deny.keys[0]', 'deny.tags[0]'],
  },
  {
    name: 'break-glass for a tag without what was approved',
    change: glassWith(APP),
    paths: ['breakGlass[0].digest'],
    fix: 'add the digest',
  },
  {
    name: 'break-glass for two digests at once',
    change: glassWith(
      `image: "registry.example.com/app@${DIGEST}", digest: "sha256:${'2'.repeat(64)}"`,
    ),
    paths: ['breakGlass[0].digest'],
  },
  {
    name: 'break-glass for no tag',
    change: glassWith(`image: registry.example.com/app, digest: "${DIGEST}"`),
    paths: ['breakGlass[0].image'],
  },
  {
    name: 'break-glass without an end',
    change: [
      RULE,
      `${RULE}\nbreakGlass: [{ ${APP}, digest: "${DIGEST}", approvedBy: Ann, reason: x }]`,
    ],
    paths: ['breakGlass[0].until'],
  },
  {
    name: 'break-glass with an end that nobody can place',
    change: [
      RULE,
      `${RULE}\nbreakGlass: [{ ${APP}, digest: "${DIGEST}", approvedBy: " ", reason: x, until: 2026-11-24T00:00:00 }]`,
    ],
    paths: ['breakGlass[0].until', 'breakGlass[0].approvedBy'],
  },
]);

describe('warnings about the policy', () => {
  const glass = (until: string, image = 'registry.example.com/app:1'): string =>
    `${RULE}\nbreakGlass: [{ image: ${image}, digest: "${DIGEST}", approvedBy: Ann, reason: x, until: ${until} }]`;
  for (const [name, replacement, path, told] of [
    ['audit', RULE.replace(' }', ', audit: true }'), 'policy[0].audit', /nothing that this rule/],
    [
      'a tie, with an example',
      `{ match: "registry.example.com/a*", trust: corp }\n  - { match: "registry.example.com/*b", trust: corp }`,
      'policy',
      /such as registry\.example\.com\/axb,/,
    ],
    [
      'a rule that nothing reaches',
      `${RULE}\n  - { match: "registry.example.com/*", trust: corp }\n  - { match: "registry.example.com/*/**", trust: corp }`,
      'policy[0]',
      /applies to no tag/,
    ],
    [
      'a rule whose tags all have other rules',
      `${RULE}\n  - { match: "registry.example.com/**", tags: ["*"], trust: corp }`,
      'policy[0]',
      /applies to no tag/,
    ],
    [
      'break-glass that has ended',
      glass('2026-11-22T00:00:00Z'),
      'breakGlass[0].until',
      /has passed/,
    ],
    ['break-glass for long', glass('2026-12-24T00:00:00Z'), 'breakGlass[0].until', /7 days/],
    [
      'break-glass without a rule',
      glass('2026-11-24T00:00:00Z', 'other.example.com/app:1'),
      'breakGlass[0].image',
      /no rule/,
    ],
    [
      'break-glass for what is denied',
      `${glass('2026-11-24T00:00:00Z')}\ndeny: { digests: ["${DIGEST}"] }`,
      'breakGlass[0]',
      /deny list/,
    ],
    [
      'break-glass for what is relayed',
      glass('2026-11-24T00:00:00Z').replace('trust: corp', 'allowUnverified: true, reason: x'),
      'breakGlass[0].image',
      /relayed/,
    ],
  ] as const) {
    it(name, async () => {
      const { warnings } = await load(GOOD.replace(RULE, () => replacement));
      const found = warnings.filter((warning) => warning.path === path);
      assert.equal(found.length, 1, JSON.stringify(warnings));
      assert.match(String(found[0]?.problem), told);
    });
  }

  it('are not made up: rules that are reached, at every depth', async () => {
    const rules = `${RULE}\n  - { match: "registry.example.com/*", trust: corp }\n  - { match: "registry.example.com/a/**", tags: ["v*"], trust: corp }`;
    const { warnings, config } = await load(GOOD.replace(RULE, () => rules));
    assert.deepEqual(warnings, []);
    assert.equal(config.rules.length, 3);
  });
});
