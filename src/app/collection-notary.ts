import type { Clock } from '../base/clock.ts';
import { CodedError } from '../base/coded-error.ts';
import { VERSION } from '../base/version.ts';
import type { Config } from '../config/config.ts';
import type { Collection } from '../metadata/collection.ts';
import { parseRepositoryName, type Repository, repositoryName } from '../oci/names.ts';
import { SigningError } from '../signing/errors.ts';
import { SILENT_CORE_EVENTS } from './core-events.ts';
import { createPullCore, type PullCore } from './pull-core.ts';

/** A tag that a Notary v1 collection has signed, verified. */
export interface NotaryPin {
  readonly tag: string;
  /** Lower-case hex. */
  readonly sha256: string;
  /** The role that published it. */
  readonly role: string;
}

/** What one repository's trust rests on today, and until when. */
export interface MigrationFacts {
  readonly repository: string;
  /** The trust source's name in the configuration; absent when no policy rule asks one. */
  readonly source?: string;
  readonly kind?: 'notary' | 'tuf';
  /** The day on which the service ends, where that is known. */
  readonly ends?: string;
  /** How many tags each role publishes, and how many keys it has. */
  readonly signers: readonly {
    readonly role: string;
    readonly tags: number;
    readonly keys: number;
  }[];
  /** Why it cannot be said, if it cannot. */
  readonly problem?: string;
}

/** The days on which public Notary services end, by their servers. */
const SERVICE_ENDS: readonly (readonly [RegExp, string])[] = [
  [/^notary\.docker\.io$/, '2026-12-08'],
  [/^[a-z0-9-]+\.azurecr\.io$/, '2028-03-31'],
];

/**
 * The tags that a collection has signed now, under the anchors and signers that the configuration asks for.
 *
 * @throws {SigningError} `name_unfit` when no policy rule has the repository verified
 * @throws {TrustError} @throws {TrustServerError} @throws {StateError}
 */
export async function notaryPins(
  config: Config,
  repository: Repository,
  clock: Clock,
): Promise<{ readonly source: string; readonly pins: readonly NotaryPin[] }> {
  return await withCore(config, clock, async (core) => {
    const opened = openByPolicy(core, repository);
    if (opened === undefined) {
      const name = repositoryName(repository);
      throw new SigningError('name_unfit', `no policy rule has ${name} verified by a trust source`);
    }
    const { collection, signers } = opened;
    await collection.refreshNow();
    return { source: collection.key.source, pins: await pinsOf(collection, signers) };
  });
}

/**
 * What the repositories on record, and those named, rest on. A repository about which nothing can be said is in the list with
 * the reason.
 *
 * @throws {StateError} `state_unreadable`
 */
export async function migrationFacts(
  config: Config,
  named: readonly string[],
  clock: Clock,
): Promise<readonly MigrationFacts[]> {
  return await withCore(config, clock, async (core) => {
    const onRecord = (await core.state.list())
      .filter(({ source }) => config.trust.get(source)?.kind === 'notary')
      .map(({ gun }) => gun);
    const facts: MigrationFacts[] = [];
    for (const name of [...new Set([...named, ...onRecord])].sort()) {
      facts.push(await factsOf(config, core, parseRepositoryName(name)));
    }
    return facts;
  });
}

async function factsOf(
  config: Config,
  core: PullCore,
  repository: Repository,
): Promise<MigrationFacts> {
  const name = repositoryName(repository);
  const opened = openByPolicy(core, repository);
  if (opened === undefined) {
    return { repository: name, signers: [], problem: 'no policy rule has it verified' };
  }
  const { collection, signers } = opened;
  const { source } = collection.key;
  const trust = config.trust.get(source);
  const ends = trust?.kind === 'notary' ? endOf(trust.url) : undefined;
  const common = {
    repository: name,
    source,
    ...(trust === undefined ? {} : { kind: trust.kind }),
    ...(ends === undefined ? {} : { ends }),
  };
  try {
    await collection.refreshNow();
    const pins = await pinsOf(collection, signers);
    return { ...common, signers: signersOf(collection, pins) };
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    return { ...common, signers: [], problem: error.message };
  }
}

function signersOf(collection: Collection, pins: readonly NotaryPin[]): MigrationFacts['signers'] {
  const set = collection.state?.set;
  const delegations = [...(set?.targets.values() ?? [])].flatMap(({ body }) => body.delegations);
  const roles = new Map<string, number>([
    ['targets', set?.root.authority('targets').keys.size ?? 0],
  ]);
  for (const { name, authority } of delegations) roles.set(name, authority.keys.size);
  return [...roles].map(([role, keys]) => ({
    role,
    keys,
    tags: pins.filter((pin) => pin.role === role).length,
  }));
}

async function pinsOf(
  collection: Collection,
  signers: readonly string[],
): Promise<readonly NotaryPin[]> {
  const { value: tags } = await collection.tags(signers);
  const pins: NotaryPin[] = [];
  for (const tag of tags) {
    const { value } = await collection.pin(tag, signers);
    pins.push({ tag, sha256: value.sha256, role: value.role });
  }
  return pins;
}

function openByPolicy(
  core: PullCore,
  repository: Repository,
): { readonly collection: Collection; readonly signers: readonly string[] } | undefined {
  const rule = core.policy.rulesOf(repository).verifying;
  if (rule === undefined) return undefined;
  const { source, signers } = rule.requirement;
  return {
    collection: core.collections.open({ source, gun: repositoryName(repository) }),
    signers,
  };
}

/** By the server alone: a site's own Notary server may sign for the names of a public registry. */
function endOf(url: string): string | undefined {
  const server = new URL(url).hostname;
  return SERVICE_ENDS.find(([name]) => name.test(server))?.[1];
}

async function withCore<Result>(
  config: Config,
  clock: Clock,
  work: (core: PullCore) => Promise<Result>,
): Promise<Result> {
  const core = createPullCore(config, { version: VERSION, clock, events: SILENT_CORE_EVENTS });
  try {
    return await work(core);
  } finally {
    await core.stop();
  }
}
