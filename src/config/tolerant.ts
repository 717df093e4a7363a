import { type ConfigPath, valueAt } from './path.ts';

/**
 * Reads a configuration that may have problems elsewhere: what is missing or of the wrong type is undefined, so that the
 * checks across keys can say all they have to say in one run.
 */
export class TolerantReader {
  readonly #data: unknown;

  constructor(data: unknown) {
    this.#data = data;
  }

  /** The text at `path`. */
  text(...path: ConfigPath): string | undefined {
    const value = valueAt(this.#data, path);
    return typeof value === 'string' ? value : undefined;
  }

  /** The number at `path`. */
  number(...path: ConfigPath): number | undefined {
    const value = valueAt(this.#data, path);
    return typeof value === 'number' ? value : undefined;
  }

  /** Whether anything stands at `path`, whatever it is. */
  has(...path: ConfigPath): boolean {
    return valueAt(this.#data, path) !== undefined;
  }

  /** Whether `true` stands at `path`. */
  isTrue(...path: ConfigPath): boolean {
    return valueAt(this.#data, path) === true;
  }

  /** The names in the block at `path`, in the order of the file. */
  names(...path: ConfigPath): readonly string[] {
    const value = valueAt(this.#data, path);
    const isBlock = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isBlock ? Object.keys(value) : [];
  }

  /** How many items the list at `path` has; 0 when there is no list. */
  count(...path: ConfigPath): number {
    const value = valueAt(this.#data, path);
    return Array.isArray(value) ? value.length : 0;
  }
}
