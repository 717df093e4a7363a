import { createHash } from 'node:crypto';
import { type Agent, request } from 'node:http';

/** What is asked of Pinnace, and how the answer is read. */
export interface Asking {
  readonly url: string;
  readonly method?: 'GET' | 'HEAD';
  readonly headers?: Readonly<Record<string, string>>;
  /** Rest after each piece of the body; default: none. */
  readonly pauseMs?: number;
  /** Break the connection off after so many bytes; default: read to the end. */
  readonly hangUpAfterBytes?: number;
}

/** What came of it. */
export interface Answered {
  readonly status: number;
  readonly header: (name: string) => string | undefined;
  /** `sha256:…` of the body. */
  readonly digest: string;
  readonly bytes: number;
  /** Whether the answer ended as it should. */
  readonly isComplete: boolean;
}

const LONGEST_MS = 60_000;

/** Makes one request. @throws {Error} when no answer begins, or it does not end within a minute */
export function askOver(agent: Agent, asking: Asking): Promise<Answered> {
  const { promise, resolve, reject } = Promise.withResolvers<Answered>();
  const { url, method = 'GET', headers = {}, pauseMs, hangUpAfterBytes } = asking;
  const outgoing = request(url, { agent, method, headers }, (incoming) => {
    const hash = createHash('sha256');
    let bytes = 0;
    incoming.on('data', (chunk: Buffer) => {
      hash.update(chunk);
      bytes += chunk.length;
      if (hangUpAfterBytes !== undefined && bytes >= hangUpAfterBytes) incoming.destroy();
      if (pauseMs === undefined) return;
      incoming.pause();
      setTimeout(() => incoming.resume(), pauseMs);
    });
    incoming.on('error', () => undefined); // cut off: `complete` says so
    incoming.on('close', () => {
      const header = (name: string): string | undefined => incoming.headers[name]?.toString();
      const digest = `sha256:${hash.digest('hex')}`;
      const { statusCode: status = 0, complete: isComplete } = incoming;
      resolve({ status, header, digest, bytes, isComplete });
    });
  });
  outgoing.setTimeout(LONGEST_MS, () =>
    outgoing.destroy(new Error(`${url}: nothing for a minute`)),
  );
  outgoing.on('error', reject);
  outgoing.end();
  return promise;
}
