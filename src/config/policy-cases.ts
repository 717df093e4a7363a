import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { type Caller, isCallerName } from '../base/caller.ts';
import { REASON_CODES, type ReasonCode } from '../base/reason-code.ts';
import type { Digest } from '../oci/digest.ts';
import { OciError } from '../oci/errors.ts';
import { type ImageReference, parseImageReference } from '../oci/image-reference.ts';
import { ConfigError } from './errors.ts';
import { Findings } from './findings.ts';
import { reportIssues } from './issue-text.ts';
import { parseSignedDigest } from './policy-values.ts';
import { readFromDisk, readLimited } from './read-file.ts';
import { parsed } from './schema-leaves.ts';
import { rootOf } from './schema-node.ts';
import type { Parsed } from './values.ts';
import { MAX_CONFIG_BYTES, parseConfigDocument } from './yaml-document.ts';

/** What a case may be expected to come to; those of the second line need `--online`. */
export const STATIC_VERDICTS = ['verified', 'unverified', 'refused'] as const;
export const ONLINE_VERDICTS = ['pinned', 'audit', 'break-glass', 'inconclusive'] as const;

/** An image, and what is expected of it. */
export interface PolicyCase {
  /** As written. */
  readonly image: string;
  readonly reference: ImageReference;
  /** Who asks; absent: nobody known. */
  readonly caller?: Caller;
  readonly expect: (typeof STATIC_VERDICTS)[number] | (typeof ONLINE_VERDICTS)[number];
  readonly reason?: ReasonCode;
  /** The name of the rule that has to apply. */
  readonly rule?: string;
  readonly digest?: Digest;
}

/** A file of expected verdicts. */
export interface PolicyCases {
  /** The configuration it is about, by absolute name, if the file names one. */
  readonly config?: string;
  readonly cases: readonly PolicyCase[];
}

const caseSchema = z.strictObject({
  image: parsed('image', { text: 'Image.' }, parseImage),
  client: z.exactOptional(parsed('caller', { text: 'Caller.' }, parseClient)),
  groups: z.exactOptional(z.array(z.string())),
  expect: z.enum([...STATIC_VERDICTS, ...ONLINE_VERDICTS]),
  reason: z.exactOptional(z.enum(REASON_CODES)),
  rule: z.exactOptional(z.string()),
  digest: z.exactOptional(parsed('digest', { text: 'Digest.' }, parseSignedDigest)),
});
const casesSchema = z.strictObject({
  config: z.exactOptional(z.string().min(1, 'is empty')),
  cases: z.array(caseSchema).min(1, 'has no case'),
});

/**
 * Reads a file of expected verdicts. The configuration it names starts at its own folder.
 *
 * @throws {ConfigError} `config_invalid` with every problem found
 */
export async function loadPolicyCases(path: string): Promise<PolicyCases> {
  const content = await readLimited(readFromDisk, path, MAX_CONFIG_BYTES);
  if (!content.ok) throw new ConfigError(path, [{ path: '', problem: content.problem }]);
  const findings = new Findings();
  const { data, lineOf } = parseConfigDocument(content.bytes, findings);
  const result = casesSchema.safeParse(data);
  if (!result.success && data !== undefined) {
    reportIssues(result.error.issues, { root: rootOf(casesSchema), data }, findings);
  }
  const problems = findings.problems(lineOf);
  if (problems.length > 0 || !result.success) throw new ConfigError(path, problems);
  const { config, cases } = result.data;
  return {
    ...(config === undefined ? {} : { config: resolve(dirname(resolve(path)), config) }),
    cases: cases.map(({ image, client, groups = [], ...rest }) => ({
      ...rest,
      image,
      reference: parseImageReference(image),
      ...(client === undefined ? {} : { caller: { ...client, groups: new Set(groups) } }),
    })),
  };
}

function parseImage(text: string): Parsed<string> {
  try {
    parseImageReference(text);
    return { ok: true, value: text };
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
    return { ok: false, problem: `is not an image: ${error.message}` };
  }
}

function parseClient(text: string): Parsed<{ readonly source: string; readonly name: string }> {
  const slash = text.indexOf('/');
  const [source, name] = [text.slice(0, slash), text.slice(slash + 1)];
  if (slash > 0 && isCallerName(name)) return { ok: true, value: { source, name } };
  return { ok: false, problem: 'is not a caller', fix: 'write CLIENTS/NAME, as in staff/alice' };
}
