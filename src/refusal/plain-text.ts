import type { Fact, Facts } from '../base/coded-error.ts';
import { type Repository, repositoryName } from '../oci/names.ts';

/** What was asked for: a repository, and the tag or digest as the client wrote it (empty for the repository itself). */
export interface Subject {
  readonly repository: Repository;
  readonly reference: string;
}

/**
 * Makes one line of printable ASCII of `text`, without quotation marks and backslashes, so that it reads the same in a
 * terminal, a header and JSON, whatever a registry or signer wrote into it.
 *
 * @param maxLength - in characters; a longer text ends in `...`
 */
export function plainText(text: string, maxLength: number): string {
  // Cut before replacing: the rest of a hostile text is not worth reading.
  const line = text
    .slice(0, maxLength * 2)
    .replaceAll(/["`]/g, "'")
    .replaceAll('\\', '/')
    .replaceAll(/[^\x20-\x7e]+/g, ' ')
    .replaceAll(/ {2,}/g, ' ')
    .trim();
  return line.length <= maxLength ? line : `${line.slice(0, Math.max(0, maxLength - 3))}...`;
}

/** The full reference: `docker.io/library/alpine:3.20`, `docker.io/library/alpine@sha256:…`. */
export function subjectName(subject: Subject): string {
  const name = repositoryName(subject.repository);
  if (subject.reference === '') return name;
  return `${name}${subject.reference.includes(':') ? '@' : ':'}${subject.reference}`;
}

/** A fact as plain text of at most 120 characters, or undefined if it is not among the facts. */
export function factText(facts: Facts, name: string): string | undefined {
  const fact: Fact | undefined = Object.hasOwn(facts, name) ? facts[name] : undefined;
  if (fact === undefined) return undefined;
  const text = typeof fact === 'object' ? fact.join(', ') : String(fact);
  return plainText(text, 120);
}
