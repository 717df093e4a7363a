import type { PassedRecord } from '../app/passed-record.ts';
import { VERSION } from '../base/version.ts';
import { printable } from '../config/errors.ts';
import { OciError } from '../oci/errors.ts';
import { looksLikeHost } from '../oci/image-name.ts';
import { parseImageReference } from '../oci/image-reference.ts';
import { repositoryName } from '../oci/names.ts';
import type { EngineKind, ListedImage } from './doctor-engine.ts';
import { EXIT } from './exit-codes.ts';

/** What is known of one image of an engine, under one name. */
export interface ComparedImage {
  readonly image: string;
  readonly digest?: string;
  /**
   * `passed`: on Pinnace's record for this repository; `other_name`: on record, for others; `relayed`: the policy relays the
   * repository unverified, without a record; `never`: not on record; `local`: never pulled under this name.
   */
  readonly verdict: 'passed' | 'other_name' | 'relayed' | 'never' | 'local';
  /** The repositories that the digest is on record for, where that is not the image's own. */
  readonly repositories?: readonly string[];
}

/** The images of one engine. */
export interface EngineImages {
  readonly engine: EngineKind;
  readonly engineVersion: string;
  readonly address: string;
  readonly images: readonly ComparedImage[];
}

/** What `pinnace doctor --compare --json` prints. Members may be added; those there are keep their meaning. */
export interface CompareReport {
  /** Of this shape: 1. */
  readonly version: 1;
  readonly pinnace: string;
  /** RFC 3339. */
  readonly at: string;
  /** When Pinnace's record began, RFC 3339. */
  readonly since?: string;
  readonly verdict: 'all_passed' | 'some_never' | 'unknown';
  readonly engines: readonly EngineImages[];
  readonly problems: readonly string[];
}

/** One name of an image with the digest it has there. */
export interface NamedDigest {
  readonly image: string;
  readonly digest?: string;
  /** The repositories it may be on record for, most likely first. */
  readonly repositories: readonly string[];
}

/** The names of an engine's images, those of other registries than the ones asked for left out. */
export function namedDigests(
  images: readonly ListedImage[],
  registries: readonly string[],
): readonly NamedDigest[] {
  return images
    .flatMap(({ name, digests }) =>
      digests.length === 0
        ? [{ image: name, repositories: repositoriesOf(name) }]
        : digests.map((each) => {
            const at = each.indexOf('@');
            const image = digests.length === 1 ? name : each;
            const repositories = repositoriesOf(each.slice(0, Math.max(at, 0)));
            return { image, digest: each.slice(at + 1), repositories };
          }),
    )
    .filter(({ repositories: [own = ''] }) =>
      registries.length === 0 ? true : registries.some((each) => own.startsWith(`${each}/`)),
    );
}

/** Holds one image to the record. */
export function compareImage(
  { image, digest, repositories }: NamedDigest,
  record: PassedRecord,
): ComparedImage {
  const isBuilt = repositories[0]?.startsWith('localhost/') === true;
  if (digest === undefined || isBuilt) return { image, verdict: 'local' };
  const recorded = record.repositoriesOf(digest);
  if (repositories.some((each) => recorded.includes(each))) {
    return { image, digest, verdict: 'passed' };
  }
  if (repositories.some((each) => record.isRelayed(each))) {
    return { image, digest, verdict: 'relayed' };
  }
  return recorded.length === 0
    ? { image, digest, verdict: 'never' }
    : { image, digest, verdict: 'other_name', repositories: recorded };
}

/** Puts a report together. */
export function compareReport(
  engines: readonly EngineImages[],
  found: { readonly at: Date; readonly since?: string; readonly problems: readonly string[] },
): CompareReport {
  const { at, since, problems } = found;
  const hasNever = engines.some(({ images }) => images.some(({ verdict }) => verdict === 'never'));
  const rest = problems.length > 0 ? 'unknown' : 'all_passed';
  return {
    version: 1,
    pinnace: VERSION,
    at: at.toISOString(),
    ...(since === undefined ? {} : { since }),
    verdict: hasNever ? 'some_never' : rest,
    engines,
    problems,
  };
}

/** 0 nothing that should be on record is missing, 1 something is, 2 could not find out. */
export function compareExitCode({ verdict }: CompareReport): number {
  const codes = { all_passed: EXIT.ok, some_never: EXIT.refused, unknown: EXIT.inconclusive };
  return codes[verdict];
}

/** The report for people: what did not pass first, what did as a number. */
export function compareText(report: CompareReport): string {
  const lines = report.engines.flatMap(({ engine, engineVersion, address, images }) => [
    `${engine} ${engineVersion}, ${address}: ${images.length} images`,
    ...SHOWN.flatMap((verdict) =>
      images.filter((each) => each.verdict === verdict).map((each) => imageLine(each)),
    ),
    ...counts(images),
    '',
  ]);
  const problems = report.problems.map((problem) => `could not find out: ${problem}`);
  const since =
    report.since === undefined
      ? 'Since when the record is kept is not known.'
      : `The record begins ${report.since}: what was pulled before cannot be on it.`;
  return `${[...lines, ...problems, SUMMARY[report.verdict], since].map(printable).join('\n')}\n`;
}

const SHOWN = ['never', 'other_name', 'relayed'] as const;

const SUMMARY = {
  all_passed: 'Every image that was pulled is on Pinnace’s record.',
  some_never: 'There are images that NEVER PASSED through Pinnace.',
  unknown: 'Could not find out whether all images passed through Pinnace.',
} as const;

const WORDS = {
  never: 'NEVER PASSED',
  other_name: 'passed under another name',
  relayed: 'relayed unverified by the policy, no record',
} as const;

function imageLine({ image, digest = '', verdict, repositories = [] }: ComparedImage): string {
  const words = verdict === 'passed' || verdict === 'local' ? verdict : WORDS[verdict];
  const others = repositories.length === 0 ? '' : ` (${repositories.slice(0, 3).join(', ')})`;
  return `  ${words}: ${image} ${digest}${others}`;
}

function counts(images: readonly ComparedImage[]): readonly string[] {
  const count = (verdict: ComparedImage['verdict']): number =>
    images.filter((each) => each.verdict === verdict).length;
  const local = count('local');
  const lines = [`  passed: ${count('passed')}`];
  return local === 0 ? lines : [...lines, `  made here or loaded, hence without digest: ${local}`];
}

/**
 * The repositories that an engine's name may stand for: itself, and, where it is pulled by Pinnace's own name with the registry
 * in the path, that one. An odd name has none.
 */
function repositoriesOf(name: string): readonly string[] {
  try {
    const { repository } = parseImageReference(name);
    const { path } = repository;
    const own = repositoryName(repository);
    const slash = path.indexOf('/');
    if (slash < 0 || !looksLikeHost(path.slice(0, slash))) return [own];
    return [own, repositoryName(parseImageReference(path).repository)];
  } catch (error) {
    if (error instanceof OciError) return [];
    throw error;
  }
}
