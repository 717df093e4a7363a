/**
 * A text with `*` standing for any run of characters, possibly empty, cut at its stars: `a*b` is `['a', 'b']`, a text
 * without a star is a list of one.
 */
export type Glob = readonly string[];

/** Cuts `text` at its stars. */
export function parseGlob(text: string): Glob {
  return text.split('*');
}

/** Says whether the glob has no star and so matches one text only. */
export function isLiteral(glob: Glob): boolean {
  return glob.length === 1;
}

/**
 * Says whether all of `text` matches, without backtracking: each piece is taken at its leftmost place, where it leaves
 * the most text for the pieces after it; only stars lie between them.
 */
export function matchesGlob(glob: Glob, text: string): boolean {
  const [head = '', ...rest] = glob;
  const tail = rest.pop();
  if (tail === undefined) return text === head;
  if (!text.startsWith(head)) return false;
  let from = head.length;
  for (const piece of rest) {
    const at = text.indexOf(piece, from);
    if (at < 0) return false;
    from = at + piece.length;
  }
  return text.length - tail.length >= from && text.endsWith(tail);
}

/** Says whether some text matches both globs. */
export function globsIntersect(a: Glob, b: Glob): boolean {
  if (isLiteral(a)) return matchesGlob(b, a.join(''));
  if (isLiteral(b)) return matchesGlob(a, b.join(''));
  // Between a fitting start and a fitting end, the stars of either side take in whatever the other one demands.
  const [headA = '', headB = ''] = [a[0], b[0]];
  const [tailA = '', tailB = ''] = [a.at(-1), b.at(-1)];
  return (
    (headA.startsWith(headB) || headB.startsWith(headA)) &&
    (tailA.endsWith(tailB) || tailB.endsWith(tailA))
  );
}
