/** A fact attached to an error: what a program may read instead of parsing the message. */
export type Fact = string | number | boolean | readonly string[];

/** The facts of an error by name; names carry their unit (`ageSeconds`, `expiresAt` in RFC 3339). */
export type Facts = Readonly<Record<string, Fact>>;

/** What may accompany an error: facts for programs, and the error that led to it. */
export interface CodedErrorOptions {
  readonly detail?: Facts;
  readonly cause?: unknown;
}

/**
 * Base of every error Pinnace throws on purpose: a stable `code` (API), facts as fields, and the cause.
 *
 * Callers choose by `code` or class, never by message text.
 */
export abstract class CodedError<Code extends string = string> extends Error {
  readonly code: Code;
  readonly detail: Facts;

  constructor(code: Code, message: string, options: CodedErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.detail = options.detail ?? {};
  }
}
