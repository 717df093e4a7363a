import { type ExchangeCode, ExchangeError } from './errors.ts';

/** Why one of several servers did not give what was wanted. */
export interface ServerFailure {
  /** Host and port. */
  readonly host: string;
  readonly error: ExchangeError;
}

/**
 * Codes that decide about the whole when several servers failed, the strongest first. Behind all those that may be otherwise in
 * a moment stands what is settled: wrong content before a refusal, and a refusal before `missing`, which all have to say.
 */
const SETTLED: readonly ExchangeCode[] = ['mismatch', 'denied', 'missing'];
const WAITING: readonly ExchangeCode[] = ['rate_limited', 'busy'];

/** The failure of all servers as one, which names each with its reason. A single failure stays what it is. */
export function allFailed(failures: readonly ServerFailure[]): ExchangeError {
  const errors = failures.map(({ error }) => error);
  const [only] = errors;
  if (only !== undefined && errors.length === 1) return only;
  const retryAfter = errors.flatMap(({ retryAfterSeconds }) => retryAfterSeconds ?? []);
  const tried = failures.map(({ host, error }) => `${host}: ${error.message}`);
  const code = decisiveCode(new Set(errors.map((error) => error.code)));
  const message = `none of its ${failures.length} URLs gave it (${tried.join('; ')})`;
  return new ExchangeError(code, message, {
    detail: { tried },
    isTransient: errors.some(({ isTransient }) => isTransient),
    ...(retryAfter.length === 0 ? {} : { retryAfterSeconds: Math.min(...retryAfter) }),
  });
}

function decisiveCode(codes: ReadonlySet<ExchangeCode>): ExchangeCode {
  const ranked = [...WAITING, ...SETTLED];
  const unreached = [...codes].find((code) => !ranked.includes(code));
  return unreached ?? ranked.find((code) => codes.has(code)) ?? 'unreachable';
}
