import { membersOf, parseJson, textOf } from '../base/json-members.ts';
import { type Digest, isDigest } from '../oci/digest.ts';
import { OciError } from '../oci/errors.ts';
import { parseRepositoryName, type Repository } from '../oci/names.ts';

/** What the core says with an answer that a front may give again by itself. */
export interface KeptMark {
  /** The last forgetting before it. */
  readonly epoch: number;
  /** Milliseconds from when it was asked for. */
  readonly forMs: number;
  /** Milliseconds since the epoch. */
  readonly freshUntil: number;
  /** What has it forgotten. */
  readonly scope: string;
  /** The newest time that the core has seen, and how often an operator has lowered that. */
  readonly newest: number;
  readonly resets: number;
  readonly repository: Repository;
  readonly tag: string;
  readonly digest: Digest;
  readonly mediaType: string;
  /** Bytes of the manifest. */
  readonly size: number;
  readonly rule?: string;
}

/** Where it stands; never sent to clients. */
export const KEEP = 'X-Pinnace-Front-Keep';

/** Writes a mark as a header's value. */
export function writeMark(mark: KeptMark): string {
  const { registry, path } = mark.repository;
  const written = { ...mark, repository: `${registry}/${path}` };
  return Buffer.from(JSON.stringify(written)).toString('base64url');
}

/** Reads a mark; undefined for anything that is not wholly one. */
export function readMark(value: string | readonly string[] | undefined): KeptMark | undefined {
  if (typeof value !== 'string') return undefined;
  const members = membersOf(parseJson(Buffer.from(value, 'base64url').toString()));
  const number = (name: string): number => numberOf(members.get(name));
  const text = (name: string): string => textOf(members.get(name));
  const digest = text('digest');
  const repository = repositoryNamed(text('repository'));
  const numbers = {
    ...{ epoch: number('epoch'), forMs: number('forMs'), freshUntil: number('freshUntil') },
    ...{ newest: number('newest'), resets: number('resets'), size: number('size') },
  };
  const isWhole = Object.values(numbers).every((each) => Number.isFinite(each));
  if (!isWhole || repository === undefined || !isDigest(digest)) return undefined;
  const rule = members.get('rule');
  return {
    ...numbers,
    ...{ scope: text('scope'), tag: text('tag'), mediaType: text('mediaType') },
    ...{ repository, digest },
    ...(typeof rule === 'string' ? { rule } : {}),
  };
}

function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : Number.NaN;
}

/** A repository by its full name; undefined for what is none. */
export function repositoryNamed(name: string): Repository | undefined {
  try {
    return parseRepositoryName(name);
  } catch (error) {
    if (error instanceof OciError) return undefined;
    throw error;
  }
}
