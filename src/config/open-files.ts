import { readFile } from 'node:fs/promises';

const LINE = /^Max open files +([0-9]{1,12}) /m;

/** How many files the system lets this process open; undefined where that cannot be told, or there is no limit. */
export async function openFileLimit(): Promise<number | undefined> {
  try {
    const found = LINE.exec(await readFile('/proc/self/limits', 'utf8'))?.[1];
    return found === undefined ? undefined : Number(found);
  } catch {
    // Not Linux: then the limit stays what the configuration says.
    return undefined;
  }
}
