import { parseArgs } from 'node:util';
import { SCENARIOS } from './scenarios.ts';

/** What the command line asks for. */
export interface Wishes {
  readonly isQuick: boolean;
  /** Names of scenarios; empty: all. */
  readonly only: readonly string[];
  readonly json: string | undefined;
  /** A folder for charts. */
  readonly plots: string | undefined;
  /** Whether `docs/performance` is written anew from what is measured. */
  readonly docs: boolean;
}

/** What is to be done: measure, or say something and end. */
export type CommandLine =
  | { readonly kind: 'measure'; readonly wishes: Wishes }
  | { readonly kind: 'render' }
  | { readonly kind: 'say'; readonly text: string; readonly exitCode: 0 | 64 };

/** What `--help` says. */
export const HELP = `Measures Pinnace beside its peers, in one run, in turns.

Usage: npm run bench -- [options]

  --quick            every scenario, smaller and shorter: under two minutes
  --only NAME        one scenario; may be repeated
  --json FILE        writes what was measured as JSON
  --plots FOLDER     draws what was measured as SVG
  --docs             keeps what was measured in docs/performance, and makes its tables and pictures
  --render           makes those tables and pictures anew from what is kept, without measuring
  --list             names the scenarios
  --help             shows this

Ratios above 1 mean that Pinnace is the better one. Load generator and peers are Debian packages (wrk, skopeo, curl,
nginx-light, docker-registry); a peer that is missing is named and left out, and so is a scenario without its load
generator. Exit code: 0 measured, 1 a scenario was not measured, 64 usage.
`;

/** Reads the command line. */
export function readCommandLine(words: readonly string[]): CommandLine {
  try {
    const { values } = parseArgs({
      args: [...words],
      options: {
        quick: { type: 'boolean', default: false },
        only: { type: 'string', multiple: true, default: [] },
        json: { type: 'string' },
        plots: { type: 'string' },
        docs: { type: 'boolean', default: false },
        render: { type: 'boolean', default: false },
        list: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) return { kind: 'say', text: HELP, exitCode: 0 };
    if (values.list) return { kind: 'say', text: listed(), exitCode: 0 };
    if (values.render) return { kind: 'render' };
    if (values.docs && values.only.length > 0) {
      return usage('--docs keeps a run of every scenario: leave --only away.');
    }
    const unknown = values.only.find((name) => SCENARIOS.every((each) => each.name !== name));
    if (unknown !== undefined)
      return usage(`There is no scenario "${unknown}"; --list names them.`);
    const { quick: isQuick, only, json, plots, docs } = values;
    return { kind: 'measure', wishes: { isQuick, only, json, plots, docs } };
  } catch (error) {
    return usage(`${error instanceof Error ? error.message : String(error)}\n\n${HELP}`);
  }
}

function listed(): string {
  return SCENARIOS.map(({ name, question }) => `${name}: ${question}\n`).join('');
}

function usage(text: string): CommandLine {
  return { kind: 'say', text: `${text.trimEnd()}\n`, exitCode: 64 };
}
