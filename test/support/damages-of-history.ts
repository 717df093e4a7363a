import {
  asTuf,
  changingSigned,
  DAMAGED_TAG,
  type Damage,
  editing,
  metaName,
  roleIn,
} from './damage.ts';
import { fileMeta } from './notary-json.ts';
import type { PublishedFiles } from './publication.ts';
import type { TufRepository } from './tuf-repository.ts';

/** Old states brought back, and states that never belonged together. */
export const HISTORY_DAMAGES: readonly Damage[] = [
  {
    name: 'timestamp rolled back',
    reason: 'rollback',
    earlierState: 'needed',
    apply(repository) {
      const files = new Map(repository.publish());
      files.set('timestamp.json', requireFile(files, '1.timestamp.json'));
      return files;
    },
  },
  {
    name: 'whole collection rolled back',
    reason: 'rollback',
    earlierState: 'needed',
    apply(repository) {
      const files = new Map(repository.publish());
      const roles = ['timestamp', 'snapshot', 'targets', repository.releaseRole];
      for (const role of roles) {
        files.set(`${role}.json`, requireFile(files, `1.${role}.json`));
      }
      return files;
    },
  },
  ...['snapshot', 'targets', 'targets/releases'].map(
    (role): Damage => ({
      name: `${role} rolled back below a new timestamp`,
      reason: 'rollback',
      earlierState: 'needed',
      apply(repository) {
        const name = roleIn(repository, role);
        const old = requireFile(repository.publish(), `1.${name}.json`);
        return repository.publish(new Map([[name, { bytes: () => old }]]));
      },
    }),
  ),
  ...['timestamp', 'snapshot', 'targets', 'targets/releases'].map(
    (role): Damage => ({
      name: `${role} with the version already seen and other bytes`,
      reason: 'rollback',
      earlierState: 'needed',
      // There the timestamp seen before is kept, and the versions of targets are held by the snapshot.
      dialects: role === 'snapshot' ? ['notary-v1', 'tuf-1.0'] : ['notary-v1'],
      needsHashes: true,
      apply: editing(role, (repository) => {
        const version = repository.version(role);
        const expires = new Date(repository.now.getTime() + 86_400_000).toISOString();
        return changingSigned((signed) => signed.set('version', version).set('expires', expires));
      }),
    }),
  ),
  {
    name: 'delegation dropped from the snapshot',
    reason: 'rollback',
    earlierState: 'needed',
    inTuf: { earlierState: 'any', alsoAcceptable: ['metadata_missing'] },
    apply: editing('snapshot', (repository) =>
      changingSigned((signed) => {
        const meta = signed.get('meta');
        if (!(meta instanceof Map)) throw new Error('snapshot is not a snapshot');
        const dropped = metaName(repository, 'targets/releases');
        const kept = [...meta].filter(([name]) => name !== dropped);
        signed.set('meta', new Map(kept));
      }),
    ),
  },
  {
    name: 'snapshot that names another root',
    reason: 'checksum_mismatch',
    earlierState: 'any',
    dialects: ['notary-v1'],
    apply: editing('snapshot', () =>
      changingSigned((signed) => {
        const meta = signed.get('meta');
        if (!(meta instanceof Map)) throw new Error('snapshot is not a snapshot');
        signed.set('meta', new Map([...meta, ['root', fileMeta(Buffer.from('another root'))]]));
      }),
    ),
  },
  ...['snapshot', 'targets', 'targets/releases'].map(
    (role): Damage => ({
      name: `older, properly signed ${role} under the new name (mix and match)`,
      reason: 'checksum_mismatch',
      alsoAcceptable: ['length_mismatch'],
      earlierState: 'any',
      apply: editing(role, (repository) => {
        const old = repository.bytes(roleIn(repository, role));
        return { served: () => old };
      }),
    }),
  ),
  {
    name: 'tag no longer signed',
    reason: 'tag_not_signed',
    earlierState: 'any',
    apply(repository) {
      repository.removeTag(DAMAGED_TAG, repository.releaseRole);
      return repository.publish();
    },
  },
  {
    name: 'tag only signed by somebody who does not release',
    reason: 'tag_not_released',
    earlierState: 'any',
    dialects: ['notary-v1'],
    apply(repository) {
      repository.addDelegation('targets/alice');
      repository.sign(DAMAGED_TAG, { sha256: 'a1'.repeat(32), length: 523 }, 'targets/alice');
      repository.removeTag(DAMAGED_TAG, 'targets/releases');
      return repository.publish();
    },
  },
  {
    name: 'tag signed by a role whose paths do not cover it',
    reason: 'tag_not_signed',
    earlierState: 'any',
    dialects: ['tuf-1.0'],
    apply(repository) {
      const tuf = asTuf(repository);
      tuf.addDelegation('alice', { paths: ['other:*', 'app', 'app:/*'] });
      return movedTo('alice', tuf);
    },
  },
  {
    name: 'tag signed by a role behind a terminating delegation',
    reason: 'tag_not_signed',
    earlierState: 'any',
    dialects: ['tuf-1.0'],
    apply(repository) {
      const tuf = asTuf(repository);
      const keys = tuf.keys(tuf.releaseRole);
      tuf.addDelegation(tuf.releaseRole, { keys, isTerminating: true });
      tuf.addDelegation('alice');
      return movedTo('alice', tuf);
    },
  },
];

/** Takes the tag from the releases and has another role sign something for it. */
function movedTo(role: string, tuf: TufRepository): PublishedFiles {
  tuf.sign(DAMAGED_TAG, { sha256: 'a1'.repeat(32), length: 523 }, role);
  tuf.removeTag(DAMAGED_TAG, tuf.releaseRole);
  return tuf.publish();
}

function requireFile(files: PublishedFiles, name: string): Buffer {
  const bytes = files.get(name);
  if (bytes === undefined) throw new Error(`${name} was never published`);
  return Buffer.from(bytes);
}
