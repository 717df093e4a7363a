const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Finds a member name that occurs twice in one object of a JSON text. `JSON.parse` would keep the last of them without
 * a word, where another reader keeps the first.
 *
 * @param json - a text that `JSON.parse` accepts
 * @returns the first such name, or undefined; linear in the length of the text
 */
export function repeatedMember(json: string): string | undefined {
  // The names seen in each open object; arrays hold undefined.
  const open: (Set<string> | undefined)[] = [];
  let at = 0;
  while (at < json.length) {
    const character = json[at] ?? '';
    const end = character === '"' ? endOfString(json, at) : at + 1;
    if (character !== '"') track(open, character);
    else if (isName(json, end)) {
      const name = String(JSON.parse(json.slice(at, end)));
      const seen = open.at(-1);
      if (seen?.has(name) === true) return name;
      seen?.add(name);
    }
    at = end;
  }
  return undefined;
}

function track(open: (Set<string> | undefined)[], character: string): void {
  if (character === '{') open.push(new Set());
  else if (character === '[') open.push(undefined);
  else if (character === '}' || character === ']') open.pop();
}

/** The position behind the closing quotation mark of the string that begins at `start`. */
function endOfString(json: string, start: number): number {
  let at = start + 1;
  while (at < json.length && json.charCodeAt(at) !== QUOTE) {
    at += json.charCodeAt(at) === BACKSLASH ? 2 : 1;
  }
  return at + 1;
}

/** Says whether the string that ends before `end` is a member's name: a colon follows it. */
function isName(json: string, end: number): boolean {
  let at = end;
  while (at < json.length && ' \t\r\n'.includes(json.charAt(at))) at += 1;
  return json[at] === ':';
}
