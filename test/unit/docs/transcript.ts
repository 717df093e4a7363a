/** A block of a document that is more than words. */
export type Block =
  | { readonly kind: 'yaml'; readonly text: string }
  | { readonly kind: 'commands'; readonly commands: readonly ShownCommand[] };

/** A command line of a document, and what it says that the command prints. */
export interface ShownCommand {
  /** Without the prompt. */
  readonly line: string;
  readonly output: readonly string[];
}

const FENCE = /^```(console|yaml)\n(.*?)^```$/gms;
const LEFT_OUT = '…';
const VARIABLE =
  /(?<time>\d{4}-\d\d-\d\dT[\d:.]+Z)|\b(?<hex>[0-9a-f]{8,64})\b…?|(?<bytes>\d+ bytes)|(?<gap>…)/g;
const PROGRESS = /^\[\d+(\/\d+\] .*)$/;

/** The blocks of a document in order. */
export function blocksOf(markdown: string): readonly Block[] {
  return [...markdown.matchAll(FENCE)].map(([, kind, text = '']) =>
    kind === 'yaml' ? { kind, text } : { kind: 'commands', commands: commandsIn(text) },
  );
}

/** The words of a command line; double quotes hold words together. */
export function wordsOf(line: string): readonly string[] {
  return [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
}

/**
 * Compares what commands print with what a document shows. Times and numbers of bytes may be others; so may keys and digests,
 * known by their first eight characters, but what is the same in the document has to be the same, and what is not, not. `…`
 * stands for anything within a line, and on a line of its own for any lines.
 */
export class Comparison {
  readonly #actualOf = new Map<string, string>();
  readonly #shownOf = new Map<string, string>();

  /** Says what differs; undefined when nothing does. */
  difference(shown: readonly string[], printed: string): string | undefined {
    const actual = inOrder(printed.replace(/\n$/, '').split('\n'));
    let at = 0;
    let mayLeaveOut = false;
    for (const line of inOrder(shown)) {
      if (line === LEFT_OUT) {
        mayLeaveOut = true;
        continue;
      }
      const found = mayLeaveOut
        ? actual.findIndex((each, index) => index >= at && this.#isLike(line, each))
        : at;
      const here = actual[found];
      if (here === undefined || !this.#isLike(line, here)) {
        return `shown: ${line}\nprinted: ${actual[at] ?? 'nothing more'}`;
      }
      this.#remember(line, here);
      at = found + 1;
      mayLeaveOut = false;
    }
    return at === actual.length || mayLeaveOut ? undefined : `printed, not shown: ${actual[at]}`;
  }

  #isLike(shown: string, actual: string): boolean {
    const pairs = pairsIn(shown, actual);
    return (
      pairs?.every(
        ([wanted, found]) =>
          (this.#actualOf.get(wanted) ?? found) === found &&
          (this.#shownOf.get(found) ?? wanted) === wanted,
      ) ?? false
    );
  }

  #remember(shown: string, actual: string): void {
    for (const [wanted, found] of pairsIn(shown, actual) ?? []) {
      this.#actualOf.set(wanted, found);
      this.#shownOf.set(found, wanted);
    }
  }
}

function commandsIn(text: string): readonly ShownCommand[] {
  const commands: { line: string; output: string[] }[] = [];
  for (const line of text.trimEnd().split('\n')) {
    if (line.startsWith('$ ')) commands.push({ line: line.slice('$ '.length), output: [] });
    else commands.at(-1)?.output.push(line);
  }
  return commands;
}

/** The keys and digests that stand at the same places, by their beginnings; undefined when the lines are not alike. */
function pairsIn(
  shown: string,
  actual: string,
): readonly (readonly [shown: string, actual: string])[] | undefined {
  const wanted: string[] = [];
  let pattern = '';
  let end = 0;
  for (const match of shown.matchAll(VARIABLE)) {
    pattern += escaped(shown.slice(end, match.index));
    end = match.index + match[0].length;
    const { time, hex, bytes } = match.groups ?? {};
    if (time !== undefined) pattern += '\\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z';
    else if (bytes !== undefined) pattern += '\\d+ bytes';
    else if (hex === undefined) pattern += '.*';
    else {
      wanted.push(hex);
      pattern += match[0].endsWith(LEFT_OUT)
        ? '([0-9a-f]{8})[0-9a-f]*'
        : `([0-9a-f]{8})[0-9a-f]{${hex.length - 8}}`;
    }
  }
  const found = new RegExp(`^${pattern}${escaped(shown.slice(end))}$`).exec(actual.trimEnd());
  return found === null
    ? undefined
    : wanted.map((hex, index) => [hex.slice(0, 8), found[index + 1] ?? '']);
}

/** Lines of progress come in the order in which answers came; here in that of what they are about. */
function inOrder(lines: readonly string[]): readonly string[] {
  const ordered: string[] = [];
  let run: string[] = [];
  const endRun = (): void => {
    ordered.push(...run.sort().map((line, index) => `[${index + 1}${line}`));
    run = [];
  };
  for (const line of lines) {
    const [, rest] = PROGRESS.exec(line) ?? [];
    if (rest !== undefined) run.push(rest);
    else {
      endRun();
      ordered.push(line);
    }
  }
  endRun();
  return ordered;
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
