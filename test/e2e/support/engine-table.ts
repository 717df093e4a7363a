import type { Kind } from './stand-in-content.ts';
import type { OriginAsked } from './stand-ins.ts';

/** How engines were made to use Pinnace. */
export const SETUPS = ['complete', 'hard', 'plain', 'printed'] as const;

export type SetupName = (typeof SETUPS)[number];

/** What is asked in each setup; what is left out is the same as in another one. */
export const ASKED: Readonly<Record<SetupName, readonly Kind[]>> = {
  complete: [
    'signed',
    'unsigned',
    'altered layer',
    'missing layer',
    'expired',
    'trust server away',
    'by digest',
    'Pinnace away',
  ],
  hard: ['unsigned', 'altered layer', 'missing layer'],
  plain: ['unsigned'],
  printed: [
    'signed',
    'unsigned',
    'altered layer',
    'missing layer',
    'expired',
    'trust server away',
    'by digest',
    'Pinnace away',
  ],
};

/** What became of one pull. */
export interface Outcome {
  readonly isPulled: boolean;
  readonly origin: OriginAsked;
  /** What the person saw, see {@link shownText}. */
  readonly shown: string;
}

/** What became of all pulls of one engine. */
export interface EngineOutcomes {
  /** With its version. */
  readonly name: string;
  readonly outcomes: ReadonlyMap<SetupName, ReadonlyMap<Kind, Outcome>>;
}

const TITLES: Readonly<Record<SetupName, string>> = {
  printed: 'With the settings of `pinnace engines`',
  complete: 'As a mirror: `refusal: hard-stop` with `completeFirst`',
  hard: 'As a mirror: `refusal: hard-stop` alone',
  plain: 'As a mirror: `refusal: deny`, for comparison',
};

const LONGEST_TEXT = 320;

/** The part of `docs/engines.md` that follows from a run. */
export function renderTables(engines: readonly EngineOutcomes[]): string {
  const parts: string[] = [];
  for (const setup of ['printed', 'complete', 'hard', 'plain'] as const) {
    const kinds = ASKED[setup];
    parts.push(
      `## ${TITLES[setup]}`,
      '',
      row(['Engine', ...kinds]),
      row(['---', ...kinds.map(() => '---')]),
      ...engines.map(({ name, outcomes }) =>
        row([name, ...kinds.map((kind) => verdictText(outcomes.get(setup)?.get(kind)))]),
      ),
      '',
    );
  }
  parts.push('## What the person sees', '');
  for (const { name, outcomes } of engines) {
    parts.push(`**${name}**`, '', ...shownLines(outcomes), '');
  }
  return parts.join('\n').trimEnd();
}

/** The same text with versions left out, which differ between machines. */
export function maskVersions(text: string): string {
  return text.replaceAll(/\d+\.\d+\.\d+/g, 'N');
}

/** What tells the reason in an engine's output: the line with Pinnace's sentence, or else the last one; without what differs. */
export function shownText(output: string): string {
  const lines = output
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const told = lines.findLast((line) => line.includes('pinnace refused')) ?? lines.at(-1) ?? '';
  const text = told
    .replaceAll(/sha256:[0-9a-f]{6,64}/g, 'sha256:…')
    .replaceAll(/\b[0-9a-f]{64}\b/g, '…')
    .replaceAll(/decision [0-9a-z-]+/g, 'decision …')
    .replaceAll(/(?:docker\.io\/)?[a-z]+-[a-z-]+\/[a-z0-9-]+(?::1|@sha256:…)?/g, 'IMAGE')
    .replaceAll(/\b\d{4}-\d\d-\d\dT[0-9:.]+Z/g, 'TIME')
    .replaceAll(/time="[^"]*"/g, 'time=…')
    .replaceAll(/127\.0\.0\.1:\d{2,5}->|192\.0\.2\.\d+:\d{4,5}->/g, '…->')
    .replaceAll(/^#\d+ [0-9.]+ |^#\d+ /g, '')
    // Sentences differ by reason; that one is there is what counts.
    .replace(/pinnace refused (IMAGE): .*$/, 'pinnace refused $1: …')
    .replaceAll('|', '\\|')
    .replaceAll('`', "'");
  return text.length <= LONGEST_TEXT ? text : `${text.slice(0, LONGEST_TEXT)}…`;
}

function verdictText(outcome: Outcome | undefined): string {
  if (outcome === undefined) return '';
  const { isPulled, origin } = outcome;
  if (isPulled) return origin === 'no' ? 'pulled' : '**from the origin**';
  if (origin === 'no') return 'final';
  return origin === 'in vain' ? 'final, asked in vain' : 'failed, **origin asked**';
}

/** Every text once, with all that it was shown for. */
function shownLines(outcomes: EngineOutcomes['outcomes']): readonly string[] {
  const byText = new Map<string, string[]>();
  for (const setup of ['printed', 'complete'] as const) {
    for (const [kind, { isPulled, shown }] of outcomes.get(setup) ?? []) {
      if (isPulled) continue;
      const where = setup === 'complete' ? `${kind} (mirror)` : kind;
      byText.set(shown, [...(byText.get(shown) ?? []), where]);
    }
  }
  return [...byText].map(([text, kinds]) => `- ${kinds.join(', ')}: \`${text}\``);
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}
