import { type Document, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import type { Findings, LineLookup } from './findings.ts';
import type { ConfigPath } from './path.ts';

/** The largest configuration file accepted, in bytes. */
export const MAX_CONFIG_BYTES: number = 1024 * 1024;

/** How often aliases may be used in one file, those inside aliased parts counted each time. */
const MAX_ALIASES = 100;

/** How deeply lists and maps may be nested; the schema needs 6. */
const MAX_DEPTH = 16;

/** The most values (maps, lists and scalars together) in one file. */
const MAX_VALUES = 100_000;

const KEY_AT_START = /^["']?([A-Za-z0-9_.:-]{1,80}?)["']?\s*:/;

/** A configuration file as plain data, before any key has been looked at. */
export interface ConfigDocument {
  /** Objects, arrays and scalars; undefined when the text could not be read as YAML at all. */
  readonly data: unknown;
  readonly lineOf: LineLookup;
}

/**
 * Reads YAML 1.2 (core schema) into plain data. Duplicate keys, several documents, unknown tags, deep nesting and
 * excessive use of aliases are problems, reported with their line.
 *
 * @param bytes - the file, at most `MAX_CONFIG_BYTES` long
 */
export function parseConfigDocument(bytes: Uint8Array, findings: Findings): ConfigDocument {
  const lines = new LineCounter();
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    findings.problem([], 'is not UTF-8 text');
    return { data: undefined, lineOf: () => undefined };
  }
  // prettyErrors would quote the offending line, which may hold a secret.
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: true,
    strict: true,
  });
  const lineAt = (offset: number): number => lines.linePos(offset).line;
  const isReadable = reportSyntax(document, { text, lineAt }, findings);
  const data = isReadable ? toData(document, findings) : undefined;
  return { data, lineOf: (path) => lineOfPath(document, path, lineAt) };
}

/** Reports syntax errors; gives back whether the rest can be judged in spite of them. */
function reportSyntax(
  document: Document.Parsed,
  source: { readonly text: string; readonly lineAt: (offset: number) => number },
  findings: Findings,
): boolean {
  let isReadable = true;
  for (const error of document.errors.slice(0, 20)) {
    const line = source.lineAt(error.pos[0]);
    if (error.code === 'DUPLICATE_KEY') {
      const key = KEY_AT_START.exec(source.text.slice(error.pos[0], error.pos[0] + 82))?.[1];
      const which = key === undefined ? 'a key' : `the key ${key}`;
      findings.problem([], `${which} is written a second time`, 'keep one of them', line);
      continue;
    }
    isReadable = false;
    findings.problem([], `is not valid YAML: ${plainMessage(error)}`, undefined, line);
  }
  for (const warning of document.warnings.slice(0, 20)) {
    const line = source.lineAt(warning.pos[0]);
    findings.problem([], `is not plain YAML: ${plainMessage(warning)}`, undefined, line);
  }
  return isReadable;
}

function plainMessage(error: { readonly code: string; readonly message: string }): string {
  if (error.code === 'MULTIPLE_DOCS') return 'more than one document in the file';
  if (error.code === 'RESOURCE_EXHAUSTION') return 'nested too deeply';
  return (error.message.split('\n', 1)[0] ?? '').slice(0, 200);
}

function toData(document: Document.Parsed, findings: Findings): unknown {
  let tree: unknown;
  try {
    tree = document.toJS({ mapAsMap: true, maxAliasCount: MAX_ALIASES });
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    findings.problem([], 'uses aliases (*name) too often', 'write the repeated parts out');
    return undefined;
  }
  if (tree === null || tree === undefined) {
    findings.problem([], 'is empty', 'start from config/minimal.yaml');
    return undefined;
  }
  return new PlainDataMaker(findings).make(tree, []);
}

/** Turns maps into objects without prototype; keys that are no strings, and `__proto__`, become problems. */
class PlainDataMaker {
  readonly #findings: Findings;
  #values = 0;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  make(value: unknown, path: ConfigPath): unknown {
    this.#values += 1;
    // The count stops lists that contain themselves through an alias; the depth alone would let them fan out.
    if (path.length > MAX_DEPTH || this.#values > MAX_VALUES) {
      this.#findings.problem(path.slice(0, 4), 'is nested too deeply or holds too much');
      return undefined;
    }
    if (Array.isArray(value)) {
      return value.map((item: unknown, index) => this.make(item, [...path, index]));
    }
    return value instanceof Map ? this.#object(value, path) : value;
  }

  #object(map: ReadonlyMap<unknown, unknown>, path: ConfigPath): unknown {
    const plain: Record<string, unknown> = Object.create(null);
    for (const [key, item] of map) {
      if (typeof key === 'object' && key !== null) {
        this.#findings.problem(path, 'has a list or map as a key');
        continue;
      }
      const name = String(key);
      if (name === '__proto__') {
        this.#findings.problem([...path, name], 'is not a name that can be used here');
      } else if (Object.hasOwn(plain, name)) {
        this.#findings.problem([...path, name], 'is written twice', 'keep one of them');
      } else {
        plain[name] = this.make(item, [...path, name]);
      }
    }
    return plain;
  }
}

/** The line of the key or item at `path`, or of its nearest parent that is in the file. */
function lineOfPath(
  document: Document.Parsed,
  path: ConfigPath,
  lineAt: (offset: number) => number,
): number | undefined {
  let node: unknown = document.contents;
  let offset: number | undefined;
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === step);
      if (pair === undefined) break;
      offset = startOf(pair.key) ?? offset;
      node = pair.value;
    } else if (isSeq(node) && typeof step === 'number') {
      node = node.items[step];
      offset = startOf(node) ?? offset;
    } else {
      break;
    }
  }
  return offset === undefined ? undefined : lineAt(offset);
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}
