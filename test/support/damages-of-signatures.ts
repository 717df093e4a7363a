import type { ReasonCode } from '../../src/base/reason-code.ts';
import { asNotary, asTuf, changingSigned, type Damage, editing } from './damage.ts';
import { flipBit } from './http-faults.ts';
import type { Json } from './notary-json.ts';
import type { WireSignature } from './notary-keys.ts';
import { NotaryRepository } from './notary-repository.ts';
import type { PublishedFiles } from './publication.ts';
import type { SimulatedRepository } from './simulated-repository.ts';
import { renamedKey, type TufKey } from './tuf-keys.ts';

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
    // There the first root is at hand, and no other is asked for: the rest is not signed by its keys.
    inTuf: { reason: 'threshold_not_met' },
    apply: (repository) => strangersFiles(repository.stranger()),
  },
  {
    name: 'root certificate of another collection',
    reason: 'root_cert_invalid',
    alsoAcceptable: ['pin_mismatch'],
    earlierState: 'none',
    dialects: ['notary-v1'],
    apply(repository) {
      const { gun, now } = asNotary(repository);
      return strangersFiles(new NotaryRepository({ gun, now, rootCommonName: `${gun}/other` }));
    },
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
    // Key IDs are names there; what counts is the key.
    dialects: ['notary-v1'],
    apply: (repository) => publishWithFalseKeyId(asNotary(repository)),
  },
  {
    name: 'signature labelled with a method that does not fit the key',
    reason: 'bad_signature',
    earlierState: 'any',
    dialects: ['notary-v1'],
    apply: editing('timestamp', () => ({
      signatures: (all) => all.map((each) => ({ ...each, method: 'rsapss' })),
    })),
  },
  {
    name: 'signature in base64 without padding',
    reason: 'malformed',
    earlierState: 'any',
    dialects: ['notary-v1'],
    apply: editing('timestamp', () => ({
      signatures: (all) => all.map((each) => ({ ...each, sig: each.sig.replace(/=+$/, '') })),
    })),
  },
  ...tufDamages(),
];

function tufDamages(): readonly Damage[] {
  const shared = { earlierState: 'any', dialects: ['tuf-1.0'] } as const;
  return [
    {
      ...shared,
      name: 'one key under two names counted twice',
      reason: 'threshold_not_met',
      apply: (repository) =>
        withKeys(repository, 'targets', ([key]) => [key, renamedKey(key, { keyId: 'again' })]),
    },
    {
      ...shared,
      name: 'two signatures of one key ID',
      reason: 'malformed',
      apply: editing('timestamp', () => ({ signatures: (all) => [...all, ...all] })),
    },
    {
      ...shared,
      name: 'signature that is no hex',
      reason: 'bad_signature',
      apply: editing('timestamp', () => ({
        signatures: (all) => all.map((each) => ({ ...each, sig: `${each.sig.slice(2)}zz` })),
      })),
    },
    {
      ...shared,
      name: 'key under a scheme that is not for it',
      reason: 'bad_signature',
      apply: (repository) =>
        withKeys(repository, 'timestamp', ([key]) => [
          renamedKey(key, { members: { scheme: 'ecdsa-sha2-nistp256' } }),
        ]),
    },
    {
      ...shared,
      name: 'key under a scheme that nobody knows',
      reason: 'bad_signature',
      apply: (repository) =>
        withKeys(repository, 'timestamp', ([key]) => [
          renamedKey(key, { members: { scheme: 'none' } }),
        ]),
    },
    {
      ...shared,
      name: 'timestamp of another major version of the specification',
      reason: 'malformed',
      apply: editing('timestamp', () =>
        changingSigned((signed) => signed.set('spec_version', '2.0.0')),
      ),
    },
  ];
}

function withKeys(
  repository: SimulatedRepository,
  role: 'targets' | 'timestamp',
  change: (keys: readonly [TufKey]) => readonly TufKey[],
): PublishedFiles {
  const tuf = asTuf(repository);
  const [key] = tuf.keys(role);
  if (key === undefined) throw new Error(`${role} has no key`);
  tuf.setKeys(role, change([key]));
  return tuf.publish();
}

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
      apply: editing(role, ({ dialect }) => ({
        signatures: (all) => all.map((each) => flipSignature(each, dialect)),
      })),
    },
    {
      ...shared,
      name: `${role} signed by an unknown key`,
      reason: 'threshold_not_met',
      apply: editing(role, (repository) => ({ signers: [repository.strangersKey()] })),
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

function flipSignature(
  signature: WireSignature,
  dialect: SimulatedRepository['dialect'],
): WireSignature {
  const encoding = dialect === 'tuf-1.0' ? 'hex' : 'base64';
  const sig = flipBit(Buffer.from(signature.sig, encoding), 7).toString(encoding);
  return { ...signature, sig };
}

function strangersFiles(stranger: SimulatedRepository): PublishedFiles {
  stranger.sign('1.0', { sha256: 'e5'.repeat(32), length: 523 });
  return stranger.publish();
}

function publishWithFalseKeyId(repository: NotaryRepository): PublishedFiles {
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
    signatures: (all: readonly WireSignature[]) =>
      all.map((signature) => ({ ...signature, keyid: falseId })),
  };
  return repository.publish(new Map([['root', root] as const, ['targets', targets] as const]));
}
