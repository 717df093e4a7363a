import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TRUST_REASONS, type TrustReason } from '../../src/base/reason-code.ts';
import type { RootAnchor } from '../../src/trust/anchor.ts';
import { tuf10 } from '../../src/trust/dialect/tuf-1.0.ts';
import { TrustError } from '../../src/trust/errors.ts';
import { namedConvention } from '../../src/trust/target-search.ts';
import {
  DAMAGED_TAG,
  type Damage,
  PLAIN_TAG,
  SIGNED_CONTENT,
  undamagedRepository,
  undamagedTufRepository,
} from '../support/damage.ts';
import { DAMAGES, OUTAGES, TUF_DAMAGES } from '../support/damages.ts';
import type { PublishedFiles } from '../support/publication.ts';
import { rejectsWithCode } from '../support/reject-with-code.ts';
import type { SimulatedRepository } from '../support/simulated-repository.ts';
import { TrustBench } from '../support/trust-bench.ts';
import type { TufRepositoryOptions } from '../support/tuf-repository.ts';

interface Setting {
  readonly bench: TrustBench;
  readonly repository: SimulatedRepository;
  readonly served: PublishedFiles;
}

interface Encoding {
  readonly name: string;
  readonly damages: readonly Damage[];
  readonly newSetting: () => Setting;
  /** Whether it is worth the time to go through all of them again with restarts between. */
  readonly withRestarts: boolean;
}

const ENCODINGS: readonly Encoding[] = [
  { name: 'Notary v1', damages: DAMAGES, newSetting: newNotarySetting, withRestarts: true },
  {
    name: 'TUF 1.0',
    damages: TUF_DAMAGES,
    newSetting: () => newTufSetting({}),
    withRestarts: true,
  },
  {
    name: 'TUF 1.0, bound by versions alone',
    damages: TUF_DAMAGES.filter(({ needsHashes }) => needsHashes !== true),
    newSetting: () => newTufSetting({ hashes: false, consistentSnapshot: false }),
    withRestarts: false,
  },
];

function newTufSetting(options: TufRepositoryOptions): Setting {
  const { repository, served } = undamagedTufRepository(options);
  const rules = { dialect: tuf10, convention: namedConvention({ prefix: 'app:', suffix: '' }) };
  const anchor: RootAnchor = { kind: 'root-file', bytes: repository.firstRoot };
  const bench = new TrustBench({ gun: 'app', anchor, rules });
  bench.serve(served);
  return { bench, repository, served };
}

function newNotarySetting(): Setting {
  const { repository, served } = undamagedRepository();
  const anchor: RootAnchor = {
    kind: 'keys',
    certificateKeyIds: new Set(repository.rootKeyIds),
    publicKeyIds: new Set(),
  };
  const bench = new TrustBench({ gun: repository.gun, anchor });
  bench.serve(served);
  return { bench, repository, served };
}

async function requireServed({ bench }: Setting): Promise<void> {
  for (const tag of [DAMAGED_TAG, PLAIN_TAG]) {
    const { value, staleSeconds } = await bench.collection.pin(tag, []);
    assert.equal(value.sha256, SIGNED_CONTENT.sha256);
    assert.equal(value.length, SIGNED_CONTENT.length);
    assert.ok(value.freshUntil > bench.clock.now());
    assert.equal(staleSeconds, undefined);
  }
}

/** The version of every role on record; whatever is on record is at least well-formed. */
async function floors({ bench }: Setting): Promise<ReadonlyMap<string, number>> {
  const stored = await bench.store.load({ source: 'test', gun: bench.gun });
  if (stored === undefined) return new Map();
  const { root, timestamp, snapshot, targets } = stored.record;
  const files: readonly (readonly [string, Uint8Array | undefined])[] = [
    ['root', root],
    ['timestamp', timestamp],
    ['snapshot', snapshot],
    ...targets,
  ];
  return new Map(
    files.flatMap(([role, bytes]) => (bytes === undefined ? [] : [[role, versionOf(bytes)]])),
  );
}

function versionOf(bytes: Uint8Array): number {
  const file: { signed: { version: number } } = JSON.parse(Buffer.from(bytes).toString());
  return file.signed.version;
}

function reasonsOf({ reason, alsoAcceptable = [] }: Damage): readonly TrustReason[] {
  return TRUST_REASONS.filter((each) => each === reason || alsoAcceptable.includes(each));
}

function damage(setting: Setting, { apply, endless }: Damage): PublishedFiles {
  const damaged = apply(setting.repository);
  setting.bench.serve(damaged);
  if (endless !== undefined) setting.bench.source.inject(endless, 'endless');
  return damaged;
}

