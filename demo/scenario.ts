import type { ReasonCode } from '../src/base/reason-code.ts';
import type { Image } from '../test/support/images.ts';
import type { PullResult } from './engine.ts';

/** What a scenario may do while it is played. */
export interface Actor {
  /** Tells the person watching what happens. */
  say(text: string): void;
  /** Pulls the demo's tag through Pinnace and tells how it went. */
  pull(): Promise<PullResult>;
}

/** What a scenario plays on: a repository, and the image that its tag is to mean. */
export interface Setting {
  /** Path of the repository. */
  readonly path: string;
  readonly image: Image;
}

/** One question put to Pinnace. */
export interface Scenario<On extends Setting> {
  /** Path of its repository; scenarios with the same one follow each other on the same stage. */
  readonly path: string;
  readonly asked: string;
  /** The reason for the refusal; undefined: the right image is to be served. */
  readonly expected: ReasonCode | undefined;
  /** Sets the scene and pulls; gives the result of the last pull. */
  play(stage: On, actor: Actor): Promise<PullResult>;
}

/** A scenario that has been played. */
export interface Played {
  readonly asked: string;
  /** The reason for a refusal, or the digest to be served. */
  readonly expected: { readonly reason: ReasonCode } | { readonly digest: string };
  readonly result: PullResult;
}

/** Whether it went as it must: the very digest that was signed, or the refusal for the very reason. */
export function isAsExpected({ expected, result }: Played): boolean {
  if ('digest' in expected) {
    return result.verdict === 'pinned' && result.digest === expected.digest;
  }
  return result.verdict === 'refused' && result.reason === expected.reason;
}

/**
 * Plays the scenarios of an act in order.
 *
 * @param stages - by the path of their repository
 * @param actorFor - announces a scenario
 */
export async function playAct<On extends Setting>(
  scenarios: readonly Scenario<On>[],
  stages: ReadonlyMap<string, On>,
  actorFor: (scenario: Pick<Scenario<On>, 'path' | 'asked'>) => Actor,
): Promise<readonly Played[]> {
  const played: Played[] = [];
  for (const scenario of scenarios) {
    const { asked, expected } = scenario;
    const stage = stages.get(scenario.path);
    if (stage === undefined) continue;
    const result = await scenario.play(stage, actorFor(scenario));
    const digest = stage.image.manifest.digest;
    played.push({
      asked,
      result,
      expected: expected === undefined ? { digest } : { reason: expected },
    });
  }
  return played;
}
