import { SILENT_CORE_EVENTS } from '../app/core-events.ts';
import { createPullCore, type PullCore } from '../app/pull-core.ts';
import { roleStatuses } from '../app/status.ts';
import { systemClock } from '../base/clock.ts';
import { VERSION } from '../base/version.ts';
import { loadConfig } from '../config/load.ts';
import type { Collection } from '../metadata/collection.ts';
import { parseRepositoryName } from '../oci/names.ts';
import { EXIT } from './exit-codes.ts';
import type { CommandIo } from './serve.ts';

/** What `trust show` works with. */
export interface ShowTrustOptions extends CommandIo {
  readonly config: string;
  readonly offline?: boolean;
  readonly json?: boolean;
}

/** What `trust reset` works with. */
export interface ResetTrustOptions extends CommandIo {
  readonly config: string;
  readonly reason: string;
}

/**
 * Shows what is trusted of a collection: how its root was admitted, keys, versions, expiries, signers, tags.
 *
 * @returns 0, or 1 when nothing is known or the trust server's answer was not acceptable (which is printed too)
 */
export async function showTrust(gun: string, options: ShowTrustOptions): Promise<number> {
  return await withCollection(gun, options, async (collection) => {
    let failure: unknown;
    try {
      await (options.offline === true ? collection.loadOnly() : collection.refreshNow());
    } catch (error) {
      failure = error;
    }
    const facts = factsOf(collection, failure);
    options.stdout.write(
      options.json === true ? `${JSON.stringify(facts, null, 2)}\n` : toText(facts),
    );
    return facts.roles.length > 0 && failure === undefined ? EXIT.ok : EXIT.refused;
  });
}

/** Forgets a collection on the operator's word; returns 0, or 1 when nothing was on record. */
export async function resetTrust(gun: string, options: ResetTrustOptions): Promise<number> {
  return await withCollection(gun, options, async ({ metadata: { key } }, core) => {
    const wasThere = await core.state.reset(key, options.reason);
    const what = key.gun === gun ? gun : 'all repositories';
    options.stdout.write(
      wasThere
        ? `forgot ${what} of trust source "${key.source}"; the configured anchor decides about its root at the next pull\n`
        : `nothing was on record for ${what} of trust source "${key.source}"\n`,
    );
    return wasThere ? EXIT.ok : EXIT.refused;
  });
}

async function withCollection(
  gun: string,
  options: CommandIo & { readonly config: string },
  work: (collection: Collection, core: PullCore) => Promise<number>,
): Promise<number> {
  const { config } = await loadConfig(options.config, { env: options.env });
  const repository = parseRepositoryName(gun);
  const context = { version: VERSION, clock: systemClock, events: SILENT_CORE_EVENTS };
  const core = createPullCore(config, context);
  try {
    const requirement = core.policy.match(repository)?.requirement;
    if (requirement?.kind !== 'verified') {
      options.stderr.write(`no policy rule has ${gun} verified by a trust source\n`);
      return EXIT.refused;
    }
    return await work(core.collections.open({ source: requirement.source, gun }), core);
  } finally {
    await core.stop();
  }
}

interface TrustFacts {
  readonly gun: string;
  readonly trust: string;
  readonly admission?: string;
  readonly admittedAt?: string;
  readonly checkedAt?: string;
  readonly rootKeys: readonly {
    readonly id: string;
    readonly publicKeyId: string;
    readonly type: string;
  }[];
  readonly roles: readonly {
    readonly role: string;
    readonly version: number;
    readonly expiresAt: string;
  }[];
  readonly delegations: readonly {
    readonly role: string;
    readonly keys: readonly string[];
    readonly paths: readonly string[];
  }[];
  readonly tags: readonly string[];
  readonly problem?: string;
}

function factsOf(collection: Collection, failure: unknown): TrustFacts {
  const { key, state } = collection;
  const set = state?.set;
  const top = set?.targets.get('targets')?.body;
  return {
    gun: key.gun,
    trust: key.source,
    ...(state === undefined
      ? {}
      : { admission: state.admission, admittedAt: new Date(state.admittedAt).toISOString() }),
    ...(state === undefined || state.checkedAt === 0
      ? {}
      : { checkedAt: new Date(state.checkedAt).toISOString() }),
    rootKeys: [...(state?.root.authority('root').keys.values() ?? [])].map((rootKey) => ({
      id: rootKey.id,
      publicKeyId: rootKey.canonicalId,
      type: rootKey.keyType,
    })),
    roles: set === undefined ? [] : roleStatuses(set),
    delegations: (top?.delegations ?? []).map(({ name, authority, paths }) => ({
      role: name,
      keys: [...authority.keys.keys()],
      paths,
    })),
    tags: [...(set?.targets.values() ?? [])].flatMap(({ role, body }) =>
      [...body.targets].map(
        ([tag, { sha256 }]) => `${tag} ${role} sha256:${sha256 ?? '(unusable)'}`,
      ),
    ),
    ...(failure === undefined
      ? {}
      : { problem: failure instanceof Error ? failure.message : String(failure) }),
  };
}

function toText(facts: TrustFacts): string {
  const admitted =
    facts.admission === undefined
      ? ['nothing is on record']
      : [
          `root admitted by ${facts.admission === 'anchor' ? 'the configured anchor' : 'first use'} on ${facts.admittedAt}`,
          `trust server last seen ${facts.checkedAt ?? 'never'}`,
        ];
  const lines = [
    `${facts.gun} (trust source "${facts.trust}")`,
    ...admitted.map((line) => `  ${line}`),
    ...section(
      'root keys',
      facts.rootKeys.map(({ id, publicKeyId, type }) => `${id} ${type}, bare key ${publicKeyId}`),
    ),
    ...section(
      'roles',
      facts.roles.map(
        ({ role, version, expiresAt }) => `${role} version ${version}, expires ${expiresAt}`,
      ),
    ),
    ...section(
      'delegations',
      facts.delegations.map(({ role, keys }) => `${role} keys ${keys.join(', ')}`),
    ),
    ...section('signed tags', facts.tags),
    ...(facts.problem === undefined ? [] : [`  problem: ${facts.problem}`]),
  ];
  return `${lines.join('\n')}\n`;
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [`  ${title}:`, ...lines.map((line) => `    ${line}`)];
}
