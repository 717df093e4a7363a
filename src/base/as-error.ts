/** What was thrown, as an error: itself if it is one, else an error with it as the cause. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error('something was thrown', { cause: thrown });
}
