import { z } from 'zod';
import type { Digest } from '../oci/digest.ts';
import { parseCallerPattern } from '../policy/callers.ts';
import { parsePattern } from './patterns.ts';
import {
  parseBreakGlassImage,
  parseInstant,
  parseSignedDigest,
  parseTags,
} from './policy-values.ts';
import { duration, flag, parsed } from './schema-leaves.ts';
import { EXAMPLE_MEMBER, TYPE_MEMBER } from './schema-members.ts';
import type { RefusalForm } from './schema-network.ts';
import { exactlyOneOf } from './schema-parts.ts';

/** A deny list as written. */
export interface DenyEntry {
  readonly digests?: readonly Digest[];
  readonly tags?: readonly string[];
  readonly signers?: readonly string[];
  readonly keys?: readonly string[];
}

/** A policy rule as written; it has either `trust` or `allowUnverified` with `reason`. */
export interface RuleEntry {
  readonly match: string;
  readonly tags?: readonly string[];
  readonly trust?: string;
  readonly signers?: readonly string[];
  readonly signersNeeded?: number;
  readonly digests?: 'any' | 'vouched' | 'signed-now';
  /** Milliseconds. */
  readonly earlierDigests?: number;
  readonly deny?: DenyEntry;
  readonly refusal?: RefusalForm;
  readonly referrers: boolean;
  readonly audit: boolean;
  readonly allowUnverified?: true;
  readonly reason?: string;
  readonly clients?: readonly string[];
  readonly completeFirst?: boolean;
}

/** A break-glass entry as written. */
export interface BreakGlassItem {
  readonly image: string;
  readonly digest?: Digest;
  readonly approvedBy: string;
  readonly reason: string;
  /** Milliseconds since the epoch. */
  readonly until: number;
}

const SIGNER = /^[^\s\p{C}]{1,200}$/u;
const KEY_ID = /^[0-9a-f]{64}$/;
const YEAR_MS = 365 * 86_400_000;

const signerSchema = parsed('signer', { text: 'Signer.' }, (text) =>
  SIGNER.test(text)
    ? { ok: true, value: text }
    : {
        ok: false,
        problem: 'is not the name of a signer',
        fix: 'write the name as in docker trust signer add, or that of a delegated role',
      },
);

const tagSchema = parsed('tag pattern', { text: 'Tag, * for any characters.' }, parseTags);

const digestSchema = parsed('digest', { text: 'Digest.' }, parseSignedDigest);

const keySchema = parsed('key ID', { text: 'Key ID.' }, (text) =>
  KEY_ID.test(text)
    ? { ok: true, value: text }
    : {
        ok: false,
        problem: 'is not a key ID',
        fix: 'write the 64 lower-case hex digits that pinnace trust show prints',
      },
);

const reasonSchema = z.string().regex(/\S/, 'is empty').max(500, 'is longer than 500 characters');

/** What is never served. */
export function denySchema(text: string): z.ZodType<DenyEntry> {
  return z
    .strictObject({
      digests: list(digestSchema, {
        text: 'Digests of indexes, manifests, configs or layers; an image that names one of them is refused too.',
        example: [`sha256:${'0'.repeat(64)}`],
      }),
      tags: list(tagSchema, { text: 'Tags, * for any characters.', example: ['*-rc*'] }),
      signers: list(signerSchema, {
        text: 'Signers: what one of them has signed is refused, whoever else has.',
        example: ['mallory'],
      }),
      keys: list(keySchema, {
        text: 'IDs of keys whose signatures do not count, in any role; what is not verified without them is refused.',
        example: ['0'.repeat(64)],
      }),
    })
    .meta({ description: text });
}

