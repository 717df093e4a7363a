import { changingSigned, DAMAGED_TAG, type Damage, editing } from './damage.ts';
import { fileMeta } from './notary-json.ts';
import type { PublishedFiles } from './notary-repository.ts';

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
      for (const role of ['timestamp', 'snapshot', 'targets', 'targets/releases']) {
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
        const old = requireFile(repository.publish(), `1.${role}.json`);
        return repository.publish(new Map([[role, { bytes: () => old }]]));
      },
    }),
  ),
  ...['timestamp', 'snapshot', 'targets', 'targets/releases'].map(
    (role): Damage => ({
      name: `${role} with the version already seen and other bytes`,
      reason: 'rollback',
      earlierState: 'needed',
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
    apply: editing('snapshot', () =>
      changingSigned((signed) => {
        const meta = signed.get('meta');
        if (!(meta instanceof Map)) throw new Error('snapshot is not a snapshot');
        const kept = [...meta].filter(([role]) => role !== 'targets/releases');
        signed.set('meta', new Map(kept));
      }),
    ),
  },
  {
    name: 'snapshot that names another root',
    reason: 'checksum_mismatch',
    earlierState: 'any',
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
        const old = repository.bytes(role);
        return { served: () => old };
      }),
    }),
  ),
  {
    name: 'tag no longer signed',
    reason: 'tag_not_signed',
    earlierState: 'any',
    apply(repository) {
      repository.removeTag(DAMAGED_TAG, 'targets/releases');
      return repository.publish();
    },
  },
  {
    name: 'tag only signed by somebody who does not release',
    reason: 'tag_not_released',
    earlierState: 'any',
    apply(repository) {
      repository.addDelegation('targets/alice');
      repository.sign(DAMAGED_TAG, { sha256: 'a1'.repeat(32), length: 523 }, 'targets/alice');
      repository.removeTag(DAMAGED_TAG, 'targets/releases');
      return repository.publish();
    },
  },
];

function requireFile(files: PublishedFiles, name: string): Buffer {
  const bytes = files.get(name);
  if (bytes === undefined) throw new Error(`${name} was never published`);
  return Buffer.from(bytes);
}
