import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ProfileResult } from '../profile/run.ts';
import type { BenchResult } from '../results.ts';
import type { SoakResult } from '../soak/result.ts';
import { type Kept, renderDocs } from './render.ts';

const DOCS = resolve(fileURLToPath(import.meta.url), '../../../../docs');
const KEPT = join(DOCS, 'performance');

/** Keeps one measurement with the documentation, in place of the one before. */
export function keep<Name extends keyof Kept>(name: Name, result: Kept[Name]): void {
  mkdirSync(KEPT, { recursive: true });
  writeFileSync(join(KEPT, `${name}.json`), `${keptText(result)}\n`);
}

/** Reads what is kept. @throws {Error} when something was never measured */
export function readKept(): Kept {
  return {
    bench: readOne<BenchResult>('bench'),
    soak: readOne<SoakResult>('soak'),
    profile: readOne<ProfileResult>('profile'),
  };
}

/** Writes every generated file of the documentation anew, from what is kept. */
export function renderDocsFolder(): void {
  const page = readFileSync(join(DOCS, 'performance.md'), 'utf8');
  for (const [name, text] of renderDocs(readKept(), page)) writeFileSync(join(DOCS, name), text);
}

function readOne<T>(name: keyof Kept): T {
  return JSON.parse(readFileSync(join(KEPT, `${name}.json`), 'utf8'));
}

/** JSON with a line for each entry of the lists at the top: an hour has hundreds of samples. */
function keptText(result: object): string {
  const members = Object.entries(result).map(([key, value]) => {
    const lines = Array.isArray(value)
      ? `[\n${value.map((each) => `  ${JSON.stringify(each, rounded)}`).join(',\n')}\n ]`
      : JSON.stringify(value, rounded);
    return ` ${JSON.stringify(key)}: ${lines}`;
  });
  return `{\n${members.join(',\n')}\n}`;
}

/** Five digits are more than any of it is exact to. */
function rounded(_: string, value: unknown): unknown {
  return typeof value === 'number' ? Number(value.toPrecision(5)) : value;
}
