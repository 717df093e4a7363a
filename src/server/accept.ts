/** Headers longer than this are not taken apart: no honest client sends one. */
const MAX_ACCEPT_LENGTH = 4096;
const MAX_REMEMBERED = 2048;

interface MediaRange {
  readonly range: string;
  readonly isWanted: boolean;
}

/**
 * Says whether `Accept` lets a media type be sent. No header accepts everything. The most specific range decides, and
 * `q=0` excludes. The quality only says yes or no here: bytes are never converted, so there is nothing to choose from.
 *
 * @source RFC 9110 §12.5.1
 */
export class AcceptMatcher {
  /** Engines send one of a few headers, Docker in any order of six lines: remembering spares taking them apart. */
  readonly #remembered = new Map<string, Map<string, boolean>>();

  accepts(accept: string | undefined, mediaType: string): boolean {
    if (accept === undefined || accept === '') return true;
    if (accept.length > MAX_ACCEPT_LENGTH) return true;
    let verdicts = this.#remembered.get(accept);
    const known = verdicts?.get(mediaType);
    if (known !== undefined) return known;
    const verdict = matches(accept, mediaType);
    if (verdicts === undefined) {
      if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.clear();
      verdicts = new Map();
      this.#remembered.set(accept, verdicts);
    }
    if (verdicts.size < 16) verdicts.set(mediaType, verdict);
    return verdict;
  }
}

function matches(accept: string, mediaType: string): boolean {
  const ranges = accept.toLowerCase().split(',').map(parseRange);
  const wanted = mediaType.toLowerCase();
  const [type = ''] = wanted.split('/', 1);
  for (const pattern of [wanted, `${type}/*`, '*/*']) {
    const found = ranges.filter((each) => each.range === pattern);
    // The same type may be listed twice with different parameters; one that wants it is enough.
    if (found.length > 0) return found.some((each) => each.isWanted);
  }
  return false;
}

function parseRange(text: string): MediaRange {
  const [range = '', ...parameters] = text.split(';').map((part) => part.trim());
  const isExcluded = parameters.some((parameter) => /^q\s*=\s*0(?:\.0{0,3})?$/.test(parameter));
  return { range, isWanted: !isExcluded };
}
