import { type Clock, systemClock } from '../base/clock.ts';
import {
  CANARY_FOLDER,
  CANARY_KINDS,
  type CanaryFacts,
  type CanaryKind,
  canaryFactsOf,
  makeCanaryImage,
} from '../oci/canary.ts';
import { type Advice, adviceFor } from './doctor-advice.ts';
import {
  type Engine,
  EngineError,
  type EngineFacts,
  type EngineOptions,
  type EngineRoute,
  type HeldImage,
} from './doctor-engine.ts';
import { type Judgement, judge, type PullResult, sentenceIn } from './doctor-judge.ts';
import { exactSettings } from './doctor-settings.ts';
import type { SettingsFile } from './engine-settings/settings.ts';

/** An image that the operator named, to be pulled beside the canaries. */
export interface NamedImage {
  readonly canary: CanaryKind;
  readonly image: string;
}

/** What one pull showed. */
export interface CanaryReport extends Judgement {
  readonly canary: CanaryKind;
  readonly image: string;
  /** What that means, in words. */
  readonly says: string;
  /** Pinnace's own sentence, as the engine printed it. */
  readonly sentence?: string;
  /** The end of what the engine printed, when the pull did not land. */
  readonly engineSaid?: string;
  /** What landed. */
  readonly digest?: string;
  /** False when what landed could not be removed. */
  readonly isRemoved?: boolean;
  readonly durationMs: number;
}

/** What the pulls of one registry through one engine showed. */
export interface RegistryReport {
  readonly registry: string;
  readonly verdict: Judgement['verdict'];
  /** The listener that the signed canary came through, by its name in Pinnace's configuration. */
  readonly listener?: string;
  readonly refusal?: CanaryFacts['refusal'];
  readonly route: EngineRoute;
  readonly canaries: readonly CanaryReport[];
  readonly fixes: readonly string[];
  /** Files that leave the engine no second place to ask; where that is known and a refusal did not hold. */
  readonly settings: readonly SettingsFile[];
}

/** How canaries are pulled. */
export interface CheckOptions {
  /** Of one pull. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** What the operator named for this registry. */
  readonly named: readonly NamedImage[];
  /** Makes a tag that no pull had before. */
  readonly nonce: () => string;
  readonly onStep: (what: string) => void;
  readonly clock?: Clock;
}

/** The longest that finding and removing an image may take; milliseconds. */
const QUICK_MS = 30_000;
const MAX_SAID = 1_000;

/** A pull that is judged when the way is known. */
interface Pulled {
  readonly result: PullResult;
  readonly image: string;
  readonly facts: CanaryFacts | undefined;
  readonly report: Pick<CanaryReport, 'durationMs' | 'digest' | 'isRemoved'>;
}

/** Pulls all canaries of one registry through an engine and removes what landed. */
export async function checkRegistry(
  engine: Engine,
  facts: EngineFacts,
  { registry, ...options }: CheckOptions & { readonly registry: string },
): Promise<RegistryReport> {
  const route = await engine.route(registry);
  const own = CANARY_KINDS.map((canary) => {
    const image = `${registry}/${CANARY_FOLDER}/${canary}:${options.nonce()}`;
    return { canary, image, isOwn: true };
  });
  const all = [...own, ...options.named.map((named) => ({ ...named, isOwn: false }))];
  const pulled: Pulled[] = [];
  for (const each of all) {
    if (options.signal.aborted) break;
    options.onStep(`pulling ${each.image} with ${engine.kind}`);
    pulled.push(await pullOne(engine, each, options));
  }
  const through = pulled.find((each) => each.facts?.kind === 'signed')?.facts;
  const judged = pulled.map((each) => {
    const judgement = judge(each.result, { family: facts.family, route, through });
    return { ...each, judgement };
  });
  const subject = { engine: engine.kind, facts, registry, route, through };
  const advised = judged.map((each) => {
    const advice = adviceFor({ ...subject, ...each.result, judgement: each.judgement });
    return { report: reportOf(each, advice), fixes: advice.fixes };
  });
  const verdict = worst(judged.map(({ judgement }) => judgement.verdict));
  return {
    registry,
    verdict,
    ...(through === undefined ? {} : { listener: through.listener, refusal: through.refusal }),
    route,
    canaries: advised.map(({ report }) => report),
    fixes: [...new Set(advised.flatMap(({ fixes }) => fixes))],
    settings: verdict === 'not-held' ? exactSettings(subject) : [],
  };
}

