import type { IncomingMessage } from 'node:http';
import type { HttpResponse } from '../server/http-response.ts';

/** A request to be passed on. */
export interface Passed {
  readonly listener: string;
  readonly request: IncomingMessage;
  readonly response: HttpResponse;
  /** Whether it came by a connection beyond those that are taken. */
  readonly isSurplus: boolean;
  /** What its answer is to be kept by, if it may be. */
  readonly key: string | undefined;
}
