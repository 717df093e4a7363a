import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { stringify } from 'yaml';
import { runCommandLine } from '../../../src/cli/program.ts';
import { buildImage } from '../../support/images.ts';
import { REGISTRY_HOST, Surroundings } from '../../support/running-pinnace.ts';

const ALL = `${REGISTRY_HOST}/**`;
const IMAGE = buildImage();
const SETTINGS = {
  policy: [
    { match: ALL, trust: 'corp' },
    { match: ALL, tags: ['dev-*'], allowUnverified: true, reason: 'a test' },
    { match: `${REGISTRY_HOST}/held/**`, trust: 'corp', clients: ['staff/alice', 'staff/@ops'] },
    { match: `${REGISTRY_HOST}/trial/**`, trust: 'corp', audit: true },
  ],
  more: {
    deny: { tags: ['*-rc'], digests: [IMAGE.config.digest] },
    clients: { staff: { kind: 'basic', htpasswd: 'users' } },
  },
};

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(...words: readonly string[]): Promise<Ran> {
  let stdout = '';
  let stderr = '';
  const code = await runCommandLine(words, {
    stdout: { write: (text: string) => (stdout += text) },
    stderr: { write: (text: string) => (stderr += text) },
    env: {},
  });
  return { code, stdout, stderr };
}

interface Case {
  readonly image: string;
  readonly expect: string;
  readonly [key: string]: unknown;
}

async function casesFile(
  around: Surroundings,
  cases: readonly Case[],
  more: object = { config: 'pinnace.yaml' },
): Promise<string> {
  const path = join(around.folder, 'cases.yaml');
  await writeFile(path, stringify({ ...more, cases }));
  return path;
}

function at(rest: string): string {
  return `${REGISTRY_HOST}/${rest}`;
}

async function place(): Promise<Surroundings> {
  const around = await Surroundings.start();
  // A hash that nobody knows the password of.
  await writeFile(join(around.folder, 'users'), `alice:$2y$12$${'a'.repeat(53)}\n`);
  await around.writeConfig(SETTINGS);
  return around;
}

