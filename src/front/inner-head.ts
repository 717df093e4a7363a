import { timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/** Headers between fronts and core begin so; from clients they are not taken, and clients are not sent any. */
export const INNER_PREFIX = 'x-pinnace-front';

/** Who asks, and how the front wants the answer: `SECRET LISTENER ADDRESS tls|plain file|bytes placed|surplus`. */
export const ASKED_BY = 'X-Pinnace-Front';
/** The client's certificate, if TLS found it good: DER in base64. */
export const CERTIFICATE = 'X-Pinnace-Front-Certificate';
/** What HTTP/2 has beside a `Host` that says something else. */
export const AUTHORITY = 'X-Pinnace-Front-Authority';

/** What a front says of a request it passes on. */
export interface InnerHead {
  readonly listener: string;
  /** The client's address. */
  readonly client: string;
  readonly isTls: boolean;
  /** Whether the front can read stored content itself. */
  readonly takesFiles: boolean;
  /** Whether the client's connection is one too many, and to be told so. */
  readonly isSurplus: boolean;
  /** DER in base64. */
  readonly certificate?: string;
  readonly authority?: string;
}

/** Writes the one line; none of its parts has a blank. */
export function writeAskedBy(secret: string, head: InnerHead): string {
  const { listener, client } = head;
  const transport = head.isTls ? 'tls' : 'plain';
  const wanted = head.takesFiles ? 'file' : 'bytes';
  const place = head.isSurplus ? 'surplus' : 'placed';
  return `${secret} ${listener} ${client} ${transport} ${wanted} ${place}`;
}

/** Reads what a front says of a request; undefined when it is no front that asks. */
export function readInnerHead(headers: IncomingHttpHeaders, secret: string): InnerHead | undefined {
  const line = textOf(headers[ASKED_BY.toLowerCase()]);
  const [shown = '', listener = '', client = '', transport, wanted, place] = line.split(' ');
  // Anybody who may open the socket could otherwise speak for any client.
  if (!isSame(shown, secret)) return undefined;
  const certificate = textOf(headers[CERTIFICATE.toLowerCase()]);
  const authority = textOf(headers[AUTHORITY.toLowerCase()]);
  return {
    ...{ listener, client, isTls: transport === 'tls', takesFiles: wanted === 'file' },
    isSurplus: place === 'surplus',
    ...(certificate === '' ? {} : { certificate }),
    ...(authority === '' ? {} : { authority }),
  };
}

function isSame(shown: string, secret: string): boolean {
  const [one, other] = [Buffer.from(shown), Buffer.from(secret)];
  return one.length === other.length && timingSafeEqual(one, other);
}

function textOf(value: string | readonly string[] | undefined): string {
  return typeof value === 'string' ? value : '';
}
