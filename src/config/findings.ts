import type { ConfigProblem } from './errors.ts';
import { type ConfigPath, formatPath, isWithin } from './path.ts';

interface Finding {
  readonly path: ConfigPath;
  readonly problem: string;
  readonly fix?: string;
  readonly line?: number;
}

/** Tells the line of the file, from 1, on which a path stands; undefined where it cannot be told. */
export type LineLookup = (path: ConfigPath) => number | undefined;

/** Collects what the checks find, so that all of it can be shown at once. */
export class Findings {
  readonly #problems: Finding[] = [];
  readonly #warnings: Finding[] = [];

  /** Adds something that stops the start; only the first problem at a path is kept. */
  problem(path: ConfigPath, problem: string, fix?: string, line?: number): void {
    if (this.#hasProblemAt(path, problem, line)) return;
    this.#problems.push(finding({ path, problem, fix, line }));
  }

  /** Adds something the operator should know but may want. */
  warning(path: ConfigPath, problem: string, fix?: string): void {
    this.#warnings.push(finding({ path, problem, fix, line: undefined }));
  }

  /** Drops everything found at or below `prefix`, when one sentence says it all. */
  forget(prefix: ConfigPath): void {
    const isElsewhere = (entry: Finding): boolean => !isWithin(entry.path, prefix);
    this.#problems.splice(0, this.#problems.length, ...this.#problems.filter(isElsewhere));
    this.#warnings.splice(0, this.#warnings.length, ...this.#warnings.filter(isElsewhere));
  }

  /** The problems in the order of the file. */
  problems(lineOf: LineLookup): readonly ConfigProblem[] {
    return inFileOrder(this.#problems, lineOf);
  }

  /** The warnings in the order of the file. */
  warnings(lineOf: LineLookup): readonly ConfigProblem[] {
    return inFileOrder(this.#warnings, lineOf);
  }

  #hasProblemAt(path: ConfigPath, problem: string, line: number | undefined): boolean {
    return this.#problems.some(
      (other) =>
        other.path.length === path.length &&
        isWithin(other.path, path) &&
        // Problems of the file as a whole have no path to tell them apart.
        (path.length > 0 || (other.problem === problem && other.line === line)),
    );
  }
}

function finding(entry: {
  readonly path: ConfigPath;
  readonly problem: string;
  readonly fix: string | undefined;
  readonly line: number | undefined;
}): Finding {
  return {
    path: entry.path,
    problem: entry.problem,
    ...(entry.fix === undefined ? {} : { fix: entry.fix }),
    ...(entry.line === undefined ? {} : { line: entry.line }),
  };
}

function inFileOrder(entries: readonly Finding[], lineOf: LineLookup): readonly ConfigProblem[] {
  return entries
    .map((entry) => ({ ...entry, line: entry.line ?? lineOf(entry.path) }))
    .sort((a, b) => (a.line ?? 0) - (b.line ?? 0))
    .map(({ path, problem, fix, line }) => ({
      path: formatPath(path),
      problem,
      ...(fix === undefined ? {} : { fix }),
      ...(line === undefined ? {} : { line }),
    }));
}
