import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The top folder of the repository, with a slash at its end. */
export const TOP: string = fileURLToPath(new URL('../../../', import.meta.url));

/** One row of a Markdown table, its cells by the column's heading. */
export type Row = ReadonlyMap<string, string>;

/** A file that a document names, and what it says is in there. */
export interface Reference {
  readonly path: string;
  readonly names: readonly string[];
}

const CODE_OR_QUOTE = /`([^`]+)`|“([^”]+)”/g;
const PATH = /^(?:[\w.-]+\/)+[\w.-]+\.\w+$/;
const VECTOR = /^(.+): (?:every stated verdict|the same with a restart between the steps)$/;
const CASES = 'test/fixtures/notary-v1';

/** Reads a file by its path from the top of the repository. */
export function readTop(path: string): string {
  return readFileSync(`${TOP}${path}`, 'utf8');
}

/** The rows of all tables of a document. */
export function tableRows(markdown: string): readonly Row[] {
  const rows: Row[] = [];
  let heads: readonly string[] | undefined;
  for (const line of markdown.split('\n')) {
    if (!line.startsWith('|')) heads = undefined;
    else if (heads === undefined) heads = cellsOf(line);
    else if (!/^[\s|:-]+$/.test(line)) {
      const cells = cellsOf(line);
      rows.push(new Map(heads.map((head, index) => [head, cells[index] ?? ''])));
    }
  }
  return rows;
}

/**
 * Takes a cell apart: each path in code, with what follows it in code (names in the source) or in quotation marks (names of
 * tests) up to the next path.
 */
export function referencesIn(cell: string): readonly Reference[] {
  const references: { path: string; names: string[] }[] = [];
  for (const [, code, quoted] of cell.matchAll(CODE_OR_QUOTE)) {
    if (code !== undefined && PATH.test(code)) references.push({ path: code, names: [] });
    else references.at(-1)?.names.push(code ?? quoted ?? '');
  }
  return references;
}

/** What is wrong with a reference to source: the file is missing, or does not define a name. */
export function sourceProblems({ path, names }: Reference): readonly string[] {
  if (!existsSync(`${TOP}${path}`)) return [`${path} is not there`];
  if (names.length === 0) return [`${path} is named without a name in it`];
  const source = readTop(path);
  return names
    .filter((name) => !defines(source, name))
    .map((name) => `${path} does not define ${name}`);
}

/** What is wrong with a reference to tests: the file is missing, or has no test of that name. */
export function testProblems({ path, names }: Reference): readonly string[] {
  if (!existsSync(`${TOP}${path}`)) return [`${path} is not there`];
  if (names.length === 0) return [`${path} is named without a test in it`];
  const source = readTop(path);
  return names
    .filter((name) => !(hasTest(source, name) && hasVector(name)))
    .map((name) => `${path} has no test “${name}”`);
}

/** A declaration at the top level, or a member of a class; names may have the leading `#` of private members. */
function defines(source: string, name: string): boolean {
  const word = name.replace(/^#/, '').replaceAll('$', '\\$');
  const declared = `^(?:export )?(?:async )?(?:function\\*?|class|const|interface|type) ${word}\\b`;
  const member = `^ {2}(?:(?:static|async|get|readonly) )*#?${word}(?:<.*)?[(:?=]`;
  return new RegExp(`${declared}|${member}`, 'm').test(source);
}

/** The name stands in the file as it is, or is made by one of its templates. */
function hasTest(source: string, name: string): boolean {
  if (source.replaceAll("\\'", "'").includes(name)) return true;
  return [...source.matchAll(/`([^`\n]*\$\{[^`\n]*)`/g)].some(([, template = '']) => {
    const pieces = template.split(/\$\{(?:[^{}]|\{[^{}]*\})*\}/);
    const isTelling = pieces.join('').trim().length >= 5;
    return isTelling && new RegExp(`^${pieces.map(escaped).join('.+')}$`).test(name);
  });
}

/** Tests of the Notary v1 vectors are made from case files: the case has to exist, too. */
function hasVector(name: string): boolean {
  const vector = VECTOR.exec(name)?.[1];
  if (vector === undefined || existsSync(`${TOP}${CASES}/${vector}/case.json`)) return true;
  return readTop(`${CASES}/hand-signed/cases.json`).includes(`"name": "${vector}"`);
}

function cellsOf(line: string): readonly string[] {
  const cells = line.split(/(?<!\\)\|/).slice(1, -1);
  return cells.map((cell) => cell.trim());
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
