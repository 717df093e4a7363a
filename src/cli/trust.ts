import { SILENT_CORE_EVENTS } from '../app/core-events.ts';
import { createPullCore, type PullCore } from '../app/pull-core.ts';
import { systemClock } from '../base/clock.ts';
import { CodedError } from '../base/coded-error.ts';
import { VERSION } from '../base/version.ts';
import { loadConfig } from '../config/load.ts';
import type { Collection } from '../metadata/collection.ts';
import { OciError } from '../oci/errors.ts';
import { parseImageReference } from '../oci/image-reference.ts';
import { type Repository, repositoryName } from '../oci/names.ts';

import { EXIT } from './exit-codes.ts';
import { Progress } from './progress.ts';
import type { CommandIo } from './serve.ts';
import { trustFacts, trustText } from './trust-facts.ts';

/** What `trust show` works with. */
export interface ShowTrustOptions extends CommandIo {
  readonly config: string;
  readonly offline?: boolean;
  readonly json?: boolean;
}

/** What `trust reset` and `trust reset-clock` work with. */
export interface ResetTrustOptions extends CommandIo {
  readonly config: string;
  readonly reason: string;
}

/**
 * Shows what is trusted of a collection: how its root was admitted, keys, versions, expiries, signers, tags.
 *
 * @returns 0, or 1 when nothing is known or the trust server's answer was not acceptable (which is printed too), 64 not a
 * repository name
 */
export async function showTrust(name: string, options: ShowTrustOptions): Promise<number> {
  return await withCollection(name, options, async ({ collection, signers }) => {
    const progress = new Progress(options.stderr);
    progress.step(`asking trust source "${collection.key.source}" about ${collection.key.gun}`);
    let served: readonly string[] | undefined;
    let failure: unknown;
    try {
      if (options.offline === true) await loadAll(collection);
      else served = await askAll(collection, signers);
    } catch (error) {
      failure = error;
    }
    progress.end();
    const facts = trustFacts(collection, { served, failure });
    options.stdout.write(
      options.json === true ? `${JSON.stringify(facts, null, 2)}\n` : trustText(facts),
    );
    return facts.roles.length > 0 && failure === undefined ? EXIT.ok : EXIT.refused;
  });
}

/** Forgets a collection on the operator's word; returns 0, 1 when nothing was on record, 64 not a repository name. */
export async function resetTrust(name: string, options: ResetTrustOptions): Promise<number> {
  return await withCollection(name, options, async ({ collection }, core) => {
    const { key } = collection.metadata;
    const wasThere = await core.state.reset(key, options.reason);
    const isOwn = key.gun === collection.key.gun;
    const what = isOwn ? key.gun : 'all repositories';
    options.stdout.write(
      wasThere
        ? `forgot ${what} of trust source "${key.source}"; the configured anchor decides about its root at the next pull\n`
        : `nothing was on record for ${what} of trust source "${key.source}"\n`,
    );
    return wasThere ? EXIT.ok : EXIT.refused;
  });
}

/** Lowers the newest time ever seen to now on the operator's word; returns 0, or 1 when it is not later than now. */
export async function resetClock(options: ResetTrustOptions): Promise<number> {
  return await withCore(options, async ({ state }) => {
    const forgotten = await state.resetTime(options.reason);
    if (forgotten === undefined) {
      const newest = new Date(await state.newestTimeSeen()).toISOString();
      options.stdout.write(
        `nothing to reset: the newest time on record, ${newest}, is not ahead\n`,
      );
      return EXIT.refused;
    }
    const text = new Date(forgotten).toISOString();
    options.stdout.write(
      `forgot that the clock once showed ${text}; a running Pinnace notices at its next pull\n`,
    );
    return EXIT.ok;
  });
}

interface Subject {
  readonly collection: Collection;
  readonly signers: readonly string[];
}

async function withCollection(
  name: string,
  options: CommandIo & { readonly config: string },
  work: (subject: Subject, core: PullCore) => Promise<number>,
): Promise<number> {
  const repository = repositoryOf(name);
  if (repository === undefined) {
    options.stderr.write(
      `${JSON.stringify(name)} is not a repository name; write it as in registry.example.com/team/app, without a tag\n`,
    );
    return EXIT.usage;
  }
  return await withCore(options, async (core) => {
    const gun = repositoryName(repository);
    const rule = core.policy.rulesOf(repository).verifying;
    if (rule === undefined) {
      options.stderr.write(`no policy rule has ${gun} verified by a trust source\n`);
      return EXIT.refused;
    }
    const { source, signers } = rule.requirement;
    return await work({ collection: core.collections.open({ source, gun }), signers }, core);
  });
}

async function withCore(
  options: CommandIo & { readonly config: string },
  work: (core: PullCore) => Promise<number>,
): Promise<number> {
  const { config } = await loadConfig(options.config, { env: options.env });
  const context = { version: VERSION, clock: systemClock, events: SILENT_CORE_EVENTS };
  const core = createPullCore(config, context);
  try {
    return await work(core);
  } finally {
    await core.stop();
  }
}

/** The repository that people mean: `alpine` is `docker.io/library/alpine`, as in `pinnace resolve`. */
function repositoryOf(name: string): Repository | undefined {
  const last = name.slice(name.lastIndexOf('/') + 1);
  if (/[:@]/.test(last)) return undefined;
  try {
    return parseImageReference(name).repository;
  } catch (error) {
    if (error instanceof OciError) return undefined;
    throw error;
  }
}

/** Asks the trust server for all there is, delegations included. @returns the tags that would be served */
async function askAll(
  collection: Collection,
  signers: readonly string[],
): Promise<readonly string[]> {
  await collection.refreshNow();
  return (await collection.tags(signers)).value;
}

/** Reads all that is on record, delegations included. */
async function loadAll(collection: Collection): Promise<void> {
  await collection.loadOnly();
  const { state } = collection;
  if (state?.set === undefined) return;
  const left = new Map(state.files.targets);
  left.delete('targets');
  // A role can be accepted once the one that delegates to it is.
  for (let isMore = true; isMore; ) {
    isMore = false;
    for (const [role, file] of left) {
      const delegator = delegatorOf(role, state.set);
      if (delegator === undefined) continue;
      left.delete(role);
      isMore = acceptRecorded(state.set, { role, delegator, file }) || isMore;
    }
  }
}

type Recorded = NonNullable<Collection['state']>;
type RecordedSet = NonNullable<Recorded['set']>;

function delegatorOf(role: string, set: RecordedSet): string | undefined {
  const delegates = ({ body }: { body: { delegations: readonly { name: string }[] } }): boolean =>
    body.delegations.some(({ name }) => name === role);
  return [...set.targets.values()].find(delegates)?.role;
}

function acceptRecorded(
  set: RecordedSet,
  {
    role,
    delegator,
    file,
  }: {
    readonly role: string;
    readonly delegator: string;
    readonly file: { readonly bytes: Uint8Array } | Uint8Array;
  },
): boolean {
  // On record for comparison only when the snapshot in force has another version of it, or none.
  if (set.expected(role) === undefined) return false;
  try {
    set.acceptTargets(role, file instanceof Uint8Array ? file : file.bytes, delegator);
    return true;
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    return false;
  }
}
