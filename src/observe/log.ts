import { type Logger, pino, stdTimeFunctions } from 'pino';
import { CodedError, type Fact } from '../base/coded-error.ts';
import type { RequestKind, RequestVerdict } from './metric-table.ts';
import { MAX_TEXT_LENGTH, printable, scrubText } from './scrub.ts';

/** Every event that can appear in the log, with the level it has unless the caller says otherwise. Names are stable. */
export const LOG_EVENTS = {
  'server.started': 'info',
  'server.stopping': 'info',
  'server.stopped': 'info',
  'worker.started': 'info',
  'worker.died': 'error',
  'worker.silent': 'error',
  'worker.relay_failed': 'warn',
  'listener.started': 'info',
  'listener.warning': 'warn',
  'listener.bad_request': 'info',
  'listener.accept_failed': 'error',
  'client.cut': 'info',
  request: 'info',
  'request.failed': 'error',
  'request.cut': 'warn',
  'bypass.suspected': 'warn',
  'overload.turned_away': 'warn',
  'image.completed': 'info',
  'image.not_completed': 'warn',
  'image.late': 'warn',
  'client.limited': 'warn',
  'client.keys_failed': 'warn',
  'relay.failed': 'warn',
  'admin.refresh': 'info',
  'admin.failed': 'error',
  'trust.changed': 'info',
  'trust.first_use': 'warn',
  'trust.refused': 'warn',
  'trust.refresh_failed': 'warn',
  'trust.reset': 'warn',
  'state.error': 'error',
  'cache.corrupt': 'warn',
  'cache.write_failed': 'warn',
  'upstream.rate_limited': 'warn',
  'upstream.failed': 'warn',
  'upstream.login_failed': 'warn',
  'upstream.breaker_opened': 'warn',
  'upstream.breaker_closed': 'info',
  'upstream.mismatch': 'warn',
  'collection.renewed': 'info',
  'collection.renewal_failed': 'error',
  'collection.renewal_stopped': 'error',
  'collection.ending': 'warn',
  'collection.published': 'info',
  'collection.publish_failed': 'error',
  'config.warning': 'warn',
  'config.reloaded': 'info',
  'config.reload_refused': 'error',
  'config.release_failed': 'warn',
} as const satisfies Readonly<Record<string, LogLevel>>;

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
type LogEvent = keyof typeof LOG_EVENTS;

/** What may be said about an event; texts are scrubbed of anything that looks like a secret. */
export type LogFields = Readonly<Record<string, Fact | undefined>>;

/** One finished request. No header goes in but the user agent, and no query string. */
export interface RequestEntry {
  readonly requestId: string;
  readonly listener: string;
  readonly method: string;
  readonly kind: RequestKind;
  readonly verdict: RequestVerdict;
  readonly status: number;
  /** The reason code of a refusal, or the OCI error code of a rejected request. */
  readonly code?: string | undefined;
  /** Why, in words. */
  readonly cause?: string | undefined;
  readonly repository?: string | undefined;
  /** The tag or digest asked for. */
  readonly reference?: string | undefined;
  /** The digest that was answered. */
  readonly digest?: string | undefined;
  readonly durationMs: number;
  /** Bytes of the body. */
  readonly bytes: number;
  readonly client?: string | undefined;
  readonly userAgent?: string | undefined;
  readonly rule?: string | undefined;
  /** Who asked: the entry of `clients` and the name there. */
  readonly caller?: string | undefined;
  /** Set when an earlier answer was served because the trust server could not be asked. */
  readonly staleSeconds?: number | undefined;
  /** Default: `info` when served, `warn` when refused, `error` when it failed. */
  readonly level?: LogLevel;
}

/** Where the lines go: a stream such as the process's standard output, or a test's array. */
export interface LogSink {
  write(line: string): unknown;
}

const MAX_USER_AGENT_LENGTH = 160;
const MAX_USER_AGENTS = 256;

/** Writes JSON lines. Only what its methods name can get into them. */
export class Log {
  readonly #pino: Logger;
  /** Scrubbed user agents: a fleet has few different ones, and scrubbing each time would slow every request. */
  readonly #userAgents = new Map<string, string>();

