import { styleText } from 'node:util';
import type { PullResult } from './engine.ts';
import type { CommandSeen } from './own-collection.ts';
import { isAsExpected, type Played } from './scenario.ts';

type Style = Parameters<typeof styleText>[0];

const HEADINGS = ['asked for', 'verdict', 'reason code', 'what an engine shows'] as const;
const NARROWEST_SENTENCE = 36;
const GAP = '  ';

/** Prints to the terminal; with colours only where somebody looks at it. */
export class Report {
  readonly #out: NodeJS.WriteStream;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  /** A line of the demo's own. */
  line(text = ''): void {
    this.#out.write(`${text}\n`);
  }

  /** Announces an act. */
  act(text: string): void {
    this.line(`\n${this.#styled(['bold', 'underline'], text)}`);
  }

  /** Announces a scenario. */
  heading(text: string): void {
    this.line(`\n${this.#styled('bold', text)}`);
  }

  /** A step of a scenario. */
  step(text: string): void {
    this.line(`   ${text}`);
  }

  /** A command line and what it printed. */
  command({ command, output }: CommandSeen): void {
    this.step(`${this.#styled('bold', '$')} ${command}`);
    for (const line of output.trimEnd().split('\n')) this.step(`  ${line}`);
  }

  /** How a pull went. */
  pulled(result: PullResult): void {
    const isServed = result.verdict === 'pinned';
    const mark = this.#styled(isServed ? 'green' : 'yellow', isServed ? 'served' : result.verdict);
    const reason = isServed ? result.sentence : `${result.reason}, at the ${result.part}`;
    this.step(`→ ${mark}: ${reason}`);
  }

  /** The table of all scenarios, and whether they went as they must. */
  table(played: readonly Played[]): void {
    const rows = played.map((each) => [
      each.asked,
      each.result.verdict,
      each.result.reason ?? '-',
      each.result.sentence,
    ]);
    const widths = HEADINGS.slice(0, 3).map((heading, column) =>
      Math.max(heading.length, ...rows.map((row) => row[column]?.length ?? 0)),
    );
    const used = widths.reduce((sum, width) => sum + width + GAP.length, GAP.length);
    const sentenceWidth = Math.max(NARROWEST_SENTENCE, (this.#out.columns ?? 120) - used);
    const columns = [...widths, sentenceWidth];
    this.line();
    this.#row(HEADINGS, columns, 'bold');
    this.line(`${GAP}${'-'.repeat(used + Math.min(sentenceWidth, 60) - GAP.length)}`);
    rows.forEach((row, index) => {
      const each = played[index];
      const style = each?.result.verdict === 'pinned' ? 'green' : 'yellow';
      this.#row(row, columns, each !== undefined && isAsExpected(each) ? style : 'red');
    });
    this.#conclusion(played);
  }

  #conclusion(played: readonly Played[]): void {
    const wrong = played.filter((each) => !isAsExpected(each));
    this.line();
    if (wrong.length === 0) {
      this.line(this.#styled('green', `All ${played.length} verdicts are as they must be.`));
      return;
    }
    for (const { asked, expected, result } of wrong) {
      const wanted = 'digest' in expected ? `pinned ${expected.digest}` : expected.reason;
      const got = result.reason ?? `pinned ${result.digest}`;
      this.line(this.#styled('red', `NOT AS EXPECTED: ${asked}: ${wanted}, got ${got}`));
    }
  }

  #row(cells: readonly string[], widths: readonly number[], style: Style): void {
    const wrapped = cells.map((cell, column) => wrap(cell, widths[column] ?? 0));
    const height = Math.max(...wrapped.map((lines) => lines.length));
    for (let index = 0; index < height; index += 1) {
      const padded = wrapped.map((lines, column) => {
        const text = (lines[index] ?? '').padEnd(widths[column] ?? 0);
        return column === 1 || style === 'bold' ? this.#styled(style, text) : text;
      });
      this.line(`${GAP}${padded.join(GAP)}`.trimEnd());
    }
  }

  #styled(style: Style, text: string): string {
    return this.#out.isTTY ? styleText(style, text, { stream: this.#out }) : text;
  }
}

function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}

/** A digest short enough to read. */
export function short(digest: string): string {
  return `${digest.slice(0, 'sha256:'.length + 12)}…`;
}
