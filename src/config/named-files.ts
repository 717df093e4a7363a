import { resolve } from 'node:path';
import { parseKeySet } from '../auth/key-set.ts';
import { parseDockerConfig } from './docker-config.ts';
import type { Findings } from './findings.ts';
import { parseHtpasswd } from './htpasswd.ts';
import { type ConfigPath, formatPath, valueAt } from './path.ts';
import { belongTogether, checkPrivateKey, doubtfulDates, parseCertificates } from './pem.ts';
import { type ReadFile, readLimited } from './read-file.ts';
import type { FileKind } from './schema-members.ts';
import { type SchemaNode, visitValues } from './schema-node.ts';
import { parseTufRoot } from './tuf-root.ts';
import type { Parsed } from './values.ts';

/** The largest certificate, key or password file accepted, in bytes. */
export const MAX_NAMED_FILE_BYTES: number = 1024 * 1024;

/** How named files are read and judged. */
export interface NamedFileOptions {
  readonly read: ReadFile;
  /** Folder that relative names start at. */
  readonly folder: string;
  /** Milliseconds since the epoch, for the dates of certificates. */
  readonly now: number;
}

/** The texts of the files that a configuration names, by the path of the key that names them. */
export type NamedFiles = ReadonlyMap<string, string>;

interface Reference {
  readonly path: ConfigPath;
  readonly name: string;
  readonly kind: FileKind;
}

/** Reads every file that `data` names and reports those that are not there or do not hold what they should. */
export async function readNamedFiles(
  source: { readonly root: SchemaNode; readonly data: unknown },
  options: NamedFileOptions,
  findings: Findings,
): Promise<NamedFiles> {
  const texts = new Map<string, string>();
  for (const reference of references(source.root, source.data)) {
    const text = await readText(reference, options, findings);
    if (text === undefined) continue;
    texts.set(formatPath(reference.path), text);
    judge({ reference, text, now: options.now }, findings);
  }
  checkKeyPairs(source, texts, findings);
  return texts;
}

function references(root: SchemaNode, data: unknown): readonly Reference[] {
  const found: Reference[] = [];
  visitValues(root, data, (node, value, path) => {
    if (node.file !== undefined && typeof value === 'string' && value !== '') {
      found.push({ path, name: value, kind: node.file });
    }
  });
  return found;
}

async function readText(
  reference: Reference,
  options: NamedFileOptions,
  findings: Findings,
): Promise<string | undefined> {
  const file = resolve(options.folder, reference.name);
  const content = await readLimited(options.read, file, MAX_NAMED_FILE_BYTES);
  if (content.ok) return decode(reference, content.bytes, findings);
  // A secret written where the name of its file belongs must not be printed.
  const isSecret = reference.kind === 'password' || reference.kind === 'token';
  const isShown = !isSecret || reference.name.includes('/');
  findings.problem(reference.path, `the file ${isShown ? file : 'named here'} ${content.problem}`);
  return undefined;
}

function decode(
  { kind, path, name }: Reference,
  bytes: Uint8Array,
  findings: Findings,
): string | undefined {
  if (kind !== 'tuf-root') return new TextDecoder().decode(bytes);
  try {
    // Not one byte may be lost: signatures are over all of them.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    findings.problem(path, `the file ${name} is not UTF-8 text`);
    return undefined;
  }
}

function judge(
  file: { readonly reference: Reference; readonly text: string; readonly now: number },
  findings: Findings,
): void {
  const { reference, text } = file;
  const { path, name } = reference;
  if (reference.kind === 'certificates') {
    const certificates = parseCertificates(text);
    if (!certificates.ok) {
      findings.problem(path, `the file ${name} ${certificates.problem}`, certificates.fix);
      return;
    }
    for (const certificate of certificates.value) {
      const doubt = doubtfulDates(certificate, file.now);
      if (doubt !== undefined) findings.warning(path, doubt);
    }
    return;
  }
  const content = CHECKS[reference.kind](text);
  if (!content.ok) findings.problem(path, `the file ${name} ${content.problem}`, content.fix);
}

const CHECKS = {
  'private-key': checkPrivateKey,
  password: parsePassword,
  token: parseToken,
  'docker-config': parseDockerConfig,
  'tuf-root': parseTufRoot,
  htpasswd: parseHtpasswd,
  'key-set': parseKeySet,
} as const;

/** Reads the text of a password file: one line, whose end is not part of the password. */
export function parsePassword(text: string): Parsed<string> {
  const password = text.replace(/\r?\n$/, '');
  if (password === '') return { ok: false, problem: 'is empty' };
  return /[\r\n]/.test(password)
    ? { ok: false, problem: 'has more than one line', fix: 'leave only the password in it' }
    : { ok: true, value: password };
}

/** Reads the text of a token file: one line, without spaces. */
export function parseToken(text: string): Parsed<string> {
  const line = parsePassword(text);
  if (!line.ok || /^[\x21-\x7e]+$/.test(line.value)) return line;
  return { ok: false, problem: 'is not a token', fix: 'leave only the token in it' };
}

function checkKeyPairs(
  source: { readonly root: SchemaNode; readonly data: unknown },
  texts: ReadonlyMap<string, string>,
  findings: Findings,
): void {
  visitValues(source.root, source.data, (node, _value, path) => {
    if (!node.keys.has('cert') || !node.keys.has('key')) return;
    const certificate = texts.get(formatPath([...path, 'cert']));
    const key = texts.get(formatPath([...path, 'key']));
    if (certificate === undefined || key === undefined || belongTogether(certificate, key)) return;
    const name = valueAt(source.data, [...path, 'cert']);
    findings.problem([...path, 'key'], `is not the key of the certificate in ${String(name)}`);
  });
}
