import type { ServerResponse } from 'node:http';

/** What a test server would answer if nothing went wrong. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

/** One way in which a server misbehaves. */
export type Fault =
  /** Answers with another status, with a JSON body unless one is given. */
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    }
  /** Answers 307 to another place. */
  | { readonly kind: 'redirect'; readonly location: string }
  /** Answers properly, but only after a while. */
  | { readonly kind: 'delay'; readonly delayMs: number }
  /** Accepts the request and never answers; with `afterBytes`, sends the head and so much of the body first. */
  | { readonly kind: 'hang'; readonly afterBytes?: number }
  /** Cuts the connection; with `afterBytes`, after the head and so much of the body. */
  | { readonly kind: 'reset'; readonly afterBytes?: number }
  /** Sends the proper answer `chunkBytes` (default 1) at a time, one chunk every `everyMs`. */
  | { readonly kind: 'drip'; readonly everyMs: number; readonly chunkBytes?: number }
  /** Sends the proper answer and then white space for as long as the client reads. */
  | { readonly kind: 'endless' }
  /** Sends the proper answer and then so many bytes more, honestly announced. */
  | { readonly kind: 'oversize'; readonly extraBytes: number }
  /** Sends and announces only the first bytes. */
  | { readonly kind: 'truncate'; readonly bytes: number }
  /** Flips one bit of the byte at `offset` (default: the last; negative counts from the end). */
  | { readonly kind: 'corrupt'; readonly offset?: number }
  /** Sends another body under the same head. */
  | { readonly kind: 'replace'; readonly body: Uint8Array };

/** Sends `answer` as `fault` spoils it. `isHead` leaves the body away but keeps its length. */
export function sendAnswer(
  response: ServerResponse,
  answer: Answer,
  options: { readonly fault?: Fault | undefined; readonly isHead?: boolean } = {},
): void {
  const { fault, isHead = false } = options;
  const spoiled = fault === undefined ? answer : spoiledAnswer(answer, fault);
  if (fault === undefined || !isAboutDelivery(fault)) {
    sendWhole(response, spoiled, isHead);
    return;
  }
  deliver(response, spoiled, { fault, isHead });
}

type DeliveryFault = Extract<Fault, { kind: 'delay' | 'hang' | 'reset' | 'drip' | 'endless' }>;

function isAboutDelivery(fault: Fault): fault is DeliveryFault {
  return ['delay', 'hang', 'reset', 'drip', 'endless'].includes(fault.kind);
}

function spoiledAnswer(answer: Answer, fault: Fault): Answer {
  const body = Buffer.from(answer.body ?? new Uint8Array());
  switch (fault.kind) {
    case 'status':
      return {
        status: fault.status,
        headers: { 'content-type': 'application/json', ...fault.headers },
        body: Buffer.from(fault.body ?? '{"errors":[{"code":"UNKNOWN","message":"injected"}]}'),
      };
    case 'redirect':
      return { status: 307, headers: { location: fault.location } };
    case 'oversize':
      return { ...answer, body: Buffer.concat([body, Buffer.alloc(fault.extraBytes, 0x20)]) };
    case 'truncate':
      return { ...answer, body: body.subarray(0, fault.bytes) };
    case 'corrupt':
      return { ...answer, body: flipBit(body, fault.offset ?? -1) };
    case 'replace':
      return { ...answer, body: fault.body };
    default:
      return answer;
  }
}

/** Flips the lowest bit of one byte of a copy; a negative `offset` counts from the end. */
export function flipBit(bytes: Uint8Array, offset: number): Buffer {
  const copy = Buffer.from(bytes);
  const index = offset < 0 ? copy.length + offset : offset;
  if (index >= 0 && index < copy.length) copy.writeUInt8(copy.readUInt8(index) ^ 1, index);
  return copy;
}

function sendWhole(response: ServerResponse, answer: Answer, isHead: boolean): void {
  sendHead(response, answer);
  response.end(isHead ? undefined : answer.body);
}

function sendHead(response: ServerResponse, answer: Answer, isLengthKnown = true): void {
  const length = isLengthKnown ? { 'content-length': String(answer.body?.length ?? 0) } : {};
  response.writeHead(answer.status, { ...length, ...answer.headers });
}

function deliver(
  response: ServerResponse,
  answer: Answer,
  options: { readonly fault: DeliveryFault; readonly isHead: boolean },
): void {
  const { fault, isHead } = options;
  if (fault.kind === 'delay') {
    later(response, fault.delayMs, () => sendWhole(response, answer, isHead));
  } else if (fault.kind === 'drip') {
    sendHead(response, answer);
    drip(response, answer.body ?? new Uint8Array(), fault);
  } else if (fault.kind === 'endless') {
    sendHead(response, answer, false);
    response.write(answer.body ?? '');
    sendSpaces(response);
  } else if (fault.afterBytes !== undefined) {
    const then = fault.kind === 'reset' ? () => response.destroy() : undefined;
    sendStart(response, answer, { bytes: fault.afterBytes, then });
  } else if (fault.kind === 'reset') {
    response.destroy();
  }
}

function sendStart(
  response: ServerResponse,
  answer: Answer,
  options: { readonly bytes: number; readonly then: (() => void) | undefined },
): void {
  sendHead(response, answer);
  response.flushHeaders();
  const start = Buffer.from(answer.body ?? []).subarray(0, options.bytes);
  response.write(start, () => options.then?.());
}

function drip(
  response: ServerResponse,
  body: Uint8Array,
  pace: { readonly everyMs: number; readonly chunkBytes?: number },
): void {
  const size = pace.chunkBytes ?? 1;
  if (body.length === 0) {
    response.end();
    return;
  }
  response.write(body.subarray(0, size));
  later(response, pace.everyMs, () => drip(response, body.subarray(size), pace));
}

function sendSpaces(response: ServerResponse): void {
  const block = Buffer.alloc(65_536, 0x20);
  const more = (): void => {
    while (!response.destroyed && response.write(block)) {
      // The socket still takes more.
    }
  };
  response.on('drain', more);
  more();
}

function later(response: ServerResponse, delayMs: number, action: () => void): void {
  const timer = setTimeout(() => {
    response.off('close', cancel);
    action();
  }, delayMs);
  const cancel = (): void => clearTimeout(timer);
  response.once('close', cancel);
}
