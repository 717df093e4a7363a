import { OciError, type OciRequestCode } from './errors.ts';
import { parseRegistryHost, type RegistryHost } from './names.ts';

/** The query parameters of the registry API that Pinnace reads; others are ignored. */
export interface RouteQuery {
  readonly ns: RegistryHost | undefined;
  /** As written; checked where a page is asked for. */
  readonly n: string | undefined;
  /** As written; checked where a page is asked for. */
  readonly last: string | undefined;
  /** As written; checked where referrers are asked for. */
  readonly artifactType: string | undefined;
}

const UNPRINTABLE = /[^\x21-\x7e]/;

/** What a repeated parameter is answered with. A `Map`, since the keys come from outside. */
const REPEATED: ReadonlyMap<string, OciRequestCode> = new Map<string, OciRequestCode>([
  ['ns', 'NAME_INVALID'],
  ['n', 'PAGINATION_NUMBER_INVALID'],
  ['last', 'TAG_INVALID'],
  ['artifactType', 'MANIFEST_INVALID'],
]);

/**
 * Reads the part of a request target behind the question mark.
 *
 * @throws {OciError} `NAME_INVALID` (bad encoding, `ns` repeated or not a host), `PAGINATION_NUMBER_INVALID`,
 * `TAG_INVALID` and `MANIFEST_INVALID` (`n`, `last` or `artifactType` repeated)
 */
export function readQuery(text: string): RouteQuery {
  if (UNPRINTABLE.test(text)) {
    throw new OciError('NAME_INVALID', 'the query has characters that must be encoded');
  }
  const found = new Map<string, string>();
  for (const pair of text.split('&')) {
    const equals = pair.indexOf('=');
    const key = decode(equals < 0 ? pair : pair.slice(0, equals));
    const repeated = REPEATED.get(key);
    if (repeated === undefined) continue;
    // Two readers of the same request must never pick different ones of two values.
    if (found.has(key)) throw new OciError(repeated, `the parameter ${key} is given twice`);
    found.set(key, decode(equals < 0 ? '' : pair.slice(equals + 1)));
  }
  const ns = found.get('ns');
  return {
    ns: ns === undefined ? undefined : parseRegistryHost(ns),
    n: found.get('n'),
    last: found.get('last'),
    artifactType: found.get('artifactType'),
  };
}

function decode(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new OciError('NAME_INVALID', 'the query has a broken percent encoding', { cause });
  }
}
