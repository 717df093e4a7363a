/** Headers longer than this are not taken apart: no honest client sends one. */
const MAX_ACCEPT_LENGTH = 4096;
const MAX_HEADERS = 128;
const MAX_TYPES = 16;

interface MediaRange {
  readonly range: string;
  readonly isWanted: boolean;
}

/** What was found for one media type. */
interface Verdicts {
  /** The header that last let it be sent: telling two texts apart costs less than looking one up. */
  last: string | undefined;
  readonly byHeader: Map<string, boolean>;
}

/**
 * Says whether `Accept` lets a media type be sent. No header accepts everything. The most specific range decides, and
 * `q=0` excludes. The quality only says yes or no here: bytes are never converted, so there is nothing to choose from.
 *
 * @source RFC 9110 §12.5.1
 */
export class AcceptMatcher {
  /** Engines send one of a few headers, Docker in any order of six lines: remembering spares taking them apart. */
  readonly #remembered = new Map<string, Verdicts>();

  accepts(accept: string | undefined, mediaType: string): boolean {
    if (accept === undefined || accept === '') return true;
    if (accept.length > MAX_ACCEPT_LENGTH) return true;
    const verdicts = this.#verdictsOf(mediaType);
    if (verdicts.last === accept) return true;
    const verdict = verdicts.byHeader.get(accept) ?? remember(verdicts.byHeader, accept, mediaType);
    if (verdict) verdicts.last = accept;
    return verdict;
  }

  #verdictsOf(mediaType: string): Verdicts {
    const known = this.#remembered.get(mediaType);
    if (known !== undefined) return known;
    if (this.#remembered.size >= MAX_TYPES) this.#remembered.clear();
    const verdicts = { last: undefined, byHeader: new Map<string, boolean>() };
    this.#remembered.set(mediaType, verdicts);
    return verdicts;
  }
}

function remember(byHeader: Map<string, boolean>, accept: string, mediaType: string): boolean {
  const verdict = matches(accept, mediaType);
  if (byHeader.size >= MAX_HEADERS) byHeader.clear();
  byHeader.set(accept, verdict);
  return verdict;
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
