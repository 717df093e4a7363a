import { changingSigned, DAMAGED_TAG, type Damage, editing } from './damage.ts';
import { flipBit } from './http-faults.ts';
import { fileMeta, type Json, type JsonObject } from './notary-json.ts';
import type { NotaryRepository, PublishedFiles, RoleEdit } from './notary-repository.ts';

const NAMED_ROLES = ['snapshot', 'targets', 'targets/releases'] as const;

/** Files that are not what the file naming them says, are missing, do not end, or make no sense. */
export const CONTENT_DAMAGES: readonly Damage[] = [
  ...NAMED_ROLES.flatMap(damagesOfNamedRole),
  ...malformedTimestamps(),
  ...malformedOthers(),
  ...lengthDamages(),
  {
    name: 'timestamp missing',
    reason: 'no_trust_data',
    earlierState: 'any',
    apply: (repository) => without(repository.publish(), /(?:^|\.)timestamp\./),
  },
  {
    name: 'root missing',
    reason: 'no_trust_data',
    earlierState: 'none',
    apply: (repository) => without(repository.publish(), /(?:^|\.)root\./),
  },
  {
    name: 'root truncated',
    reason: 'malformed',
    alsoAcceptable: ['trust_server_error'],
    earlierState: 'any',
    apply: editing('root', () => ({ served: (bytes) => bytes.subarray(0, 200) })),
  },
  {
    name: 'root never ends',
    reason: 'length_exceeded',
    earlierState: 'none',
    endless: /^root\.json$/,
    apply: (repository) => repository.publish(),
  },
  {
    name: 'timestamp never ends',
    reason: 'length_exceeded',
    earlierState: 'any',
    endless: /^timestamp\.json$/,
    apply: (repository) => repository.publish(),
  },
  {
    name: 'signed digest too short',
    reason: 'target_unusable',
    earlierState: 'any',
    apply: editing('targets/releases', () =>
      changingTarget({ hashes: { sha256: Buffer.alloc(31, 7).toString('base64') }, length: 523 }),
    ),
  },
  {
    name: 'signed without a sha256',
    reason: 'target_unusable',
    earlierState: 'any',
    apply: editing('targets/releases', () =>
      changingTarget({ hashes: { sha512: Buffer.alloc(64, 7).toString('base64') }, length: 523 }),
    ),
  },
];

function damagesOfNamedRole(role: (typeof NAMED_ROLES)[number]): readonly Damage[] {
  const file = new RegExp(`^(?:\\d+\\.)?${role}\\.(?:[0-9a-f]{64}\\.)?json$`);
  return [
    {
      name: `${role} does not have the hash under which it is named`,
      reason: 'checksum_mismatch',
      earlierState: 'any',
      apply: editing(role, () => ({ served: (bytes) => flipBit(bytes, 12) })),
    },
    {
      name: `${role} truncated`,
      reason: 'length_mismatch',
      alsoAcceptable: ['checksum_mismatch'],
      earlierState: 'any',
      apply: editing(role, () => ({ served: (bytes) => bytes.subarray(0, bytes.length - 20) })),
    },
    {
      name: `${role} missing`,
      reason: 'metadata_missing',
      earlierState: 'any',
      apply: (repository) => without(republishing(role, repository), file),
    },
    {
      name: `${role} never ends`,
      reason: 'length_exceeded',
      earlierState: 'any',
      endless: file,
      apply: (repository) => republishing(role, repository),
    },
    {
      name: `${role} with a member twice`,
      reason: 'malformed',
      earlierState: 'any',
      apply: editing(role, () => replacing('"version":', '"version":1,"version":')),
    },
  ];
}

