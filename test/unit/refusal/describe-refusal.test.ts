import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Facts } from '../../../src/base/coded-error.ts';
import { REASON_CODES, type ReasonCode } from '../../../src/base/reason-code.ts';
import { parseRegistryHost, parseRepositoryPath } from '../../../src/oci/names.ts';
import {
  describeRefusal,
  isCompanionTag,
  type RefusalDescription,
} from '../../../src/refusal/describe-refusal.ts';
import { REASON_TABLE } from '../../../src/refusal/reason-table.ts';

const REPOSITORY = {
  registry: parseRegistryHost('docker.io'),
  path: parseRepositoryPath('library/alpine'),
};
const DIGEST = `sha256:${'ab'.repeat(32)}`;
const ONE_LINE = /^[\x20-\x7e]+$/;

interface Case {
  readonly facts?: Facts;
  readonly reference?: string;
  readonly retryAfterSeconds?: number;
  readonly docsUrl?: string;
}

function described(reason: ReasonCode, given: Case = {}): RefusalDescription {
  const { facts = {}, reference = '3.20', docsUrl, retryAfterSeconds } = given;
  const { verdict } = REASON_TABLE[reason];
  const seconds = retryAfterSeconds === undefined ? {} : { retryAfterSeconds };
  return describeRefusal(
    { verdict, reason, cause: 'a cause', facts, ...seconds },
    { repository: REPOSITORY, reference },
    { decision: 'd-1', ...(docsUrl === undefined ? {} : { docsUrl }) },
  );
}

function firstError(description: RefusalDescription): {
  readonly code: string;
  readonly message: string;
  readonly detail: Readonly<Record<string, string>>;
} {
  return JSON.parse(description.body).errors[0];
}

describe('a refusal by an answer that stands in for a newer one', () => {
  it('says how old it is, and why', () => {
    const { message } = firstError(described('tag_not_signed', { facts: { staleSeconds: 310 } }));
    assert.match(
      message,
      /alpine:3.20: this tag is not signed; that rests on what the trust server said 5 min ago, it cannot be asked at present\. /,
    );
  });
});

