import type { CanaryFacts, CanaryKind } from '../oci/canary.ts';
import type { EngineFamily, EngineRoute } from './doctor-engine.ts';

/** What a pull showed, as a closed list; the names are API (`--json`). */
export type Finding =
  | 'served'
  | 'landed'
  | 'other_content'
  | 'refused'
  | 'refused_and_blocked'
  | 'refused_in_silence'
  | 'registry_unreachable'
  | 'went_on'
  | 'not_through_pinnace'
  | 'not_served'
  | 'already_present'
  | 'late'
  | 'stopped'
  | 'unclear';

/** What follows from one pull. */
export interface Judgement {
  /** `held`: as it should be; `not-held`: a refusal did not hold; `unknown`: could not find out. */
  readonly verdict: 'held' | 'not-held' | 'unknown';
  /** `proven`: what happened shows it; `likely`: it follows from what the engine said or from its settings. */
  readonly certainty: 'proven' | 'likely';
  readonly finding: Finding;
}

/** What one pull led to. */
export interface PullResult {
  readonly canary: CanaryKind;
  /** False for an image that the operator named. */
  readonly isOwn: boolean;
  readonly how: 'ended' | 'late' | 'stopped' | 'already_present';
  /** Whether an image of that name is there now. */
  readonly hasLanded: boolean;
  /** Whether what landed is what Pinnace made. */
  readonly isGenuine: boolean;
  /** What the engine said. */
  readonly said: string;
}

/** What is known of the way that pulls take. */
export interface Way {
  readonly family: EngineFamily;
  readonly route: Pick<EngineRoute, 'fallsBack'>;
  /** What the signed canary says of the listener it came through, if it came. */
  readonly through: Pick<CanaryFacts, 'refusal'> | undefined;
}

const SENTENCE = /pinnace refused [^\n]*/;
const UNREACHABLE =
  /dial tcp|connection refused|no such host|i\/o timeout|Client\.Timeout|network is unreachable|no route to host|proxyconnect|TLS handshake timeout|deadline exceeded|server misbehaving|connection reset/i;
const BLOCKED = /is blocked in|registry .* is blocked/i;
const ANSWERED =
  /denied|unauthorized|not found|manifest unknown|name unknown|does not exist|authorization failed|insufficient_scope|toomanyrequests|(?:status|code)\b.*\b4\d\d\b|\b4\d\d (?:Forbidden|Not Found|Unauthorized)/i;
const FORBIDDEN = /\b403\b/;
/** What podman puts before the answers of mirrors, once another endpoint has had the last word. */
const MIRRORS_TOO = 'Mirrors also failed';

/** The sentence of a refusal by Pinnace in what an engine said, on one line; undefined if there is none. */
export function sentenceIn(said: string): string | undefined {
  return SENTENCE.exec(said)?.[0].trim();
}

/**
 * Says what the pull of a canary showed.
 *
 * @source reference: clients.md sections 5, 6 and 8
 */
export function judge(pull: PullResult, way: Way): Judgement {
  if (pull.how === 'already_present') return unknown('already_present');
  if (pull.hasLanded) return landed(pull);
  if (pull.how !== 'ended') return unknown(pull.how);
  if (pull.canary === 'signed') return signedMissing(pull, way);
  switch (way.family) {
    case 'whole':
      return wholeFamily(pull.said, way);
    case 'each':
      return eachFamily(pull, way);
    case 'first':
      return firstFamily(pull.said, way);
  }
}

function landed({ canary, isOwn, isGenuine }: PullResult): Judgement {
  if (canary !== 'signed') return { verdict: 'not-held', certainty: 'proven', finding: 'landed' };
  if (!isOwn) return { verdict: 'held', certainty: 'likely', finding: 'served' };
  return isGenuine
    ? { verdict: 'held', certainty: 'proven', finding: 'served' }
    : { verdict: 'not-held', certainty: 'proven', finding: 'other_content' };
}

function signedMissing({ said }: PullResult, { route }: Way): Judgement {
  if (SENTENCE.test(said)) return unknown('not_served');
  if (UNREACHABLE.test(said)) return unknown('registry_unreachable');
  // With one endpoint alone it may as well be Pinnace that said so, in an answer without a body.
  if (route.fallsBack === false && FORBIDDEN.test(said)) return unknown('not_served');
  return ANSWERED.test(said) ? likely('not-held', 'not_through_pinnace') : unknown('unclear');
}

/** Classic dockerd reports the last endpoint that it asked: the sentence is Pinnace's only if nobody was asked after it. */
function wholeFamily(said: string, way: Way): Judgement {
  if (SENTENCE.test(said)) return { verdict: 'held', certainty: 'proven', finding: 'refused' };
  return someoneElse(said, way);
}

/** containerd reports the first endpoint that it asked, whoever came after. */
function eachFamily({ canary, said }: PullResult, way: Way): Judgement {
  const { route, through } = way;
  const isRefused = SENTENCE.test(said) || FORBIDDEN.test(said);
  if (!isRefused) return someoneElse(said, way);
  // The tag has been answered by Pinnace: what is asked of others now is a digest, which is what Pinnace named.
  if (canary === 'tampered' && through !== undefined) return proven('refused');
  if (through?.refusal === 'hard-stop' && SENTENCE.test(said)) return proven('refused');
  if (route.fallsBack === false) return likely('held', 'refused');
  return route.fallsBack === true ? likely('not-held', 'went_on') : unknown('unclear');
}

/** podman stays with the first endpoint that delivers a manifest, and reports all of them. */
function firstFamily(said: string, way: Way): Judgement {
  const mirrors = said.indexOf(MIRRORS_TOO);
  if (mirrors >= 0) {
    // What the last endpoint said follows the list of mirrors, which ends with "]): ".
    const last = said.slice(said.lastIndexOf(']): ') + 1);
    if (BLOCKED.test(last)) return proven('refused_and_blocked');
    if (UNREACHABLE.test(last)) return likely('held', 'registry_unreachable');
    return { verdict: 'not-held', certainty: 'proven', finding: 'went_on' };
  }
  if (SENTENCE.test(said)) return proven('refused');
  // Older versions drop the words of a refused blob; that a blob was asked for shows that the decoy was accepted.
  const isBlob = /blob|copying|invalid status code from registry 403/i.test(said);
  if (way.through !== undefined && isBlob && FORBIDDEN.test(said)) {
    return likely('held', 'refused_in_silence');
  }
  return someoneElse(said, way);
}

/** The last word was not Pinnace's. */
function someoneElse(said: string, { through }: Way): Judgement {
  if (UNREACHABLE.test(said)) {
    // Without the signed canary nothing shows that Pinnace was asked at all.
    return through === undefined
      ? unknown('registry_unreachable')
      : likely('held', 'registry_unreachable');
  }
  if (!ANSWERED.test(said)) return unknown('unclear');
  return likely('not-held', through === undefined ? 'not_through_pinnace' : 'went_on');
}

function proven(finding: Finding): Judgement {
  return { verdict: 'held', certainty: 'proven', finding };
}

function likely(verdict: 'held' | 'not-held', finding: Finding): Judgement {
  return { verdict, certainty: 'likely', finding };
}

function unknown(finding: Finding): Judgement {
  return { verdict: 'unknown', certainty: 'likely', finding };
}
