/**
 * Whether a target name matches a shell-style path pattern: `*` and `?` stay within one path component, `[abc]`, `[a-z]` and
 * `[!abc]` match one character. Takes time proportional to the product of both lengths at most, whatever the pattern.
 *
 * @source TUF 1.0.34 §4.5 (PATHPATTERN); POSIX.1-2017 XCU 2.13 (pattern matching notation)
 */
export function matchesPathPattern(name: string, pattern: string): boolean {
  const names = name.split('/');
  const patterns = pattern.split('/');
  return (
    names.length === patterns.length &&
    names.every((component, index) => matchesComponent(component, patterns[index] ?? ''))
  );
}

/** Greedy matching with one point to come back to: the last star, one character further each time. */
function matchesComponent(text: string, pattern: string): boolean {
  const tokens = tokenize(pattern);
  const characters = [...text];
  let at = 0;
  let token = 0;
  let starToken = -1;
  let starAt = 0;
  while (at < characters.length) {
    const current = tokens[token];
    if (current === '*') {
      starToken = token;
      starAt = at;
      token += 1;
    } else if (current?.(characters[at] ?? '') === true) {
      at += 1;
      token += 1;
    } else if (starToken >= 0) {
      token = starToken + 1;
      starAt += 1;
      at = starAt;
    } else {
      return false;
    }
  }
  return tokens.slice(token).every((rest) => rest === '*');
}

type Token = '*' | ((character: string) => boolean);

function tokenize(pattern: string): readonly Token[] {
  const characters = [...pattern];
  const tokens: Token[] = [];
  for (let at = 0; at < characters.length; at += 1) {
    const character = characters[at] ?? '';
    const end = character === '[' ? endOfSet(characters, at) : -1;
    if (character === '*') tokens.push('*');
    else if (character === '?') tokens.push(() => true);
    else if (end > 0) {
      tokens.push(setOf(characters.slice(at + 1, end)));
      at = end;
    } else tokens.push((other) => other === character);
  }
  return tokens;
}

/** A closing bracket that comes first belongs to the set; a set that is not closed is an ordinary bracket. */
function endOfSet(characters: readonly string[], open: number): number {
  const first = characters[open + 1] === '!' ? open + 2 : open + 1;
  return characters.indexOf(']', first + 1);
}

function setOf(members: readonly string[]): (character: string) => boolean {
  const isNegated = members[0] === '!';
  const inside = isNegated ? members.slice(1) : members;
  return (character) => isInSet(inside, character) !== isNegated;
}

function isInSet(members: readonly string[], character: string): boolean {
  for (let at = 0; at < members.length; at += 1) {
    const low = members[at] ?? '';
    const high = members[at + 1] === '-' ? members[at + 2] : undefined;
    if (high === undefined) {
      if (low === character) return true;
    } else {
      if (low <= character && character <= high) return true;
      at += 2;
    }
  }
  return false;
}
