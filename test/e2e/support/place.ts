import { Daemon, type Finished, type RunOptions, run, runOk } from './process.ts';

const CURL = ['curl', '-sS', '--noproxy', '*', '--http1.1'] as const;

/** What a HTTP request from inside a place was answered. */
export interface Answer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/**
 * Where programs run: this machine as it is, or a network and mount namespace. Requests are made with curl so that they
 * too are made from there.
 */
export class Place {
  readonly #prefix: readonly string[];

  constructor(prefix: readonly string[] = []) {
    this.#prefix = prefix;
  }

  /** The place that a command leads to from here, which runs the rest of its arguments. */
  within(command: readonly string[]): Place {
    return new Place([...this.#prefix, ...command]);
  }

  /** Runs a command in this place. */
  async run(command: readonly string[], options: RunOptions = {}): Promise<Finished> {
    return await run([...this.#prefix, ...command], options);
  }

  /** Runs a command in this place that has to succeed. */
  async runOk(command: readonly string[], options: RunOptions = {}): Promise<string> {
    return await runOk([...this.#prefix, ...command], options);
  }

  /** Starts a background program in this place. */
  start(
    command: readonly string[],
    logFile: string,
    options: Pick<RunOptions, 'cwd' | 'env'> = {},
  ): Daemon {
    return Daemon.start([...this.#prefix, ...command], logFile, options);
  }

  /** Makes a HTTP request; further curl arguments come as they are. */
  async request(url: string, ...more: readonly string[]): Promise<Answer> {
    const printed = await this.runOk([...CURL, '-i', '--max-time', '60', ...more, url]);
    return parseAnswer(printed);
  }

  /** Says whether the address answers 200. */
  async answers(url: string, ...more: readonly string[]): Promise<boolean> {
    const done = await this.run([...CURL, '-f', '-o', '/dev/null', ...more, url]);
    return done.code === 0;
  }
}

function parseAnswer(printed: string): Answer {
  const end = printed.indexOf('\r\n\r\n');
  const [first = '', ...lines] = printed.slice(0, end).split('\r\n');
  const status = Number(first.split(' ')[1]);
  const body = printed.slice(end + 4);
  if (status >= 100 && status < 200) return parseAnswer(body);
  const headers = new Map(
    lines.map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  return { status, headers, body };
}