function malformedTimestamps(): readonly Damage[] {
  const unusable: readonly (readonly [string, RoleEdit])[] = [
    ['empty', { bytes: () => Buffer.alloc(0) }],
    ['truncated', { bytes: (bytes) => bytes.subarray(0, bytes.length - 20) }],
    ['an HTML page', { bytes: () => Buffer.from('<html><body>Sign in</body></html>') }],
  ];
  const edits: readonly (readonly [string, RoleEdit])[] = [
    ['with a member twice', replacing('"version":', '"version":1,"version":')],
    ['with a whole signed part twice', replacing('{"signed":', '{"signed":{},"signed":')],
    ['followed by garbage', { bytes: (bytes) => Buffer.concat([bytes, Buffer.from('{}')]) }],
    ['after a byte order mark', { bytes: (bytes) => Buffer.from(`\uFEFF${bytes}`) }],
    ['with bytes that are no UTF-8', { bytes: (bytes) => notUtf8(bytes) }],
    ['nested without end', { bytes: () => Buffer.from('['.repeat(60_000)) }],
    ['that is null', { bytes: () => Buffer.from('null') }],
    ['of version 0', changingSigned((signed) => signed.set('version', 0))],
    ['of negative version', changingSigned((signed) => signed.set('version', -1))],
    ['with the version as a string', changingSigned((signed) => signed.set('version', '9'))],
    ['with a fraction as version', replacing(/"version":(\d+)/, '"version":$1.0')],
    ['with a version too large', replacing(/"version":\d+/, '"version":9007199254740993')],
    ['of type Snapshot', changingSigned((signed) => signed.set('_type', 'Snapshot'))],
    [
      'of type timestamp in lower case',
      changingSigned((signed) => signed.set('_type', 'timestamp')),
    ],
    ['with a date that is none', changingSigned((signed) => signed.set('expires', '2036-11-20'))],
    ['without a snapshot entry', changingSigned((signed) => signed.set('meta', {}))],
    ['without a sha256', withSnapshotMeta(() => ({ hashes: { md5: 'AA==' }, length: 10 }))],
  ];
  const damage = ([what, edit]: readonly [string, RoleEdit]): Damage => ({
    name: `timestamp ${what}`,
    reason: 'malformed',
    earlierState: 'any',
    apply: editing('timestamp', () => edit),
  });
  return [
    ...edits.map(damage),
    ...unusable.map((row): Damage => ({ ...damage(row), alsoAcceptable: ['trust_server_error'] })),
  ];
}

function malformedOthers(): readonly Damage[] {
  const edits: readonly (readonly [string, string, RoleEdit])[] = [
    ['snapshot without a targets entry', 'snapshot', changingSigned((s) => s.set('meta', {}))],
    ['snapshot of type Targets', 'snapshot', changingSigned((s) => s.set('_type', 'Targets'))],
    ['targets that is a list', 'targets', changingSigned((s) => s.set('targets', []))],
    ['targets of type Timestamp', 'targets', changingSigned((s) => s.set('_type', 'Timestamp'))],
    ['delegation with a hostile name', 'targets', renamingDelegation('targets/../releases')],
    ['delegation of somebody else', 'targets', renamingDelegation('targets/a/b')],
    ['root without roles', 'root', changingSigned((s) => s.set('roles', {}))],
    ['root of version 0', 'root', changingSigned((s) => s.set('version', 0))],
  ];
  return edits.map(([name, role, edit]) => ({
    name,
    reason: 'malformed',
    earlierState: 'any',
    apply: editing(role, () => edit),
  }));
}

function lengthDamages(): readonly Damage[] {
  return [
    {
      name: 'timestamp that gives the snapshot more bytes than it has',
      reason: 'length_mismatch',
      earlierState: 'any',
      apply: editing('timestamp', (repository) =>
        withSnapshotMeta(() => resized(repository.bytes('snapshot'), 10)),
      ),
    },
    {
      name: 'timestamp that gives the snapshot fewer bytes than it has',
      reason: 'length_exceeded',
      alsoAcceptable: ['length_mismatch'],
      earlierState: 'any',
      apply: editing('timestamp', (repository) =>
        withSnapshotMeta(() => resized(repository.bytes('snapshot'), -10)),
      ),
    },
  ];
}

function resized(file: Buffer, by: number): JsonObject {
  return { ...fileMeta(file), length: file.length + by };
}

function withSnapshotMeta(meta: () => JsonObject): RoleEdit {
  return changingSigned((signed) => signed.set('meta', { snapshot: meta() }));
}

function replacing(what: string | RegExp, by: string): RoleEdit {
  return { bytes: (bytes) => Buffer.from(bytes.toString('utf8').replace(what, by)) };
}

function notUtf8(bytes: Buffer): Buffer {
  const [head = '', tail = ''] = bytes.toString('latin1').split('"Timestamp"');
  return Buffer.from(`${head}"Timestamp\xff"${tail}`, 'latin1');
}

function changingTarget(entry: JsonObject): RoleEdit {
  return changingSigned((signed) => signed.set('targets', new Map([[DAMAGED_TAG, entry]])));
}

function renamingDelegation(name: string): RoleEdit {
  return changingSigned((signed) => {
    const text = JSON.stringify(signed.get('delegations'), (_, value: unknown) =>
      value instanceof Map ? Object.fromEntries(value) : value,
    );
    const renamed: Json = JSON.parse(text.replaceAll('"targets/releases"', JSON.stringify(name)));
    signed.set('delegations', renamed);
  });
}

function republishing(role: string, repository: NotaryRepository): PublishedFiles {
  return repository.publish(new Map([[role, {}]]));
}

function without(files: PublishedFiles, name: RegExp): PublishedFiles {
  return new Map([...files].filter(([file]) => !name.test(file)));
}
