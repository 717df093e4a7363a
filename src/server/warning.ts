/** The `Warning` of an answer that was verified earlier, while the trust server cannot be asked. @source RFC 7234 §5.5.1 */
export function staleWarning(staleSeconds: number): string {
  const age = `${Math.round(staleSeconds)} s`;
  return `110 - "pinnace could not ask the trust server for ${age}: an earlier verified answer"`;
}

/** The `Warning` of a relayed answer: engines and people see that nobody has checked it. @source RFC 7234 §5.5.7 */
export const RELAYED_WARNING =
  '299 - "pinnace has not verified this: the policy leaves the repository unverified"';

/** The `Warning` of what refers to a verified image. */
export const REFERRER_WARNING =
  '299 - "pinnace has not verified this: it refers to a verified image, check who signed it"';
