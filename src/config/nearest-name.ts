/** The name that was probably meant by `written`, or undefined when none is close. */
export function nearestName(written: string, names: Iterable<string>): string | undefined {
  const wanted = plain(written);
  if (wanted.length > 64) return undefined;
  let best: { readonly name: string; readonly distance: number } | undefined;
  for (const name of names) {
    const distance = distanceBetween(wanted, plain(name));
    if (best === undefined || distance < best.distance) best = { name, distance };
  }
  if (best === undefined) return undefined;
  const tolerated = Math.max(1, Math.floor(wanted.length / 3));
  return best.distance <= tolerated ? best.name : undefined;
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[-_]/g, '');
}

/** Whether the characters that end at `row` and `column` are neighbours in the wrong order. */
function isSwapped(
  a: string,
  b: string,
  { row, column }: { readonly row: number; readonly column: number },
): boolean {
  if (row < 2 || column < 2) return false;
  return a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
}

/** Edit distance that counts a swap of neighbours as one; the beginning of a longer name counts as close. */
function distanceBetween(a: string, b: string): number {
  if (a.length >= 4 && b.startsWith(a)) return 1;
  let beforeLast: readonly number[] = [];
  let last: readonly number[] = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let row = 1; row <= a.length; row += 1) {
    const current: number[] = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const isSwap = isSwapped(a, b, { row, column });
      const least = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + Number(a[row - 1] !== b[column - 1]),
      );
      current.push(isSwap ? Math.min(least, (beforeLast[column - 2] ?? 0) + 1) : least);
    }
    beforeLast = last;
    last = current;
  }
  return last[b.length] ?? 0;
}
