import { CodedError } from '../base/coded-error.ts';

/** One thing that is wrong (or, as a warning, doubtful) in a configuration, in words for the person who wrote it. */
export interface ConfigProblem {
  /** Where, as in `trust.corp.anchors[0].ca`; empty when it concerns the file as a whole. */
  readonly path: string;
  /** What is wrong. Never holds a secret. */
  readonly problem: string;
  /** What to write instead. */
  readonly fix?: string;
  /** The line in the file, from 1, where it can be told. */
  readonly line?: number;
}

/** A configuration that cannot be used. All that is wrong with it is in `problems`, in the order of the file. */
export class ConfigError extends CodedError<'config_invalid'> {
  readonly file: string;
  readonly problems: readonly ConfigProblem[];

  constructor(file: string, problems: readonly ConfigProblem[]) {
    super('config_invalid', summary(file, problems), {
      detail: { file, paths: problems.map((problem) => problem.path) },
    });
    this.file = file;
    this.problems = problems;
  }
}

/** Writes problems for a terminal: numbered, each with its path and line, its sentence and its fix on lines of their own. */
export function formatProblems(problems: readonly ConfigProblem[]): string {
  const width = String(problems.length).length;
  return problems
    .map((entry, index) => {
      const indent = ' '.repeat(width + 4);
      const lines = [`  ${String(index + 1).padStart(width)}. ${heading(entry)}`];
      lines.push(`${indent}${printable(entry.problem)}`);
      if (entry.fix !== undefined) lines.push(`${indent}-> ${printable(entry.fix)}`);
      return lines.join('\n');
    })
    .join('\n\n');
}

/** Replaces control characters, which a name in a file could use to disturb a terminal, by `\u` escapes. */
export function printable(text: string): string {
  return text.replace(
    /\p{Cc}|\p{Cf}|\p{Zl}|\p{Zp}/gu,
    (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  );
}

function heading(entry: ConfigProblem): string {
  const path = entry.path === '' ? 'the file' : printable(entry.path);
  return entry.line === undefined ? path : `${path} (line ${entry.line})`;
}

function summary(file: string, problems: readonly ConfigProblem[]): string {
  const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`;
  return `${printable(file)} has ${count}:\n\n${formatProblems(problems)}`;
}
