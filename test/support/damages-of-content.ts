import {
  changingSigned,
  DAMAGED_TAG,
  type Damage,
  editing,
  metaName,
  roleIn,
  typeName,
} from './damage.ts';
import { flipBit } from './http-faults.ts';
import type { Json, JsonObject } from './notary-json.ts';
import type { PublishedFiles, RoleEdit } from './publication.ts';
import type { SimulatedRepository } from './simulated-repository.ts';

type EditOf = (repository: SimulatedRepository) => RoleEdit;

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
    // There the first root is at hand.
    dialects: ['notary-v1'],
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
    inTuf: { earlierState: 'any', endless: /^2\.root\.json$/ },
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
    inTuf: { reason: 'malformed' },
    apply: editing('targets/releases', (repository) =>
      changingTarget(repository, 'sha256', Buffer.alloc(31, 7)),
    ),
  },
  {
    name: 'signed without a sha256',
    reason: 'target_unusable',
    earlierState: 'any',
    apply: editing('targets/releases', (repository) =>
      changingTarget(repository, 'sha512', Buffer.alloc(64, 7)),
    ),
  },
];

function damagesOfNamedRole(role: (typeof NAMED_ROLES)[number]): readonly Damage[] {
  const name = role.replace('targets/', '(?:targets/)?');
  const file = new RegExp(`^(?:\\d+\\.)?${name}\\.(?:[0-9a-f]{64}\\.)?json$`);
  // Where no hash binds the file, what is wrong with it shows only when it is read.
  const unbound = { alsoAcceptable: ['checksum_mismatch', 'malformed', 'bad_signature'] } as const;
  return [
    {
      name: `${role} does not have the hash under which it is named`,
      reason: 'checksum_mismatch',
      earlierState: 'any',
      inTuf: unbound,
      apply: editing(role, () => ({ served: (bytes) => flipBit(bytes, 12) })),
    },
    {
      name: `${role} truncated`,
      reason: 'length_mismatch',
      alsoAcceptable: ['checksum_mismatch'],
      earlierState: 'any',
      inTuf: unbound,
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
  const edits: readonly (readonly [string, RoleEdit | EditOf])[] = [
    ['with a member twice', replacing('"version":', '"version":1,"version":')],
    ['with a whole signed part twice', replacing('"signed":', '"signed":{},"signed":')],
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
    ['of another type', ofType('snapshot')],
    [
      'of its type in the case of the other dialect',
      ({ dialect }) =>
        changingSigned((signed) =>
          signed.set('_type', dialect === 'tuf-1.0' ? 'Timestamp' : 'timestamp'),
        ),
    ],
    ['with a date that is none', changingSigned((signed) => signed.set('expires', '2036-11-20'))],
    ['without a snapshot entry', changingSigned((signed) => signed.set('meta', {}))],
    ['without a sha256', (repository) => withSnapshotMeta(repository, withWeakHash)],
  ];
  const damage = ([what, edit]: readonly [string, RoleEdit | EditOf]): Damage => ({
    name: `timestamp ${what}`,
    reason: 'malformed',
    earlierState: 'any',
    apply: editing('timestamp', toFunction(edit)),
  });
  return [
    ...edits.map(damage),
    ...unusable.map((row): Damage => ({ ...damage(row), alsoAcceptable: ['trust_server_error'] })),
  ];
}

function malformedOthers(): readonly Damage[] {
  const edits: readonly (readonly [string, string, RoleEdit | EditOf])[] = [
    ['snapshot without a targets entry', 'snapshot', changingSigned((s) => s.set('meta', {}))],
    ['snapshot of type Targets', 'snapshot', ofType('targets')],
    ['targets that is a list', 'targets', changingSigned((s) => s.set('targets', []))],
    ['targets of type Timestamp', 'targets', ofType('timestamp')],
    ['root without roles', 'root', changingSigned((s) => s.set('roles', {}))],
    ['root of version 0', 'root', changingSigned((s) => s.set('version', 0))],
  ];
  const shared = { reason: 'malformed', earlierState: 'any' } as const;
  return [
    ...edits.map(
      ([name, role, edit]): Damage => ({ ...shared, name, apply: editing(role, toFunction(edit)) }),
    ),
    // In TUF 1.0 names of roles are free, but for those that every repository has.
    ...(
      [
        ['delegation with a hostile name', 'targets/../releases', 'notary-v1'],
        ['delegation of somebody else', 'targets/a/b', 'notary-v1'],
        ['delegation named as a role that every repository has', 'snapshot', 'tuf-1.0'],
        ['delegation without a name', '', 'tuf-1.0'],
      ] as const
    ).map(
      ([name, renamed, dialect]): Damage => ({
        ...shared,
        name,
        dialects: [dialect],
        apply: editing('targets', (repository) => renamingDelegation(repository, renamed)),
      }),
    ),
  ];
}

function lengthDamages(): readonly Damage[] {
  return [
    {
      name: 'timestamp that gives the snapshot more bytes than it has',
      reason: 'length_mismatch',
      earlierState: 'any',
      apply: editing('timestamp', (repository) =>
        withSnapshotMeta(repository, () => resized(repository, 10)),
      ),
    },
    {
      name: 'timestamp that gives the snapshot fewer bytes than it has',
      reason: 'length_exceeded',
      alsoAcceptable: ['length_mismatch'],
      earlierState: 'any',
      apply: editing('timestamp', (repository) =>
        withSnapshotMeta(repository, () => resized(repository, -10)),
      ),
    },
  ];
}

function toFunction(edit: RoleEdit | EditOf): EditOf {
  return typeof edit === 'function' ? edit : () => edit;
}

function ofType(role: 'targets' | 'snapshot' | 'timestamp'): EditOf {
  return (repository) =>
    changingSigned((signed) => signed.set('_type', typeName(repository, role)));
}

function resized(repository: SimulatedRepository, by: number): JsonObject {
  const bytes = repository.bytes('snapshot');
  const meta = repository.meta(bytes, repository.version('snapshot'));
  return { ...meta, length: bytes.length + by };
}

function withWeakHash(repository: SimulatedRepository): JsonObject {
  return { version: repository.version('snapshot'), hashes: { md5: 'AA==' }, length: 10 };
}

function withSnapshotMeta(
  repository: SimulatedRepository,
  meta: (repository: SimulatedRepository) => JsonObject,
): RoleEdit {
  const name = metaName(repository, 'snapshot');
  return changingSigned((signed) => signed.set('meta', { [name]: meta(repository) }));
}

function replacing(what: string | RegExp, by: string): RoleEdit {
  return { bytes: (bytes) => Buffer.from(bytes.toString('utf8').replace(what, by)) };
}

function notUtf8(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString('latin1').replace('"_type":"', '"_type":"\xff'), 'latin1');
}

function changingTarget(
  repository: SimulatedRepository,
  algorithm: 'sha256' | 'sha512',
  hash: Buffer,
): RoleEdit {
  const text = hash.toString(repository.dialect === 'tuf-1.0' ? 'hex' : 'base64');
  const entry = { hashes: { [algorithm]: text }, length: 523 };
  const name = repository.targetName(DAMAGED_TAG);
  return changingSigned((signed) => signed.set('targets', new Map([[name, entry]])));
}

function renamingDelegation({ releaseRole }: SimulatedRepository, name: string): RoleEdit {
  return changingSigned((signed) => {
    const text = JSON.stringify(signed.get('delegations'), (_, value: unknown) =>
      value instanceof Map ? Object.fromEntries(value) : value,
    );
    const renamed: Json = JSON.parse(
      text.replaceAll(JSON.stringify(releaseRole), JSON.stringify(name)),
    );
    signed.set('delegations', renamed);
  });
}

function republishing(role: string, repository: SimulatedRepository): PublishedFiles {
  return repository.publish(new Map([[roleIn(repository, role), {}]]));
}

function without(files: PublishedFiles, name: RegExp): PublishedFiles {
  return new Map([...files].filter(([file]) => !name.test(file)));
}