async function requireRefused({ bench }: Setting, row: Damage): Promise<void> {
  const error = await rejectsWithOneOf(bench.collection.pin(DAMAGED_TAG, []), reasonsOf(row));
  assert.ok(error.message.length > 0);
  assert.equal(bench.collection.pinNow(DAMAGED_TAG, []), undefined, 'no pin without asking');
  const tags = await bench.collection.tags([]).then(
    ({ value }) => value,
    (error: unknown): readonly string[] => {
      assert.ok(error instanceof TrustError);
      return [];
    },
  );
  assert.equal(tags.includes(DAMAGED_TAG), false, 'not listed');
  const ofDigest = await bench.collection
    .tagsOf(SIGNED_CONTENT.sha256, [])
    .catch((): readonly string[] => []);
  assert.equal(ofDigest.includes(DAMAGED_TAG), false, 'not found by its digest');
}

async function rejectsWithOneOf(
  promise: Promise<unknown>,
  codes: readonly TrustReason[],
): Promise<TrustError> {
  const code = await promise.then(
    () => undefined,
    (error: unknown) => (error instanceof TrustError ? error.code : undefined),
  );
  const expected = codes.find((each) => each === code) ?? codes[0];
  assert.ok(expected !== undefined);
  return await rejectsWithCode(promise, TrustError, expected);
}

/** Puts things right as the publisher and the server would: a bad root is withdrawn, all else is published anew. */
function repair({ bench, repository, served }: Setting, damaged: PublishedFiles): void {
  bench.source.clearFaults();
  const isRootTaken = (bench.collection.state?.root.body.version ?? 1) > 1;
  if (damaged.has('2.root.json') && !isRootTaken) {
    bench.serve(served);
    return;
  }
  if (isRootTaken) {
    // What was properly signed stays in force until the next root.
    repository.rotateKey('timestamp');
    repository.rotateKey('targets');
  }
  const { releaseRole } = repository;
  repository.sign(DAMAGED_TAG, SIGNED_CONTENT, releaseRole);
  const roles = ['targets', releaseRole, 'snapshot', 'timestamp'];
  bench.serve(repository.publish(new Map(roles.map((role) => [role, {}]))));
}

async function requireNoFloorLowered(
  setting: Setting,
  before: ReadonlyMap<string, number>,
): Promise<void> {
  const after = await floors(setting);
  for (const [role, version] of before) {
    assert.ok((after.get(role) ?? 0) >= version, `${role} went back from ${version}`);
  }
}

for (const encoding of ENCODINGS) {
  for (const [name, restartsBefore, restartsAfter] of [
    ['without a restart', false, false],
    ['with a restart before', true, false],
    ['with a restart after', false, true],
    ['with a restart before and after', true, true],
  ] as const) {
    if ((restartsBefore || restartsAfter) && !encoding.withRestarts) continue;
    describe(`${encoding.name}: damages to a collection seen before, ${name}`, () => {
      for (const row of encoding.damages.filter(({ earlierState }) => earlierState !== 'none')) {
        it(`${row.name}: ${row.reason}`, async () => {
          const setting = encoding.newSetting();
          await requireServed(setting);
          const before = await floors(setting);
          if (restartsBefore) setting.bench.restart();
          const damaged = damage(setting, row);
          await requireRefused(setting, row);
          await requireNoFloorLowered(setting, before);
          if (restartsAfter) {
            setting.bench.restart();
            await requireRefused(setting, row);
            await requireNoFloorLowered(setting, before);
          }
          repair(setting, damaged);
          await requireServed(setting);
          await requireNoFloorLowered(setting, before);
          setting.bench.restart();
          await requireServed(setting);
        });
      }
    });
  }

  for (const [name, restarts] of [
    ['without a restart', false],
    ['with a restart', true],
  ] as const) {
    if (restarts && !encoding.withRestarts) continue;
    describe(`${encoding.name}: damages to a collection never seen, ${name}`, () => {
      for (const row of encoding.damages.filter(({ earlierState }) => earlierState !== 'needed')) {
        it(`${row.name}: ${row.reason}`, async () => {
          const setting = encoding.newSetting();
          const damaged = damage(setting, row);
          await requireRefused(setting, row);
          assert.equal(setting.bench.collection.lastPin(DAMAGED_TAG, []), undefined);
          const before = await floors(setting);
          if (restarts) {
            setting.bench.restart();
            await requireRefused(setting, row);
          }
          repair(setting, damaged);
          await requireServed(setting);
          await requireNoFloorLowered(setting, before);
        });
      }
    });
  }
}

describe('damages, counted', () => {
  it('are refused as proved bad, never as an outage', () => {
    for (const row of [...DAMAGES, ...TUF_DAMAGES]) assert.ok(reasonsOf(row).length > 0, row.name);
    for (const { name, damages } of ENCODINGS) assert.ok(damages.length > 80, name);
    assert.ok(OUTAGES.every(({ reason }) => reason.startsWith('trust_server_')));
  });
});
