const USER_INFO = /(\b[a-z][a-z0-9+.-]{0,20}:\/\/)[^/\s"'@]{1,512}@/gi;
const QUERY = /\?[^\s"'<>]*/g;
/** A word as long as a token that has a digit, or longer than any word of prose: "basic authentication" stays. */
const CREDENTIAL =
  /\b(bearer|basic|token)(\s*[:=]\s*|\s+)(?:(?=[a-z\-._~+/]{0,64}[0-9])[a-z0-9\-._~+/]{12,}|[a-z\-._~+/]{20,})=*/gi;
const NAMED_SECRET =
  /\b(authorization|cookie|set-cookie|password|passwd|secret|access_token|refresh_token|api[_-]?key)("?\s*[:=]\s*"?)[^\s"',;]+/gi;

/** The longest text that goes into a log line, in characters. */
export const MAX_TEXT_LENGTH = 512;

/**
 * Makes text from outside fit for a log: no URL user-info, no query string, nothing that looks like a credential, no
 * control characters, at most `maxLength` characters. Words are lost rather than a secret kept.
 */
export function scrubText(text: string, maxLength: number = MAX_TEXT_LENGTH): string {
  // The cut comes first: it bounds the work below for hostile text.
  const scrubbed = text
    .slice(0, maxLength * 2)
    .replace(USER_INFO, '$1')
    .replace(QUERY, '?…')
    .replace(NAMED_SECRET, '$1$2…')
    .replace(CREDENTIAL, '$1 …');
  return printable(scrubbed, maxLength);
}

/** Replaces control characters, which could forge or hide lines in a terminal, and cuts to `maxLength` characters. */
export function printable(text: string, maxLength: number = MAX_TEXT_LENGTH): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is to be removed
  const plain = text.slice(0, maxLength + 1).replace(/[\u0000-\u001f\u007f-\u009f]/g, '\ufffd');
  return plain.length > maxLength ? `${plain.slice(0, maxLength - 1)}…` : plain;
}
