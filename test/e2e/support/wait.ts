import { setTimeout as sleep } from 'node:timers/promises';

/** How long and how often to look. */
export interface WaitOptions {
  readonly what: string;
  readonly timeoutMs?: number;
  readonly detail?: () => Promise<string>;
}

/**
 * Looks every 100 ms until `holds` answers true; a thrown error counts as "not yet".
 *
 * @throws {Error} naming `what` after `timeoutMs` (30 000 unless told)
 */
export async function eventually(
  holds: () => Promise<boolean>,
  options: WaitOptions,
): Promise<void> {
  const deadline = Date.now() + (options.timeoutMs ?? 30_000);
  let last: unknown;
  while (Date.now() < deadline) {
    try {
      if (await holds()) return;
    } catch (error) {
      last = error;
    }
    await sleep(100);
  }
  const detail = options.detail === undefined ? '' : `\n${await options.detail()}`;
  throw new Error(`gave up waiting for: ${options.what}${detail}`, { cause: last });
}
