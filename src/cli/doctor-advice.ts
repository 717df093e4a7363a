import type { CanaryFacts } from '../oci/canary.ts';
import type { Finding, Judgement, PullResult } from './doctor-judge.ts';
import { type SettingsSubject, settingsCommand } from './doctor-settings.ts';

/** What a finding means, and what to do about it. */
export interface Advice {
  /** One sentence without full stop. */
  readonly says: string;
  readonly fixes: readonly string[];
}

/** What advice is given about. */
export interface Subject extends PullResult, SettingsSubject {
  readonly through: CanaryFacts | undefined;
  readonly judgement: Judgement;
}

type Text = (subject: Subject) => string;

const SAYS: Readonly<Record<Finding, Text>> = {
  served: ({ isOwn, through }) =>
    isOwn
      ? `it came from Pinnace${through === undefined ? '' : `, through listener "${through.listener}" (refusal: ${through.refusal})`}`
      : 'it can be pulled; from whom, its landing alone does not show',
  landed: ({ isOwn }) =>
    isOwn
      ? 'it landed, although Pinnace refuses it: somebody else answers for this registry'
      : 'it landed: either the policy lets it through, or the engine went round the refusal',
  other_content: () =>
    'what landed is not what Pinnace serves: somebody else answers for this registry',
  refused: ({ facts, canary }) =>
    canary === 'tampered' && facts.family === 'each'
      ? 'refused; the engine may have asked the registry for the same digest, which can only give the same content'
      : 'refused, and the refusal was the last word',
  refused_and_blocked: () => 'refused, and the registry itself is blocked in the settings',
  refused_in_silence: () =>
    'refused, and the refusal was the last word; this version of the engine does not print why',
  registry_unreachable: ({ through }) =>
    through === undefined
      ? 'neither Pinnace nor the registry could be reached'
      : 'refused; the engine then asked the registry, which it cannot reach: the closed way out holds, and the reason is lost',
  went_on: ({ judgement }) =>
    `refused, and the engine went on to the next endpoint${judgement.certainty === 'likely' ? ', as far as its words and settings show' : ''}: an image that exists there would have landed`,
  not_through_pinnace: () =>
    'the answer was not Pinnace’s: pulls from this registry do not go through it',
  not_served: () => 'Pinnace is asked, but does not serve its canary',
  already_present: () =>
    'the engine has an image of that name already, so a pull would show nothing',
  late: () => 'the pull did not end in time',
  stopped: () => 'stopped before it was known',
  unclear: () => 'the engine failed in words that do not show who was asked',
};

/** Says what a finding means and what to do. */
export function adviceFor(subject: Subject): Advice {
  const { verdict, finding } = subject.judgement;
  const says = SAYS[finding](subject);
  return { says, fixes: verdict === 'held' ? [] : fixesFor(subject) };
}

function fixesFor(subject: Subject): readonly string[] {
  const { registry, canary, through, route, judgement } = subject;
  const odd = route.oddities.map((oddity) => `${route.source}: ${oddity}.`);
  switch (judgement.finding) {
    case 'landed':
    case 'went_on':
      return [...odd, ...closeTheWay(subject)];
    case 'other_content':
    case 'not_through_pinnace':
      return [...odd, `Make Pinnace the way to ${registry}: ${install(subject)}.`];
    case 'not_served':
      return [
        `Set "canaries: true" in Pinnace's configuration and ${registryName(registry)} under "upstreams", or name a signed image with --signed.`,
      ];
    case 'registry_unreachable':
      return ['Start Pinnace, or make its address reachable from this host.'];
    case 'already_present':
      return [`Remove the image, or name another one with --${canary}.`];
    case 'late':
      return ['Look whether Pinnace answers, or give the pulls more time with --timeout.'];
    case 'unclear':
      return [
        ...odd,
        through === undefined
          ? 'Read what the engine said, and its log.'
          : `Name an unsigned image that exists at ${registry} with --unsigned: whether it lands shows it.`,
      ];
    default:
      return [];
  }
}

/** What makes a refusal final for this engine, the nearest thing first. */
function closeTheWay(subject: Subject): readonly string[] {
  const { facts, registry, canary, through, route } = subject;
  const closed = `Or leave the engine no second endpoint: ${install(subject)}.`;
  if (through?.refusal === 'deny' && route.fallsBack !== false) {
    return [
      `In Pinnace's configuration set "refusal: hard-stop" for listener "${through.listener}", which this engine uses as a mirror.`,
      closed,
    ];
  }
  if (canary === 'tampered' && through !== undefined && facts.family === 'whole') {
    return [
      `In Pinnace's configuration set "completeFirst: true" for listener "${through.listener}": an altered layer is then refused with its tag, and this engine does not ask the registry for it.`,
      closed,
    ];
  }
  return [`Leave the engine no second endpoint for ${registry}: ${install(subject)}.`];
}

function install(subject: SettingsSubject): string {
  return `install what "${settingsCommand(subject)}" prints`;
}

function registryName(registry: string): string {
  return registry.slice(registry.lastIndexOf('/') + 1);
}
