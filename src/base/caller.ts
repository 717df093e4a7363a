/** Who is asking, as the client authentication of a listener found out. Nobody known is `undefined`. */
export interface Caller {
  /** The entry under `clients` in the configuration that knows the caller: equal names of two entries are two callers. */
  readonly source: string;
  /** As the source calls it: a user name, the name in a certificate or a token; empty for a token without a name. */
  readonly name: string;
  /** The groups the source puts it in. */
  readonly groups: ReadonlySet<string>;
}

const NAME = /^[^\s\p{C}@*][^\p{C}]{0,254}$/u;

/**
 * Says whether a text can be the name of a caller or a group: printable, at most 255 characters, and nothing that means
 * something else in a rule (`*` alone, a leading `@`).
 */
export function isCallerName(text: string): boolean {
  return NAME.test(text);
}
