import { eventually } from '../../e2e/support/wait.ts';

/** A CPU profile as the inspector gives it. @source Chrome DevTools Protocol, Profiler.Profile */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: {
      readonly functionName: string;
      readonly url: string;
      /** From 0. */
      readonly lineNumber: number;
    };
  }[];
  /** The node at each moment. */
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

/** Profiles the main thread of a process that was started with `--inspect=127.0.0.1:port`. */
export class Inspector implements Disposable {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (result: unknown) => void>();
  #sent = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => {
      const message: { readonly id?: number; readonly result?: unknown } = JSON.parse(String(data));
      if (message.id !== undefined) this.#waiting.get(message.id)?.(message.result);
    });
  }

  /** Connects. @throws {Error} when nobody listens there */
  static async connect(port: number): Promise<Inspector> {
    let url = '';
    await eventually(
      async () => {
        const targets: unknown = await (await fetch(`http://127.0.0.1:${port}/json/list`)).json();
        url = /"webSocketDebuggerUrl":"([^"]+)"/.exec(JSON.stringify(targets))?.[1] ?? '';
        return url !== '';
      },
      { what: `the inspector on port ${port}` },
    );
    const socket = new WebSocket(url);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.addEventListener('open', () => resolve());
    socket.addEventListener('error', () => reject(new Error(`no inspector at ${url}`)));
    await promise;
    const inspector = new Inspector(socket);
    // From now on the compiler notes where inlined functions come from; without, their time would be their caller's.
    await inspector.#ask('Profiler.enable');
    return inspector;
  }

  /** Profiles for as long as `work` takes. */
  async profile(work: () => Promise<void>): Promise<CpuProfile> {
    await this.#ask('Profiler.setSamplingInterval', { interval: 500 });
    await this.#ask('Profiler.start');
    await work();
    const { profile } = await this.#ask<{ readonly profile: CpuProfile }>('Profiler.stop');
    return profile;
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }

  #ask<T>(method: string, params: Readonly<Record<string, unknown>> = {}): Promise<T> {
    this.#sent += 1;
    const id = this.#sent;
    const { promise, resolve } = Promise.withResolvers<T>();
    this.#waiting.set(id, (result) => {
      this.#waiting.delete(id);
      resolve(result as T);
    });
    this.#socket.send(JSON.stringify({ id, method, params }));
    return promise;
  }
}