describe('pinnace policy test', () => {
  const rows: readonly (readonly [string, Case])[] = [
    ['a rule for all', { image: at('app:1'), expect: 'verified', rule: ALL }],
    ['a rule for tags', { image: at('app:dev-1'), expect: 'unverified', rule: `${ALL}:dev-*` }],
    ['no rule', { image: 'other.example.com/app:1', expect: 'refused', reason: 'no_rule' }],
    ['a denied tag', { image: at('app:1-rc'), expect: 'refused', reason: 'denied_by_rule' }],
    ['a denied digest', { image: at(`app@${IMAGE.config.digest}`), expect: 'refused' }],
    [
      'a digest where tags are open',
      { image: at(`app@${IMAGE.manifest.digest}`), expect: 'unverified' },
    ],
    ['nobody', { image: at('held/app:1'), expect: 'refused', reason: 'client_forbidden' }],
    ['a caller', { image: at('held/app:1'), client: 'staff/alice', expect: 'verified' }],
    [
      'a group',
      { image: at('held/app:1'), client: 'staff/bob', groups: ['ops'], expect: 'verified' },
    ],
    ['another caller', { image: at('held/app:1'), client: 'staff/bob', expect: 'refused' }],
  ];
  it('is content with a file that says what the configuration does', async () => {
    await using around = await place();
    const file = await casesFile(
      around,
      rows.map(([, each]) => each),
    );
    const { code, stdout } = await run('policy', 'test', file);
    assert.equal(code, 0, stdout);
    assert.match(stdout, /10 of 10 as expected/);
  });

  for (const [name, each] of rows) {
    it(`notices another verdict: ${name}`, async () => {
      await using around = await place();
      const expect = each.expect === 'verified' ? 'refused' : 'verified';
      const { reason: _, ...rest } = each;
      const file = await casesFile(around, [{ ...rest, expect }]);
      const { code, stdout } = await run('policy', 'test', file);
      assert.equal(code, 1);
      assert.match(
        stdout,
        new RegExp(`FAIL .*\\n +expected +${expect}.*\\n +found +${each.expect}`),
      );
    });
  }

  it('notices another rule or reason, and says so in JSON', async () => {
    await using around = await place();
    const file = await casesFile(around, [
      { image: at('app:1'), expect: 'verified', rule: 'another' },
      { image: at('app:1-rc'), expect: 'refused', reason: 'no_rule' },
      { image: at('app:1'), expect: 'verified' },
    ]);
    const { code, stdout } = await run('policy', 'test', file, '--json');
    assert.equal(code, 1);
    const { cases, asExpected, failed } = JSON.parse(stdout);
    assert.deepEqual([asExpected, failed], [1, 2]);
    assert.deepEqual(cases[0].found, { verdict: 'verified', rule: ALL });
    assert.equal(cases[1].found.reason, 'denied_by_rule');
  });

  it('asks for real with --online', async () => {
    await using around = await place();
    const app = around.publisher('app', { now: new Date() });
    const image = buildImage({ message: 'signed' });
    app.release('1', image);
    app.push('dev-1', image);
    around.publisher('trial/app').push('1', image);
    const { digest } = image.manifest;
    const good = [
      { image: at('app:1'), expect: 'pinned', digest },
      { image: at('app:1'), expect: 'verified' },
      { image: at('app:2'), expect: 'refused', reason: 'tag_not_signed' },
      { image: at('app:dev-1'), expect: 'unverified' },
      { image: at(`app@${digest}`), expect: 'pinned' },
      { image: at('trial/app:1'), expect: 'audit', reason: 'no_trust_data', digest },
      { image: at('held/app:1'), expect: 'refused', reason: 'client_forbidden' },
    ];
    const passed = await run('policy', 'test', '--online', await casesFile(around, good));
    assert.equal(passed.code, 0, passed.stdout);
    const wrong = await casesFile(around, [
      { image: at('app:1'), expect: 'pinned', digest: `sha256:${'0'.repeat(64)}` },
    ]);
    assert.equal((await run('policy', 'test', '--online', wrong)).code, 1);
    await around.notary.down();
    const lost = await casesFile(around, [{ image: at('lost/app:1'), expect: 'pinned' }]);
    assert.equal((await run('policy', 'test', '--online', lost)).code, 2);
  });

  for (const [name, document, told] of [
    ['is not there', undefined, /does not exist/],
    ['has no case', { cases: [] }, /has no case/],
    [
      'has an unknown key',
      { cases: [{ image: 'a', expect: 'verified', rul: 'x' }] },
      /did you mean rule/,
    ],
    ['names no image', { cases: [{ image: 'A B', expect: 'verified' }] }, /is not an image/],
    ['expects what there is not', { cases: [{ image: 'a', expect: 'yes' }] }, /expect/],
    ['names no configuration', { cases: [{ image: 'a', expect: 'verified' }] }, /--config/],
    [
      'expects what only a pull shows',
      { config: 'pinnace.yaml', cases: [{ image: 'a', expect: 'pinned' }] },
      /--online/,
    ],
  ] as const) {
    it(`refuses a file that ${name}`, async () => {
      await using around = await place();
      const path = join(around.folder, 'cases.yaml');
      if (document !== undefined) await writeFile(path, stringify(document));
      const { code, stderr } = await run('policy', 'test', path);
      assert.equal(code, 64);
      assert.match(stderr, told);
    });
  }
});

describe('pinnace policy show', () => {
  it('says which rule applies, what it demands and which ones it beat', async () => {
    await using around = await place();
    const config = join(around.folder, 'pinnace.yaml');
    const { code, stdout } = await run('policy', 'show', at('held/app:1'), '--config', config);
    assert.equal(code, 0);
    assert.match(stdout, /rule "registry.example.com\/held\/\*\*", the most specific one/);
    assert.match(stdout, /for staff\/alice, staff\/@ops only/);
    assert.match(stdout, /not: "registry.example.com\/\*\*"/);
    assert.match(stdout, /verified: trust source "corp" is asked/);
    const denied = await run('policy', 'show', at('app:1-rc'), '--config', config, '--json');
    assert.equal(JSON.parse(denied.stdout).reason, 'denied_by_rule');
    assert.equal((await run('policy', 'show', 'A B', '--config', config)).code, 64);
  });
});
