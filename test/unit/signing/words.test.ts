import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { newTargets } from '../../../src/signing/documents.ts';
import { withDelegation, withRoleKeys, withTarget } from '../../../src/signing/edits.ts';
import { objectOf, withMember } from '../../../src/signing/json.ts';
import { ed25519PublicKey } from '../../../src/signing/signing-key.ts';
import { describeChange, plain } from '../../../src/signing/words.ts';
import type { JsonObject } from '../../../src/trust/strict-json.ts';

const EMPTY = newTargets(1_790_000_000_000);
const HEX = 'ab'.repeat(32);
const [KEY_A, KEY_B] = [ed25519PublicKey(HEX), ed25519PublicKey('cd'.repeat(32))];
const ENTRY = { sha256: HEX, length: 7, custom: objectOf({ source: 'r.test/a:1' }) };
const ONE = withTarget(EMPTY, 'r.test/a:1', ENTRY);
const TEAM = withDelegation(EMPTY, {
  name: 'team-a',
  keys: [KEY_A],
  threshold: 1,
  patterns: ['r.test/team/*:*'],
});
const ROOT = objectOf({
  _type: 'root',
  version: 1,
  expires: '2027-01-01T00:00:00Z',
  consistent_snapshot: true,
  keys: {},
  roles: { targets: { keyids: [], threshold: 1 } },
});
const HELD = withRoleKeys(ROOT, 'targets', { keys: [KEY_A], threshold: 1 });

/** What the words of one change have to mention. */
interface Row {
  readonly name: string;
  readonly before: JsonObject | undefined;
  readonly after: JsonObject;
  readonly says: readonly RegExp[];
}

const rows: readonly Row[] = [
  {
    name: 'an approval',
    before: EMPTY,
    after: ONE,
    says: [new RegExp(`^approve r.test/a:1: sha256:${HEX}, 7 bytes, from r.test/a:1$`)],
  },
  {
    name: 'a first version',
    before: undefined,
    after: ONE,
    says: [/^approve r.test\/a:1/, /^valid until/],
  },
  { name: 'a revocation', before: ONE, after: EMPTY, says: [/^revoke r.test\/a:1: was sha256:ab/] },
  {
    name: 'another digest',
    before: ONE,
    after: withTarget(ONE, 'r.test/a:1', { ...ENTRY, sha256: 'cd'.repeat(32) }),
    says: [/^move r.test\/a:1: to sha256:cd.* was sha256:ab/],
  },
  {
    name: 'another end',
    before: ONE,
    after: withTarget(ONE, 'r.test/a:1', { ...ENTRY, custom: objectOf({ expiresAt: 'soon' }) }),
    says: [/^approve anew r.test\/a:1: .*until soon/],
  },
  {
    name: 'an unknown member of an entry',
    before: ONE,
    after: withTarget(ONE, 'r.test/a:1', { ...ENTRY, custom: objectOf({ odd: { x: 1 } }) }),
    says: [/odd \{"x":1\}/],
  },
  {
    name: 'a new team',
    before: EMPTY,
    after: TEAM,
    says: [
      new RegExp(`^let team-a sign r.test/team/\\*:\\* .*1 of keys ${KEY_A.keyId.slice(0, 12)}`),
    ],
  },
  {
    name: 'another threshold of a team',
    before: TEAM,
    after: withDelegation(TEAM, {
      name: 'team-a',
      keys: [KEY_A, KEY_B],
      threshold: 2,
      patterns: ['r.test/team/*:*'],
    }),
    says: [/^change what team-a may sign: .*2 of keys .*was .*1 of keys/],
  },
  {
    name: 'a team’s part of many levels in short, and another part at length',
    before: EMPTY,
    after: withDelegation(
      withDelegation(EMPTY, {
        name: 'team-a',
        keys: [KEY_A],
        threshold: 1,
        patterns: ['r.test/a/*:*', 'r.test/a/*/*:*', 'r.test/a/*/*/*:*'],
      }),
      {
        name: 'team-b',
        keys: [KEY_A],
        threshold: 1,
        patterns: ['r.test/a/*:*', 'r.test/*/*/*:*'],
      },
    ),
    says: [
      /^let team-a sign r\.test\/a\/\*:\* and 2 levels below/,
      /^let team-b sign r\.test\/a\/\*:\* r\.test\/\*\/\*\/\*:\* /,
    ],
  },
  { name: 'a team that goes', before: TEAM, after: EMPTY, says: [/^take the right .* team-a/] },
  {
    name: 'another key of a role',
    before: HELD,
    after: withRoleKeys(HELD, 'targets', { keys: [KEY_B], threshold: 1 }),
    says: [
      new RegExp(
        `^keys of targets: 1 of ${KEY_B.keyId.slice(0, 12)}; was 1 of ${KEY_A.keyId.slice(0, 12)}`,
      ),
    ],
  },
  {
    name: 'another key behind the same ID',
    before: HELD,
    after: withMember(HELD, 'keys', new Map([[KEY_A.keyId, KEY_B.object]])),
    says: [/^REPLACE the key behind the ID/],
  },
  {
    name: 'a member that means nothing to us',
    before: ROOT,
    after: withMember(withMember(ROOT, 'consistent_snapshot', false), 'x-odd', 1),
    says: [/^consistent_snapshot: false; was true$/, /^x-odd: 1; was nothing$/],
  },
];

describe('the words for a change', () => {
  for (const { name, before, after, says } of rows) {
    it(`say ${name}`, () => {
      const lines = describeChange(before, after);
      for (const wanted of says) {
        assert.ok(
          lines.some((line) => wanted.test(line)),
          `${wanted} in ${lines.join('\n')}`,
        );
      }
    });
  }

  it('say nothing but the validity when nothing changes', () => {
    assert.equal(describeChange(ONE, ONE).length, 1);
    assert.equal(describeChange(HELD, HELD).length, 1);
  });

  it('cannot be bent by what a document holds', () => {
    assert.equal(plain('a\u001b[2J\u202eb\nc'), 'a\\u{1b}[2J\\u{202e}b\\u{a}c');
    const odd = withTarget(EMPTY, 'a\n  revoke b', ENTRY);
    assert.ok(describeChange(EMPTY, odd).every((line) => !line.includes('\n')));
  });
});
