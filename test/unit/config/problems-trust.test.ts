import { type ProblemCase, testProblems } from './problem-cases.ts';

const ANCHOR = '{ gun: "registry.example.com/**", trustOnFirstUse: true }';
const RULE = '{ match: "registry.example.com/**", trust: corp }';
const TRUST_URL = 'url: https://notary.example.com';
const ANCHOR_PATH = 'trust.corp.anchors[0]';

const CASES: readonly ProblemCase[] = [
  {
    name: 'trust of an unknown kind',
    change: ['kind: notary', 'kind: notry'],
    paths: ['trust.corp.kind'],
    fix: 'notary',
  },
  {
    name: 'trust over plain http',
    change: [TRUST_URL, 'url: http://notary.example.com'],
    paths: ['trust.corp.url'],
    fix: 'https://',
  },
  {
    name: 'maxAge as a bare 0',
    change: [TRUST_URL, `${TRUST_URL}\n    maxAge: 0`],
    paths: ['trust.corp.maxAge'],
    fix: '0s',
  },
  {
    name: 'maxAge in minutes spelt out',
    change: [TRUST_URL, `${TRUST_URL}\n    maxAge: 5min`],
    paths: ['trust.corp.maxAge'],
    fix: '5m',
  },
  {
    name: 'clockSkew beyond a minute',
    change: [TRUST_URL, `${TRUST_URL}\n    clockSkew: 61s`],
    paths: ['trust.corp.clockSkew'],
  },
  {
    name: 'realmHosts with a URL',
    change: [TRUST_URL, `${TRUST_URL}\n    realmHosts: ["https://auth.example.com"]`],
    paths: ['trust.corp.realmHosts[0]'],
  },
  {
    name: 'realmHosts not a list',
    change: [TRUST_URL, `${TRUST_URL}\n    realmHosts: auth.example.com`],
    paths: ['trust.corp.realmHosts'],
  },
  {
    name: 'a switch in words',
    change: [TRUST_URL, `${TRUST_URL}\n    rsaPkcs1v15: yes`],
    paths: ['trust.corp.rsaPkcs1v15'],
  },
  {
    name: 'anchor without a form',
    change: [ANCHOR, '{ gun: "registry.example.com/**" }'],
    paths: [ANCHOR_PATH],
  },
  {
    name: 'anchor with two forms',
    change: [
      ANCHOR,
      '{ gun: "registry.example.com/**", trustOnFirstUse: true, rootKeys: ["a2489bcac7a79aa67b19b96c4a3bf0c675ffdf00c6d2fabe1a5df1115e80adce"] }',
    ],
    paths: [ANCHOR_PATH],
  },
  {
    name: 'anchor with trustOnFirstUse: false',
    change: [ANCHOR, '{ gun: "registry.example.com/**", trustOnFirstUse: false }'],
    paths: [`${ANCHOR_PATH}.trustOnFirstUse`],
  },
  {
    name: 'anchor with a short key id',
    change: [ANCHOR, '{ gun: "registry.example.com/**", rootKeys: [abc] }'],
    paths: [`${ANCHOR_PATH}.rootKeys[0]`],
  },
  {
    name: 'anchor with no key id',
    change: [ANCHOR, '{ gun: "registry.example.com/**", rootKeys: [] }'],
    paths: [`${ANCHOR_PATH}.rootKeys`],
  },
  {
    name: 'anchor with a pattern without path',
    change: [ANCHOR, '{ gun: registry.example.com, trustOnFirstUse: true }'],
    paths: [`${ANCHOR_PATH}.gun`],
  },
  {
    name: 'two anchors for one pattern',
    change: [ANCHOR, `${ANCHOR}\n      - ${ANCHOR.replace('registry', 'Registry')}`],
    paths: ['trust.corp.anchors[1].gun'],
  },
  {
    name: 'rule with a bad pattern',
    change: [RULE, '{ match: "registry.example.com/**/x", trust: corp }'],
    paths: ['policy[0].match'],
  },
  {
    name: 'rule for an unknown trust source',
    change: [RULE, '{ match: "registry.example.com/**", trust: corpp }'],
    paths: ['policy[0].trust'],
    fix: 'corp',
  },
  {
    name: 'rule without upstream',
    change: [RULE, `${RULE}\n  - { match: "quay.io/**", trust: corp }`],
    paths: ['policy[1].match'],
  },
  {
    name: 'rule that demands nothing',
    change: [RULE, '{ match: "registry.example.com/**" }'],
    paths: ['policy[0]'],
  },
  {
    name: 'rule that demands both',
    change: [
      RULE,
      '{ match: "registry.example.com/**", trust: corp, allowUnverified: true, reason: x }',
    ],
    paths: ['policy[0]'],
  },
  {
    name: 'unverified without reason',
    change: [RULE, '{ match: "registry.example.com/**", allowUnverified: true }'],
    paths: ['policy[0].reason'],
    fix: 'reason',
  },
  {
    name: 'unverified with a blank reason',
    change: [RULE, '{ match: "registry.example.com/**", allowUnverified: true, reason: " " }'],
    paths: ['policy[0].reason'],
  },
  {
    name: 'unverified: false',
    change: [RULE, '{ match: "registry.example.com/**", allowUnverified: false, reason: x }'],
    paths: ['policy[0].allowUnverified'],
  },
  {
    name: 'whole images first where nothing is verified',
    change: [
      RULE,
      '{ match: "registry.example.com/**", allowUnverified: true, reason: x, completeFirst: true }',
    ],
    paths: ['policy[0].completeFirst'],
  },
  {
    name: 'unverified with signers',
    change: [
      RULE,
      '{ match: "registry.example.com/**", allowUnverified: true, reason: x, signers: [a] }',
    ],
    paths: ['policy[0].signers'],
  },
  {
    name: 'trust with reason',
    change: [RULE, '{ match: "registry.example.com/**", trust: corp, reason: x }'],
    paths: ['policy[0].reason'],
  },
  {
    name: 'signer written as a role',
    change: [RULE, '{ match: "registry.example.com/**", trust: corp, signers: [targets/alice] }'],
    paths: ['policy[0].signers[0]'],
    fix: 'without targets/',
  },
  {
    name: 'signer twice',
    change: [RULE, '{ match: "registry.example.com/**", trust: corp, signers: [alice, alice] }'],
    paths: ['policy[0].signers[1]'],
  },
  {
    name: 'no signer',
    change: [RULE, '{ match: "registry.example.com/**", trust: corp, signers: [] }'],
    paths: ['policy[0].signers'],
  },
  {
    name: 'two rules for one pattern',
    change: [RULE, `${RULE}\n  - ${RULE}`],
    paths: ['policy[1].match'],
  },
  {
    name: 'state of a kind to come',
    change: ['policy:', 'state: { kind: postgres, url: x }\npolicy:'],
    paths: ['state.kind'],
  },
  {
    name: 'size without unit',
    change: ['policy:', 'cache: { maxBytes: 100 }\npolicy:'],
    paths: ['cache.maxBytes'],
    fix: '100B',
  },
  {
    name: 'size with a bare prefix',
    change: ['policy:', 'cache: { maxBytes: 64M }\npolicy:'],
    paths: ['cache.maxBytes'],
    fix: '64MiB',
  },
  {
    name: 'unknown log level',
    change: ['policy:', 'log: { level: wran }\npolicy:'],
    paths: ['log.level'],
    fix: 'warn',
  },
];

testProblems(CASES);
