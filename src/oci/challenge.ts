/** A server's demand for a bearer token: where to get one and what it is for. */
export interface BearerChallenge {
  readonly scheme: 'bearer';
  readonly realm: string;
  readonly service?: string;
  readonly scope?: string;
  readonly error?: string;
}

/** A server's demand for a user name and a password. */
export interface BasicChallenge {
  readonly scheme: 'basic';
  readonly realm?: string;
}

/** A demand for a login that Pinnace can satisfy. */
export type Challenge = BearerChallenge | BasicChallenge;

/** The longest `WWW-Authenticate` value that is looked at, in characters, all lines together. */
export const MAX_CHALLENGE_LENGTH = 8192;

const MAX_CHALLENGES = 16;
const MAX_PARAMETERS = 32;

/** One challenge as written, before its scheme is understood; malformed when it names a parameter twice. */
interface RawChallenge {
  readonly scheme: string;
  readonly parameters: Map<string, string>;
  isMalformed: boolean;
}

const SPACE = /[ \t]*/y;
const SEPARATOR = /[ \t]*(?:,[ \t]*)*/y;
const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const EQUALS = /[ \t]*=[ \t]*/y;
const TOKEN68 = /[A-Za-z0-9._~+/-]+=*[ \t]*(?=,|$)/y;
const QUOTED = /"((?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\uffff]|\\[\t\x20-\x7e\x80-\uffff])*)"/y;
// Wider than a token: some registries leave out the quotes round URLs and names with a colon.
const BARE = /[\x21\x23-\x2b\x2d-\x7e]+/y;

/**
 * Parses the challenges that Pinnace can answer out of `WWW-Authenticate`, in the order the server gave them.
 *
 * Never throws: an over-long or malformed value gives an empty list, an unknown scheme or a bearer challenge without
 * realm is left out, and so is a challenge that names a parameter twice.
 *
 * @param value - the field's value, or its values if it came several times
 * @source RFC 9110 §11.6.1, RFC 6750 §3
 */
export function parseChallenges(
  value: string | readonly string[] | undefined,
): readonly Challenge[] {
  const text = typeof value === 'string' ? value : (value ?? []).join(', ');
  if (text.length > MAX_CHALLENGE_LENGTH) return [];
  const raw = new ChallengeScanner(text).scan();
  return raw.map(understand).filter((challenge) => challenge !== undefined);
}

function understand(raw: RawChallenge): Challenge | undefined {
  if (raw.isMalformed) return undefined;
  const realm = raw.parameters.get('realm');
  if (raw.scheme === 'basic') {
    return realm === undefined ? { scheme: 'basic' } : { scheme: 'basic', realm };
  }
  if (raw.scheme !== 'bearer' || realm === undefined || realm === '') return undefined;
  const service = raw.parameters.get('service');
  const scope = raw.parameters.get('scope');
  const error = raw.parameters.get('error');
  return {
    scheme: 'bearer',
    realm,
    ...(service === undefined ? {} : { service }),
    ...(scope === undefined ? {} : { scope }),
    ...(error === undefined ? {} : { error }),
  };
}

/** Reads a list of challenges from left to right; every pattern is sticky and linear. */
class ChallengeScanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** All challenges, or none if the text breaks the grammar anywhere. */
  scan(): readonly RawChallenge[] {
    const found: RawChallenge[] = [];
    this.#take(SEPARATOR);
    while (this.#at < this.#text.length) {
      const scheme = this.#take(TOKEN);
      if (scheme === undefined || found.length === MAX_CHALLENGES) return [];
      const challenge: RawChallenge = {
        scheme: scheme.toLowerCase(),
        parameters: new Map(),
        isMalformed: false,
      };
      found.push(challenge);
      if (!this.#parameters(challenge)) return [];
    }
    return found;
  }

  /** Reads what belongs to one challenge; false when the text breaks the grammar. */
  #parameters(challenge: RawChallenge): boolean {
    const isSpaced = this.#take(SPACE) !== '';
    if (isSpaced && this.#take(TOKEN68) !== undefined) return this.#separated();
    for (let count = 0; count <= MAX_PARAMETERS; count += 1) {
      const isSeparated = this.#separated() || (count === 0 && isSpaced);
      if (!isSeparated) return false;
      if (this.#at === this.#text.length) return true;
      const next = this.#parameter(challenge);
      if (next !== 'read') return next === 'next-challenge';
    }
    return false;
  }

  #parameter(challenge: RawChallenge): 'read' | 'next-challenge' | 'wrong' {
    const start = this.#at;
    const name = this.#take(TOKEN)?.toLowerCase();
    if (name === undefined) return 'wrong';
    if (this.#take(EQUALS) === undefined) {
      // Not a parameter: the next challenge's scheme begins here.
      this.#at = start;
      return 'next-challenge';
    }
    const value = this.#value();
    if (value === undefined) return 'wrong';
    if (challenge.parameters.has(name)) challenge.isMalformed = true;
    challenge.parameters.set(name, value);
    return 'read';
  }

  #value(): string | undefined {
    const quoted = this.#take(QUOTED);
    if (quoted !== undefined) return quoted.slice(1, -1).replaceAll(/\\(.)/g, '$1');
    return this.#take(BARE);
  }

  /** Steps over the commas before the next item; false when something else stands there. */
  #separated(): boolean {
    const start = this.#at;
    this.#take(SEPARATOR);
    return this.#at === this.#text.length || this.#text.slice(start, this.#at).includes(',');
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }
}
