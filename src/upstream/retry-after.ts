const MAX_SECONDS = 86_400;

/**
 * Reads `Retry-After`, in seconds or as an HTTP date.
 *
 * @param now - milliseconds since the epoch
 * @returns whole seconds from 0 to a day, or undefined when the field is missing or makes no sense
 * @source RFC 9110 §10.2.3
 */
export function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined || value.length > 64) return undefined;
  if (/^[0-9]+$/.test(value)) return Math.min(Number(value), MAX_SECONDS);
  // Only dates that begin with a day's name: `Date.parse` alone would make a year out of almost anything.
  if (!/^[A-Z][a-z]{2,8}[, ]/.test(value)) return undefined;
  const at = Date.parse(value);
  if (Number.isNaN(at)) return undefined;
  return Math.min(Math.max(Math.ceil((at - now) / 1000), 0), MAX_SECONDS);
}
