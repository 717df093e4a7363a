/** The `Warning` of an answer that was verified earlier, while the trust server cannot be asked. @source RFC 7234 §5.5.1 */
export function staleWarning(staleSeconds: number): string {
  const age = `${Math.round(staleSeconds)} s`;
  return `110 - "pinnace could not ask the trust server for ${age}: an earlier verified answer"`;
}