/** One rule of the policy. */
export const ruleSchema: z.ZodType<RuleEntry> = z
  .strictObject({
    match: parsed(
      'pattern',
      {
        text: 'Repositories the rule is for: host and path, * within one part of the path, ** for any number of parts. The most specific pattern applies.',
        example: 'registry.example.com/team/**',
      },
      parsePattern,
    ),
    tags: list(tagSchema, {
      text: 'Tags the rule is for, * for any characters; without it, all, and what is asked for by digest.',
      example: ['prod-*', 'stable'],
    }),
    trust: z.exactOptional(
      z.string().meta({
        description: 'Trust source that says what tags mean.',
        [EXAMPLE_MEMBER]: 'corp',
      }),
    ),
    signers: list(signerSchema, {
      text: 'Signers that must each have signed the very same digest: names as in docker trust signer add, or for tuf those of delegated roles.',
      example: ['alice', 'bob'],
    }),
    signersNeeded: z.exactOptional(
      z
        .int()
        .min(1, 'is below 1')
        .max(100, 'is above 100')
        .meta({
          description: 'How many of signers suffice; without it, each of them is needed.',
          [EXAMPLE_MEMBER]: 2,
        }),
    ),
    digests: z.exactOptional(
      z.enum(['any', 'vouched', 'signed-now']).meta({
        description:
          'What may be had by digest: vouched (the default) is what a verified tag led to at any time, signed-now only what one leads to now, any is whatever the registry has.',
        [EXAMPLE_MEMBER]: 'vouched',
      }),
    ),
    earlierDigests: z.exactOptional(
      duration({
        text: 'How long a digest is served after its tag was last verified to mean it; without it, for ever.',
        example: '30d',
        min: 60_000,
        max: 10 * YEAR_MS,
      }),
    ),
    deny: z.exactOptional(denySchema('What this rule never serves, whoever has signed it.')),
    refusal: z.exactOptional(
      z.enum(['deny', 'hard-stop']).meta({
        description: 'How refusals under this rule are said; without it, as the listener does.',
        [EXAMPLE_MEMBER]: 'hard-stop',
      }),
    ),
    referrers: flag({
      text: 'Serve what refers to verified images, such as signatures, attestations and bills of materials: unverified, marked, and only what no engine could run.',
    }).prefault(true),
    audit: flag({
      text: 'Serve unverified, marked, logged and counted, what this rule would refuse: for finding out what would stop.',
    }).prefault(false),
    allowUnverified: z.exactOptional(
      z.literal(true).meta({
        description: 'Relay these repositories without any verification, instead of trust.',
      }),
    ),
    reason: z.exactOptional(
      reasonSchema.meta({
        description: 'Why that is acceptable; shown in the status page.',
        [EXAMPLE_MEMBER]: 'throw-away builds',
      }),
    ),
    clients: z.exactOptional(
      z
        .array(
          parsed('caller', { text: 'Caller.' }, (text) =>
            parseCallerPattern(text) === undefined
              ? {
                  ok: false,
                  problem: 'names no caller',
                  fix: 'write CLIENTS/NAME, CLIENTS/@GROUP or CLIENTS/*, with the name of an entry under clients in front',
                }
              : { ok: true, value: text },
          ),
        )
        .min(1, 'is an empty list')
        .meta({
          description:
            'Who may pull these repositories; without it, whoever the listener lets in. CLIENTS/NAME is one caller, CLIENTS/@GROUP a group, CLIENTS/* everyone whom that entry of clients knows.',
          [EXAMPLE_MEMBER]: ['staff/alice', 'nodes/*'],
        }),
    ),
    completeFirst: z.exactOptional(
      flag({
        text: 'Whether tags are answered only with their whole image fetched, verified and stored, instead of what the listener says (its completePlatforms and completeWithin apply).',
        example: true,
      }),
    ),
  })
  .meta({
    description: 'One rule.',
    ...exactlyOneOf(['trust', 'allowUnverified']),
    dependentRequired: {
      allowUnverified: ['reason'],
      signers: ['trust'],
      signersNeeded: ['signers'],
      digests: ['trust'],
      earlierDigests: ['trust'],
      referrers: ['trust'],
      audit: ['trust'],
      completeFirst: ['trust'],
      reason: ['allowUnverified'],
    },
  });

/** One exception for one image. */
export const breakGlassSchema: z.ZodType<BreakGlassItem> = z
  .strictObject({
    image: parsed(
      'image',
      {
        text: 'The one tag or digest whose refusal is lifted.',
        example: 'registry.example.com/team/app:1.4',
      },
      parseBreakGlassImage,
    ),
    digest: z.exactOptional(
      parsed(
        'digest',
        {
          text: 'What is served for the tag, and nothing else; needed unless image has it.',
          example: `sha256:${'0'.repeat(64)}`,
        },
        parseSignedDigest,
      ),
    ),
    approvedBy: z
      .string()
      .regex(/\S/, 'is empty')
      .max(200, 'is longer than 200 characters')
      .meta({ description: 'Who has approved it.', [EXAMPLE_MEMBER]: 'Ann Example' }),
    reason: reasonSchema.meta({
      description: 'Why; it is shown with the answer.',
      [EXAMPLE_MEMBER]: 'INC-1234: the signing service is down',
    }),
    until: parsed(
      'time',
      {
        text: 'When it ends by itself, with its time zone.',
        example: '2026-12-01T18:00:00Z',
      },
      parseInstant,
    ),
  })
  .meta({ description: 'One exception.', [TYPE_MEMBER]: 'block' });

function list<Value>(
  item: z.ZodType<Value, string>,
  key: { readonly text: string; readonly example: readonly string[] },
): z.ZodExactOptional<z.ZodType<readonly Value[]>> {
  return z.exactOptional(
    z
      .array(item)
      .min(1, 'is an empty list')
      .meta({ description: key.text, [EXAMPLE_MEMBER]: key.example }),
  );
}
