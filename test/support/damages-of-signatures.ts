import type { ReasonCode } from '../../src/base/reason-code.ts';
import { changingSigned, type Damage, editing } from './damage.ts';
import { flipBit } from './http-faults.ts';
import type { Json } from './notary-json.ts';
import { makeRoleKey, type NotarySignature } from './notary-keys.ts';
import { NotaryRepository } from './notary-repository.ts';

const ROLES = ['root', 'timestamp', 'snapshot', 'targets', 'targets/releases'] as const;
const EXPIRED = {
  root: 'root_expired',
  timestamp: 'timestamp_expired',
  snapshot: 'snapshot_expired',
  targets: 'targets_expired',
  'targets/releases': 'targets_expired',
} as const;

/** Wrong keys, wrong signatures, and signatures that have run out. */
export const SIGNATURE_DAMAGES: readonly Damage[] = [
  ...ROLES.flatMap(damagesOfRole),
  {
    name: 'every key replaced by another publisher (wrong root key)',
    reason: 'pin_mismatch',
    // With the earlier root in hand the stranger's timestamp is simply not signed by the timestamp key.
    alsoAcceptable: ['threshold_not_met'],
    earlierState: 'any',
    apply: ({ gun, now }) => strangersRepository({ gun, now }).publish(),
  },
  {
    name: 'root certificate of another collection',
    reason: 'root_cert_invalid',
    alsoAcceptable: ['pin_mismatch'],
    earlierState: 'none',
    apply: ({ gun, now }) =>
      strangersRepository({ gun, now, rootCommonName: `${gun}/other` }).publish(),
  },
  {
    name: 'root rotation not signed by the old root key',
    reason: 'root_rotation_invalid',
    alsoAcceptable: ['pin_mismatch'],
    earlierState: 'any',
    apply(repository) {
      repository.rotateRoot();
      return repository.publish(new Map([['root', { signers: repository.keys('root') }]]));
    },
  },
  {
    name: 'root rotation not signed by the new root key',
    reason: 'threshold_not_met',
    alsoAcceptable: ['root_rotation_invalid', 'pin_mismatch'],
    earlierState: 'any',
    apply(repository) {
      const signers = repository.keys('root');
      repository.rotateRoot();
      return repository.publish(new Map([['root', { signers }]]));
    },
  },
  {
    name: 'a key under an id that is not its own',
    reason: 'malformed',
    earlierState: 'any',
    apply: publishWithFalseKeyId,
  },
  {
    name: 'signature labelled with a method that does not fit the key',
    reason: 'bad_signature',
    earlierState: 'any',
    apply: editing('timestamp', () => ({
      signatures: (all) => all.map((each) => ({ ...each, method: 'rsapss' })),
    })),
  },
  {
    name: 'signature in base64 without padding',
    reason: 'malformed',
    earlierState: 'any',
    apply: editing('timestamp', () => ({
      signatures: (all) => all.map((each) => ({ ...each, sig: each.sig.replace(/=+$/, '') })),
    })),
  },
];

function damagesOfRole(role: (typeof ROLES)[number]): readonly Damage[] {
  // A root that its predecessor's keys did not sign is also a failed rotation.
  const alsoAcceptable: readonly ReasonCode[] = role === 'root' ? ['root_rotation_invalid'] : [];
  const shared = { alsoAcceptable, earlierState: 'any' } as const;
  return [
    {
      ...shared,
      name: `${role} expired`,
      reason: EXPIRED[role],
      apply: editing(role, ({ now }) => {
        const expires = new Date(now.getTime() - 3_600_000).toISOString();
        return changingSigned((signed) => signed.set('expires', expires));
      }),
    },
    {
      ...shared,
      name: `${role} signature with one bit flipped`,
      reason: 'bad_signature',
      apply: editing(role, () => ({ signatures: (all) => all.map(flipSignature) })),
    },
    {
      ...shared,
      name: `${role} signed by an unknown key`,
      reason: 'threshold_not_met',
      apply: editing(role, () => ({ signers: [makeRoleKey('ecdsa')] })),
    },
    {
      ...shared,
      name: `${role} without signatures`,
      reason: 'threshold_not_met',
      apply: editing(role, () => ({ signatures: () => [] })),
    },
    {
      ...shared,
      name: `${role} changed after signing`,
      reason: 'bad_signature',
      apply: editing(role, () => ({
        bytes: (bytes) => Buffer.from(bytes.toString().replace('"_type":', '"added":1,"_type":')),
      })),
    },
  ];
}

function flipSignature(signature: NotarySignature): NotarySignature {
  const sig = flipBit(Buffer.from(signature.sig, 'base64'), 7).toString('base64');
  return { ...signature, sig };
}

function strangersRepository(
  options: ConstructorParameters<typeof NotaryRepository>[0],
): NotaryRepository {
  const stranger = new NotaryRepository(options);
  stranger.sign('1.0', { sha256: 'e5'.repeat(32), length: 523 });
  return stranger;
}

function publishWithFalseKeyId(repository: NotaryRepository): ReturnType<Damage['apply']> {
  const [key] = repository.keys('targets');
  if (key === undefined) throw new Error('targets has no key');
  const falseId = 'f0'.repeat(32);
  const root = changingSigned((signed) => {
    const keys = signed.get('keys');
    const roles = signed.get('roles');
    if (!(keys instanceof Map && roles instanceof Map)) throw new Error('root is not a root');
    const renamed = [...keys].map(([id, object]: [string, Json]): [string, Json] => [
      id === key.keyId ? falseId : id,
      object,
    ]);
    signed.set('keys', new Map(renamed));
    signed.set('roles', new Map([...roles, ['targets', { keyids: [falseId], threshold: 1 }]]));
  });
  const targets = {
    signatures: (all: readonly NotarySignature[]) =>
      all.map((signature) => ({ ...signature, keyid: falseId })),
  };
  return repository.publish(new Map([['root', root] as const, ['targets', targets] as const]));
}
