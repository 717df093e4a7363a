import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout. */
export const ROOT: string = fileURLToPath(new URL('../../..', import.meta.url));

const NOT_OURS: ReadonlySet<string> = new Set([
  '.git',
  '.demo',
  'certificates',
  'coverage',
  'data',
  'dist',
  'node_modules',
]);

/** A file of the project as text. */
export function textOf(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

/** Paths of the files that are, or are to be, committed; with `/` on every platform. */
export function projectFiles(folder = ''): readonly string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true })
    .filter(({ name }) => !NOT_OURS.has(name) && !name.endsWith('.log'))
    .flatMap((entry) => {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) return projectFiles(path);
      return entry.isFile() ? [path] : [];
    });
}