/** The worst of several verdicts: a refusal that did not hold, else something that could not be found out. */
export function worst(verdicts: readonly Judgement['verdict'][]): Judgement['verdict'] {
  if (verdicts.includes('not-held')) return 'not-held';
  return verdicts.includes('unknown') || verdicts.length === 0 ? 'unknown' : 'held';
}

async function pullOne(
  engine: Engine,
  { canary, image, isOwn }: NamedImage & { readonly isOwn: boolean },
  { timeoutMs, signal, clock = systemClock }: CheckOptions,
): Promise<Pulled> {
  const startedAt = clock.monotonicMs();
  const base = { canary, isOwn, hasLanded: false, isGenuine: false };
  const elapsed = (): number => Math.round(clock.monotonicMs() - startedAt);
  // What is there already would prove nothing, and is not ours to remove.
  const before = await found(engine, image);
  if (before.kind !== 'absent') {
    const result: PullResult =
      before.kind === 'present'
        ? { ...base, how: 'already_present', said: '' }
        : { ...base, how: 'ended', said: before.why };
    return { result, image, facts: undefined, report: { durationMs: elapsed() } };
  }
  const end = await engine.pull(image, { timeoutMs, signal });
  const durationMs = elapsed();
  const how = end.how === 'missing' ? 'ended' : end.how;
  const said = `${end.stdout}\n${end.stderr}`;
  // Also after a failure: an engine may hold what its client was not told of.
  const after = await found(engine, image);
  if (after.kind === 'unknown') {
    const isRemoved = await engine.remove(image, quick());
    const result: PullResult = { ...base, how: how === 'ended' ? 'late' : how, said: after.why };
    return { result, image, facts: undefined, report: { durationMs, isRemoved } };
  }
  if (after.kind === 'absent') {
    const result: PullResult = { ...base, how, said };
    return { result, image, facts: undefined, report: { durationMs } };
  }
  const isRemoved = await engine.remove(image, quick());
  const facts = isOwn ? genuineFacts(after.held, canary, image) : undefined;
  const digest = after.held.digests.find((each) => each !== '') ?? '';
  return {
    result: { ...base, how, said, hasLanded: true, isGenuine: facts !== undefined },
    image,
    facts,
    report: { durationMs, digest, isRemoved },
  };
}

type Found =
  | { readonly kind: 'present'; readonly held: HeldImage }
  | { readonly kind: 'absent' }
  | { readonly kind: 'unknown'; readonly why: string };

async function found(engine: Engine, image: string): Promise<Found> {
  try {
    const held = await engine.find(image, quick());
    return held === undefined ? { kind: 'absent' } : { kind: 'present', held };
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return { kind: 'unknown', why: error.message };
  }
}

/** Never stopped by a signal: what landed has to go, and whether something did is what the doctor is for. */
function quick(): EngineOptions {
  return { timeoutMs: QUICK_MS, signal: new AbortController().signal };
}

/** The facts on an image's labels, if the image is the very one that Pinnace makes of them. */
function genuineFacts(held: HeldImage, kind: CanaryKind, image: string): CanaryFacts | undefined {
  const facts = canaryFactsOf(held.labels);
  if (facts?.kind !== kind || !image.endsWith(`:${facts.nonce}`)) return undefined;
  const { index, manifests, blobs } = makeCanaryImage(facts);
  const own = new Set<string>([index, ...manifests, ...blobs].map(({ digest }) => digest));
  return held.digests.some((digest) => own.has(digest)) ? facts : undefined;
}

function reportOf(
  { result, image, report, judgement }: Pulled & { readonly judgement: Judgement },
  { says }: Advice,
): CanaryReport {
  const sentence = sentenceIn(result.said);
  const engineSaid = result.hasLanded ? '' : result.said.trim().slice(-MAX_SAID);
  return {
    canary: result.canary,
    image,
    ...judgement,
    says,
    ...(sentence === undefined ? {} : { sentence: sentence.slice(0, MAX_SAID) }),
    ...(engineSaid === '' ? {} : { engineSaid }),
    ...report,
  };
}