  /** @param options.level - the least level written; default `info` */
  constructor(sink: LogSink, options: { readonly level?: LogLevel } = {}) {
    this.#pino = pino(
      {
        level: options.level ?? 'info',
        base: null,
        messageKey: 'message',
        timestamp: stdTimeFunctions.isoTime,
        formatters: { level: (level) => ({ level }) },
      },
      { write: (line: string) => void sink.write(line) },
    );
  }

  /** Sets the least level written from now on. */
  setLevel(level: LogLevel): void {
    this.#pino.level = level;
  }

  /** Whether a request that ended so is written at all; cheap, for the hot path. */
  writesRequest({ level, verdict }: Pick<RequestEntry, 'level' | 'verdict'>): boolean {
    return this.#pino.isLevelEnabled(level ?? requestLevel(verdict));
  }

  /** Writes the one line of a finished request. */
  request(entry: RequestEntry): void {
    if (!this.writesRequest(entry)) return;
    this.#pino[entry.level ?? requestLevel(entry.verdict)]({
      event: 'request',
      requestId: entry.requestId,
      listener: entry.listener,
      method: printable(entry.method, 16),
      kind: entry.kind,
      verdict: entry.verdict,
      status: entry.status,
      code: entry.code,
      cause: entry.cause === undefined ? undefined : scrubText(entry.cause),
      repository: entry.repository,
      reference: entry.reference,
      digest: entry.digest,
      durationMs: Math.round(entry.durationMs * 1000) / 1000,
      bytes: entry.bytes,
      client: entry.client,
      userAgent: this.#userAgent(entry.userAgent),
      rule: entry.rule,
      caller: entry.caller === undefined ? undefined : printable(entry.caller),
      staleSeconds: entry.staleSeconds,
    });
  }

  /** Writes one event at its level. */
  event(event: LogEvent, fields: LogFields = {}): void {
    const level = LOG_EVENTS[event];
    if (!this.#pino.isLevelEnabled(level)) return;
    this.#pino[level]({ event, ...scrubFields(fields) });
  }

  /** Writes an event with the error that caused it: class, code, message and, for unforeseen errors, the stack. */
  failure(event: LogEvent, error: unknown, fields: LogFields = {}): void {
    this.event(event, { ...fields, ...errorFields(error) });
  }

  #userAgent(text: string | undefined): string | undefined {
    if (text === undefined) return undefined;
    const known = this.#userAgents.get(text);
    if (known !== undefined) return known;
    const scrubbed = scrubText(text, MAX_USER_AGENT_LENGTH);
    if (this.#userAgents.size >= MAX_USER_AGENTS) this.#userAgents.clear();
    if (text.length <= MAX_TEXT_LENGTH) this.#userAgents.set(text, scrubbed);
    return scrubbed;
  }
}

/** What a log line says about an error and the errors that led to it. */
export function errorFields(error: unknown): LogFields {
  if (!(error instanceof Error)) return { error: typeof error, errorMessage: String(error) };
  const causes: string[] = [];
  let cause = error.cause;
  while (cause instanceof Error && causes.length < 4) {
    causes.push(`${cause.name}: ${cause.message}`);
    cause = cause.cause;
  }
  return {
    error: error.name,
    errorCode: codeOf(error),
    errorMessage: error.message,
    ...(causes.length > 0 ? { errorCauses: causes } : {}),
    // An error that Pinnace did not raise on purpose is a defect to be found: only then does the stack help.
    ...(error instanceof CodedError ? {} : { stack: stackOf(error) }),
  };
}

function codeOf(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function stackOf(error: Error): readonly string[] {
  const frames = error.stack?.split('\n').slice(1, 9) ?? [];
  return frames.map((frame) => frame.trim());
}

function scrubFields(fields: LogFields): Record<string, Fact | undefined> {
  const scrubbed: Record<string, Fact | undefined> = {};
  for (const [name, value] of Object.entries(fields)) scrubbed[name] = scrubFact(value);
  return scrubbed;
}

function scrubFact(value: Fact | undefined): Fact | undefined {
  if (typeof value === 'string') return scrubText(value);
  if (Array.isArray(value)) return value.map((each: string) => scrubText(each));
  return value;
}

function requestLevel(verdict: RequestVerdict): LogLevel {
  switch (verdict) {
    case 'refused':
    case 'inconclusive':
    case 'cut':
      return 'warn';
    case 'failed':
      return 'error';
    default:
      return 'info';
  }
}