describe('REASON_TABLE', () => {
  it('never uses one status for "proved bad" and "could not find out"', () => {
    const statuses = (verdict: string): ReadonlySet<number> =>
      new Set(
        REASON_CODES.filter((code) => REASON_TABLE[code].verdict === verdict).map(
          (code) => REASON_TABLE[code].status,
        ),
      );
    const refused = statuses('refused');
    const inconclusive = statuses('inconclusive');
    assert.deepEqual(
      [...refused].filter((status) => inconclusive.has(status)),
      [],
    );
    assert.deepEqual([...inconclusive].sort(), [429, 500, 503]);
  });

  for (const code of REASON_CODES) {
    it(`tells of ${code} in one sentence and one line`, () => {
      const row = REASON_TABLE[code];
      const sentence = row.sentence({ repository: REPOSITORY, reference: '3.20' }, {});
      assert.match(sentence, ONE_LINE);
      assert.ok(sentence.startsWith('pinnace refused docker.io/library/alpine:3.20: '), sentence);
      assert.doesNotMatch(sentence, /undefined|\.$|["\\]| {2}/);
      assert.match(row.remedy, /^[A-Z][\x20-\x7e]+\.$/);
      assert.equal(row.retryAfterSeconds !== undefined, row.verdict === 'inconclusive');
      assert.equal(row.status === 401, code === 'client_unauthorized');
      assert.equal(row.status === 429, code.endsWith('_rate_limited'));
    });
  }
});

describe('describeRefusal', () => {
  it('puts the whole story into message and repeats it in detail', () => {
    const facts = { role: 'timestamp', expiresAt: '2026-11-20T00:00:00.000Z', version: 4 };
    const description = described('timestamp_expired', { facts, docsUrl: 'https://x.example/e' });
    const { code, message, detail } = firstError(description);
    assert.equal(code, 'DENIED');
    for (const part of [
      'docker.io/library/alpine:3.20',
      '2026-11-20T00:00:00Z',
      REASON_TABLE.timestamp_expired.remedy,
      'decision d-1',
      'https://x.example/e#timestamp_expired',
    ]) {
      assert.ok(message.includes(part), part);
    }
    assert.deepEqual(detail, {
      code: 'timestamp_expired',
      repository: 'docker.io/library/alpine',
      reference: '3.20',
      role: 'timestamp',
      expiresAt: '2026-11-20T00:00:00.000Z',
      remedy: REASON_TABLE.timestamp_expired.remedy,
      decision: 'd-1',
      sentence: description.sentence,
    });
  });

  it('sends what engines need to show it, on HEAD too', () => {
    const { headers, body, warning } = described('rollback');
    assert.deepEqual(headers, {
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(body)),
      'cache-control': 'no-store',
      warning,
      'x-pinnace-reason': 'rollback',
      'x-pinnace-decision': 'd-1',
    });
    assert.match(warning, /^299 - "pinnace refused [^"\\]+"$/);
  });

  const sentences: readonly (readonly [row: string, ReasonCode, Facts, RegExp])[] = [
    [
      'the time of expiry',
      'root_expired',
      { expiresAt: '2026-01-02T03:04:05Z' },
      /2026-01-02T03:04:05Z/,
    ],
    ['the delegation that expired', 'targets_expired', { role: 'targets/alice' }, /targets\/alice/],
    [
      'both versions of a rollback',
      'rollback',
      { role: 'snapshot', offeredVersion: 3, trustedVersion: 5 },
      /snapshot.* 5 .* 3/,
    ],
    [
      'that a version was used twice',
      'rollback',
      { offeredVersion: 5, trustedVersion: 5 },
      /without a new version/,
    ],
    [
      'the versions of a root change',
      'root_rotation_invalid',
      { offeredVersion: 3, trustedVersion: 2 },
      /version 3 after version 2/,
    ],
    [
      'a role that is hidden',
      'rollback',
      { role: 'targets/a', snapshotVersion: 3 },
      /targets\/a .*hidden/,
    ],
    ['the missing signer', 'required_signer_missing', { signer: 'alice' }, /by alice/],
    ['who disagrees', 'signer_conflict', { signer: 'bob' }, /bob has signed other content/],
    ['who signed without release', 'tag_not_released', { role: 'targets/qa' }, /by targets\/qa/],
    [
      'how many signatures there are',
      'threshold_not_met',
      { validSignatures: 1, threshold: 2 },
      /1 of 2/,
    ],
    [
      'what is malformed',
      'malformed',
      { role: 'root', field: 'signed.keys' },
      /root.*signed\.keys/,
    ],
    ['the key that was offered', 'pin_mismatch', { rootKeys: ['ab', 'cd'] }, /ab, cd/],
    [
      'which trust server is away',
      'trust_server_unreachable',
      { server: 'notary.example' },
      /notary\.example/,
    ],
    [
      'the status of the trust server',
      'trust_server_error',
      { server: 'n.example', status: 502 },
      /n\.example.*502/,
    ],
    ['the limit', 'length_exceeded', { maxBytes: 1048576 }, /1048576/],
    ['the length announced', 'length_exceeded', { expectedBytes: 77 }, /77/],
    ['the format', 'media_type_not_supported', { mediaType: 'text/html' }, /text\/html/],
    [
      'when the clock was right',
      'clock_went_back',
      { newestSeen: '2026-11-23T00:00:00Z' },
      /2026-11-23/,
    ],
  ];
  for (const [row, reason, facts, pattern] of sentences) {
    it(`says ${row}`, () => assert.match(described(reason, { facts }).sentence, pattern));
  }

  const subjects: readonly (readonly [reference: string, name: string])[] = [
    ['3.20', 'docker.io/library/alpine:3.20: '],
    [DIGEST, `docker.io/library/alpine@${DIGEST}: `],
    ['', 'docker.io/library/alpine: '],
  ];
  for (const [reference, name] of subjects) {
    it(`names ${name}`, () => {
      assert.ok(described('no_rule', { reference }).sentence.includes(name));
    });
  }

  const waits: readonly (readonly [
    row: string,
    ReasonCode,
    number | undefined,
    string | undefined,
  ])[] = [
    ['what the upstream asked for', 'upstream_rate_limited', 7, '7'],
    ['the usual wait', 'upstream_rate_limited', undefined, '60'],
    ['at least a second', 'upstream_unreachable', 0, '1'],
    ['whole seconds', 'upstream_unreachable', 1.2, '2'],
    ['at most a day', 'upstream_unreachable', 1e9, '86400'],
    ['the usual wait for nonsense', 'upstream_unreachable', Number.NaN, '10'],
    ['no wait for what is proved', 'digest_mismatch', 7, undefined],
  ];
  for (const [row, reason, retryAfterSeconds, header] of waits) {
    it(`asks for ${row}`, () => {
      const wait = retryAfterSeconds === undefined ? {} : { retryAfterSeconds };
      const description = described(reason, wait);
      assert.equal(description.headers['retry-after'], header);
      assert.equal(description.retryAfterSeconds?.toString(), header);
    });
  }

  it('says which methods there are', () => {
    const { status, headers } = described('push_not_supported');
    assert.equal(status, 405);
    const { allow } = headers;
    assert.equal(allow, 'GET, HEAD');
  });

  it('answers 404 for tags that tools look for beside an image', () => {
    const hex = 'ab'.repeat(32);
    for (const reference of [`sha256-${hex}`, `sha256-${hex}.sig`, `sha256-${hex}.att`]) {
      const description = described('tag_not_signed', { reference });
      assert.equal(isCompanionTag(reference), true);
      assert.equal(description.status, 404);
      assert.equal(firstError(description).code, 'MANIFEST_UNKNOWN');
      assert.equal(described('bad_signature', { reference }).status, 403);
    }
    for (const reference of ['3.20', 'sha256-ab.sig', `sha256-${hex}.exe`, `x-sha256-${hex}`]) {
      assert.equal(isCompanionTag(reference), false);
    }
  });

  it('stays one clean line whatever registries and signers wrote', () => {
    const names = fc.constantFrom(
      'role',
      'expiresAt',
      'signers',
      'offeredVersion',
      'trustedVersion',
      'mediaType',
      'status',
      '__proto__',
    );
    const fact = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 3000 }),
      fc.array(fc.string()),
      fc.double(),
    );
    fc.assert(
      fc.property(fc.constantFrom(...REASON_CODES), fc.dictionary(names, fact), (reason, facts) => {
        const description = described(reason, { facts });
        assert.match(description.sentence, ONE_LINE);
        assert.doesNotMatch(description.sentence, /["\\]/);
        assert.match(description.body, ONE_LINE);
        assert.ok(description.body.length < 4096);
        for (const value of Object.values(description.headers)) assert.match(value, ONE_LINE);
      }),
    );
  });
});
