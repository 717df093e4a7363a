import { parseArgs } from 'node:util';
import { SCENARIOS } from './scenarios.ts';
import { durationSeconds } from './soak/duration.ts';

/** Where what was measured goes, beside standard output. */
export interface Outputs {
  readonly json: string | undefined;
  /** A folder for charts. */
  readonly plots: string | undefined;
  /** Whether `docs/performance` is written anew from what is measured. */
  readonly docs: boolean;
}

/** What the command line asks for. */
export interface Wishes extends Outputs {
  readonly isQuick: boolean;
  /** Names of scenarios; empty: all. */
  readonly only: readonly string[];
}

/** What a soak is to be like, and where it goes. */
export interface SoakWishes extends Outputs {
  readonly seconds: number;
  readonly requestsPerSecond: number;
}

/** What is to be done: measure, or say something and end. */
export type CommandLine =
  | { readonly kind: 'measure'; readonly wishes: Wishes }
  | { readonly kind: 'render' }
  | { readonly kind: 'soak'; readonly soak: SoakWishes }
  | { readonly kind: 'profile'; readonly outputs: Outputs }
  | { readonly kind: 'say'; readonly text: string; readonly exitCode: 0 | 64 };

/** What `--help` says. */
export const HELP = `Measures Pinnace beside its peers, in one run, in turns.

Usage: npm run bench -- [options]

  --quick            every scenario, smaller and shorter: under two minutes
  --only NAME        one scenario; may be repeated
  --soak DURATION    instead: a mixed, steady load for 10s to 24h (60m), every answer checked
  --rate REQUESTS    a second, for --soak; default 300
  --profile          instead: where the time of a warm tag, a warm and a cold blob goes
  --json FILE        writes what was measured as JSON
  --plots FOLDER     draws what was measured as SVG
  --docs             keeps what was measured in docs/performance, and makes its tables and pictures
  --render           makes those tables and pictures anew from what is kept, without measuring
  --list             names the scenarios
  --help             shows this

Ratios above 1 mean that Pinnace is the better one. Load generator and peers are Debian packages (wrk, skopeo, curl,
nginx-light, docker-registry); a peer that is missing is named and left out, and so is a scenario without its load
generator. Exit code: 0 measured, 1 a scenario was not measured or a soak answered wrongly, 64 usage.
`;

const OPTIONS = {
  quick: { type: 'boolean', default: false },
  only: { type: 'string', multiple: true },
  soak: { type: 'string' },
  rate: { type: 'string', default: '300' },
  profile: { type: 'boolean', default: false },
  json: { type: 'string' },
  plots: { type: 'string' },
  docs: { type: 'boolean', default: false },
  render: { type: 'boolean', default: false },
  list: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

/** Reads the command line. */
export function readCommandLine(words: readonly string[]): CommandLine {
  try {
    const { values } = parseArgs({ args: [...words], options: OPTIONS });
    if (values.help) return { kind: 'say', text: HELP, exitCode: 0 };
    if (values.list) return { kind: 'say', text: listed(), exitCode: 0 };
    if (values.render) return { kind: 'render' };
    const { quick: isQuick, only = [], json, plots, docs } = values;
    if (values.soak !== undefined) return soakOf(values.soak, values.rate, { json, plots, docs });
    if (values.profile) return { kind: 'profile', outputs: { json, plots, docs } };
    if (docs && only.length > 0) {
      return usage('--docs keeps a run of every scenario: leave --only away.');
    }
    const unknown = only.find((name) => SCENARIOS.every((each) => each.name !== name));
    if (unknown !== undefined)
      return usage(`There is no scenario "${unknown}"; --list names them.`);
    return { kind: 'measure', wishes: { isQuick, only, json, plots, docs } };
  } catch (error) {
    return usage(`${error instanceof Error ? error.message : String(error)}\n\n${HELP}`);
  }
}

function soakOf(duration: string, rate: string, outputs: Outputs): CommandLine {
  const seconds = durationSeconds(duration);
  if (seconds === undefined) return usage(`--soak takes 10s to 24h, not "${duration}".`);
  const requestsPerSecond = Number(rate);
  if (!/^\d{1,4}$/.test(rate) || requestsPerSecond < 10) {
    return usage(`--rate takes 10 to 9999 requests a second, not "${rate}".`);
  }
  return { kind: 'soak', soak: { seconds, requestsPerSecond, ...outputs } };
}

function listed(): string {
  return SCENARIOS.map(({ name, question }) => `${name}: ${question}\n`).join('');
}

function usage(text: string): CommandLine {
  return { kind: 'say', text: `${text.trimEnd()}\n`, exitCode: 64 };
}
