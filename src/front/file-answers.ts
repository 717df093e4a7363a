import type { StoredBlob } from '../resolve/blob-stored.ts';
import { cutAnswer } from '../server/cut-answer.ts';
import { Exchange } from '../server/exchange.ts';
import type { HttpResponse } from '../server/http-response.ts';
import type { HandedContent } from '../server/peer.ts';
import type { ExchangeContext } from '../server/registry-context.ts';
import type { Passed } from './passed-request.ts';
import type { StoredFiles } from './stored-files.ts';

/** What the core said with content that it handed over. */
export interface HandedAnswer {
  readonly content: HandedContent;
  readonly status: number;
  /** Alternately names and values. */
  readonly headers: readonly string[];
  /** Monotonic milliseconds when the request came. */
  readonly startedAtMs: number;
}

/** Sends the stored content that the core hands over, and counts and logs these requests in its place. */
export class FileAnswers {
  readonly #context: ExchangeContext;
  readonly #files: StoredFiles;

  constructor(context: ExchangeContext, files: StoredFiles) {
    this.#context = context;
    this.#files = files;
  }

  /** @returns false when the file is not to be had any more: then nothing has been said or counted */
  async give({ request, response, listener }: Passed, answer: HandedAnswer): Promise<boolean> {
    const { content, startedAtMs } = answer;
    const blob = await this.#files.open(content.file);
    if (blob === undefined) return false;
    const { requestId, repository, caller, file } = content;
    const exchange = new Exchange(request, response, {
      ...{ context: this.#context, listener: { name: listener }, startedAtMs },
      ids: { next: () => requestId },
    });
    exchange.ask({ kind: 'blob', repository, reference: file.digest });
    if (caller !== undefined) exchange.admit({ verdict: 'admitted', caller });
    try {
      return await send(exchange, blob, answer);
    } finally {
      blob.close();
    }
  }
}

/** @returns false when nothing could be sent, and nothing has been said */
async function send(
  exchange: Exchange<ExchangeContext, { readonly name: string }>,
  blob: StoredBlob,
  { content, status, headers }: HandedAnswer,
): Promise<boolean> {
  const { response } = exchange;
  const { file, range } = content;
  const { digest } = file;
  if (!exchange.isOpen) {
    exchange.end({ verdict: 'cut', digest, cause: 'the client went away' });
    return true;
  }
  const bytes = range.end - range.start;
  // The headers go out with the first byte: a failure before it can still become another answer.
  response.statusCode = status;
  setHeaders(response, headers);
  response.setHeader('Content-Length', bytes);
  try {
    await blob.send(response, range, exchange.signal);
  } catch (error) {
    if (exchange.isOpen) {
      for (const name of response.getHeaderNames()) response.removeHeader(name);
      exchange.leave();
      return false;
    }
    cutAnswer(exchange, digest, error);
    return true;
  }
  response.end();
  exchange.end({ verdict: 'pinned', digest, bytes });
  return true;
}

function setHeaders(response: HttpResponse, headers: readonly string[]): void {
  for (let index = 0; index + 1 < headers.length; index += 2) {
    response.setHeader(headers[index] ?? '', headers[index + 1] ?? '');
  }
}
