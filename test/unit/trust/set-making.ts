import { notaryV1 } from '../../../src/trust/dialect/notary-v1-dialect.ts';
import { TrustedRoot } from '../../../src/trust/trusted-root.ts';
import {
  type EarlierFiles,
  NO_EARLIER_FILES,
  TrustedSet,
  type TrustedSetOptions,
} from '../../../src/trust/trusted-set.ts';
import { changingSigned } from '../../support/damage.ts';
import type { Json } from '../../support/notary-json.ts';
import { NotaryRepository, type NotaryRepositoryOptions } from '../../support/notary-repository.ts';
import type { RoleEdit } from '../../support/publication.ts';
import { FIRST_USE, NOW, STRONG_ONLY } from './making.ts';

/** The delegation that all repositories here have. */
export const RELEASES = 'targets/releases';

/** What tags are signed for. */
export const CONTENT: { readonly sha256: string; readonly length: number } = {
  sha256: 'ab'.repeat(32),
  length: 5,
};

const GUN = 'registry.example.test/app';

/** A repository that publishes `v1` in `targets/releases`. */
export function repositoryWith(options: Partial<NotaryRepositoryOptions> = {}): NotaryRepository {
  const repository = new NotaryRepository({ gun: GUN, ...options });
  repository.addDelegation(RELEASES);
  repository.sign('v1', CONTENT, RELEASES);
  repository.publish();
  return repository;
}

/** An empty set on the repository's newest root. */
export function setFor(
  repository: NotaryRepository,
  options: Partial<TrustedSetOptions> = {},
): TrustedSet {
  const rules = { dialect: notaryV1, gun: GUN, anchor: FIRST_USE, weak: STRONG_ONLY };
  const root = TrustedRoot.admit(repository.bytes('root'), rules, NOW);
  const all = { now: NOW, weak: STRONG_ONLY, earlier: NO_EARLIER_FILES, ...options };
  return new TrustedSet(root, all);
}

/** Lets the set accept the repository's newest files. */
export function fill(
  set: TrustedSet,
  repository: NotaryRepository,
  roles: readonly string[] = ['timestamp', 'snapshot', 'targets', RELEASES],
): TrustedSet {
  for (const role of roles) {
    const bytes = repository.bytes(role);
    if (role === 'timestamp') set.acceptTimestamp(bytes);
    else if (role === 'snapshot') set.acceptSnapshot(bytes);
    else set.acceptTargets(role, bytes);
  }
  return set;
}

/** What a set leaves behind: as files already verified, or as bytes out of a store. */
export function earlierOf(set: TrustedSet, form: 'verified' | 'bytes'): EarlierFiles {
  const { timestamp, snapshot, targets } = set;
  if (form === 'verified') return { timestamp, snapshot, targets: new Map(targets) };
  return {
    timestamp: timestamp.bytes,
    snapshot: snapshot.bytes,
    targets: new Map([...targets].map(([role, { bytes }]) => [role, bytes])),
  };
}

/** Publishes once more with one role's file edited. */
export function edited(repository: NotaryRepository, role: string, edit: RoleEdit): void {
  repository.publish(new Map([[role, edit]]));
}

/** An edit that sets one member of the signed part. */
export function setting(name: string, value: Json): RoleEdit {
  return changingSigned((signed) => signed.set(name, value));
}

/** An edit of a snapshot that adds an entry, or takes one away. */
export function withEntry(role: string, meta: Json | undefined): RoleEdit {
  return changingSigned((signed) => {
    const entries = signed.get('meta');
    if (!(entries instanceof Map)) throw new Error('snapshot is not a snapshot');
    const others = [...entries].filter(([name]) => name !== role);
    signed.set('meta', new Map(meta === undefined ? others : [...others, [role, meta]]));
  });
}

/** Whether an error is the plain one that tells a programmer of a call out of order. */
export function isProgrammersError(error: unknown): boolean {
  return error instanceof Error && error.constructor === Error;
}
