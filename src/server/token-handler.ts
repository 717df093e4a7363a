import type { Gate } from '../auth/gate.ts';
import type { TokenAnswer, TokenRequest } from '../auth/token-service.ts';
import { REASON_TABLE } from '../refusal/reason-table.ts';
import type { Exchange } from './exchange.ts';
import { countLogin, outcomeOf } from './login-count.ts';
import { readBody } from './read-body.ts';

/** Where the token service of a listener is. */
export const TOKEN_PATH = '/token';

const MAX_FORM_BYTES = 32 * 1024;
const FORM = /^application\/x-www-form-urlencoded(?:\s*;.*)?$/i;

/** Whether a request is for the token service of its listener. */
export function isTokenRequest({ listener, request }: Exchange): boolean {
  const { url = '' } = request;
  return (
    listener.gate?.endpoint !== undefined &&
    (url === TOKEN_PATH || url.startsWith(`${TOKEN_PATH}?`))
  );
}

/**
 * Answers a request to the token service of a listener.
 *
 * @param locate - as `TokenRequest` has it
 */
export async function handleToken(
  exchange: Exchange,
  gate: Gate,
  locate: TokenRequest['locate'],
): Promise<void> {
  exchange.ask({ kind: 'token' });
  const { request, client } = exchange;
  const isForm = request.method === 'POST';
  if (!isForm && request.method !== 'GET') {
    send(exchange, refusal(405, 'invalid_request', 'use GET or POST'), { Allow: 'GET, POST' });
    return;
  }
  const fields = await fieldsOf(exchange, isForm);
  if (typeof fields === 'string') {
    send(exchange, refusal(400, 'invalid_request', fields), { Connection: 'close' });
    return;
  }
  const { authorization } = request.headers;
  const asked = { fields, isForm, authorization, address: client, locate };
  const answer = await gate.endpoint?.answer(asked);
  if (answer === undefined || !exchange.isOpen) {
    exchange.end({ verdict: 'cut', cause: 'the client went away' });
    return;
  }
  answerToken(exchange, gate, answer);
}

/** The fields of a request, or what is wrong with it. */
async function fieldsOf(exchange: Exchange, isForm: boolean): Promise<URLSearchParams | string> {
  const { request } = exchange;
  const { url = '' } = request;
  if (!isForm) {
    exchange.leaveBody();
    return new URLSearchParams(url.slice(TOKEN_PATH.length));
  }
  if (!FORM.test(request.headers['content-type'] ?? '')) {
    return 'the body has to be application/x-www-form-urlencoded';
  }
  const body = await readBody(request, MAX_FORM_BYTES);
  return body === undefined
    ? `the body is longer than ${MAX_FORM_BYTES} bytes`
    : new URLSearchParams(body.toString('utf8'));
}

function answerToken(exchange: Exchange, gate: Gate, answer: TokenAnswer): void {
  if (answer.kind === 'malformed') {
    send(exchange, refusal(400, answer.error, answer.sentence));
    return;
  }
  if (answer.kind === 'granted') {
    countLogin(exchange, gate, 'admitted');
    send(exchange, { status: 200, verdict: 'answered', body: answer.body });
    return;
  }
  const { reason, sentence, cause, retryAfterSeconds, shown } = answer.rejected;
  const { status, ociCode, remedy, retryAfterSeconds: usual, logLevel } = REASON_TABLE[reason];
  countLogin(exchange, gate, outcomeOf(answer.rejected));
  exchange.countRefusal(reason, undefined);
  const retry = retryAfterSeconds ?? usual;
  const decision = exchange.requestId;
  const message = `pinnace gives no token: ${sentence}. ${remedy} (reason ${reason}, decision ${decision})`;
  send(
    exchange,
    {
      status,
      verdict: 'refused',
      body: {
        error: shown === 'missing' ? 'invalid_request' : 'invalid_grant',
        error_description: message,
        errors: [{ code: ociCode, message, detail: { code: reason, decision } }],
      },
      ...{ code: reason, cause, level: logLevel },
    },
    {
      'X-Pinnace-Reason': reason,
      'X-Pinnace-Decision': decision,
      ...(status === 401 ? { 'WWW-Authenticate': 'Basic realm="pinnace", charset="UTF-8"' } : {}),
      ...(retry === undefined ? {} : { 'Retry-After': String(retry) }),
    },
  );
}

interface Sent {
  readonly status: number;
  readonly verdict: 'answered' | 'refused' | 'rejected';
  readonly body: Readonly<Record<string, unknown>>;
  readonly code?: string;
  readonly cause?: string;
  readonly level?: 'info' | 'warn' | 'error';
}

function refusal(status: number, error: string, sentence: string): Sent {
  const errors = [{ code: 'UNSUPPORTED', message: sentence }];
  const body = { error, error_description: sentence, errors };
  return { status, verdict: 'rejected', body, code: error };
}

function send(
  exchange: Exchange,
  sent: Sent,
  headers: Readonly<Record<string, string>> = {},
): void {
  const body = Buffer.from(JSON.stringify(sent.body));
  exchange.response.writeHead(sent.status, {
    'Content-Type': 'application/json',
    'Content-Length': body.length,
    // RFC 6749 §5.1: tokens are for nobody's cache.
    'Cache-Control': 'no-store',
    Pragma: 'no-cache',
    ...headers,
  });
  exchange.response.end(exchange.isHead ? undefined : body);
  const { verdict, code, cause, level } = sent;
  exchange.end({
    verdict,
    bytes: exchange.isHead ? 0 : body.length,
    ...(code === undefined ? {} : { code }),
    ...(cause === undefined ? {} : { cause }),
    ...(level === undefined ? {} : { level }),
  });
}
