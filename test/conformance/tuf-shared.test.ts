import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SHARED_GUN } from '../../src/base/shared-gun.ts';
import { targetAffixes } from '../../src/config/target-template.ts';
import { Collections } from '../../src/metadata/collections.ts';
import type { CollectionKey } from '../../src/metadata/ports.ts';
import type { CollectionRules } from '../../src/metadata/rules.ts';
import { parseRepositoryName } from '../../src/oci/names.ts';
import { MemoryState } from '../../src/store/memory-state.ts';
import { tuf10 } from '../../src/trust/dialect/tuf-1.0.ts';
import { TrustError } from '../../src/trust/errors.ts';
import { namedConvention } from '../../src/trust/target-search.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { MemoryMetadataSource } from '../support/memory-metadata-source.ts';
import { rejectsWithCode } from '../support/reject-with-code.ts';
import { TufRepository } from '../support/tuf-repository.ts';

const TEMPLATE = [
  { placeholder: 'registry' },
  { text: '/' },
  { placeholder: 'repository' },
  { text: ':' },
  { placeholder: 'tag' },
] as const;
const KEY = { source: 'vetted', gun: SHARED_GUN };

function contentOf(number: number): { readonly sha256: string; readonly length: number } {
  return { sha256: number.toString(16).padStart(64, '0'), length: number + 1 };
}

function nameOf(number: number): string {
  return `registry.example.com/team/app${number}`;
}

/** One TUF repository and one process that asks it about many image repositories. */
class Site {
  readonly clock = new FakeClock();
  readonly source = new MemoryMetadataSource();
  readonly store = new MemoryState(this.clock);
  readonly repository: TufRepository;
  readonly refreshed: CollectionKey[] = [];
  collections: Collections;
  readonly #rules: Partial<CollectionRules>;
  readonly #maxCollections: number;

  constructor(
    rules: Partial<CollectionRules> = {},
    maxCollections = 1000,
    repository = new TufRepository(),
  ) {
    this.repository = repository;
    this.#rules = rules;
    this.#maxCollections = maxCollections;
    this.repository.addDelegation('team', { paths: ['registry.example.com/team/*'] });
    for (let number = 0; number < 50; number += 1) {
      this.repository.sign(`${nameOf(number)}:1`, contentOf(number), 'team');
    }
    this.publish();
    this.collections = this.newProcess();
  }

  publish(): void {
    this.repository.now = new Date(this.clock.now());
    this.source.serve(SHARED_GUN, this.repository.publish());
  }

  newProcess(): Collections {
    return new Collections({
      sources: new Map([
        ['vetted', { source: this.source, isShared: true, rulesFor: (gun) => this.#rulesFor(gun) }],
      ]),
      store: this.store,
      clock: this.clock,
      events: {
        refreshed: (key) => this.refreshed.push(key),
        firstUse: () => assert.fail('there is no first use'),
        advanced: () => undefined,
      },
      maxCollections: this.#maxCollections,
    });
  }

  async digestOf(number: number, tag = '1'): Promise<string> {
    const collection = this.collections.open({ source: 'vetted', gun: nameOf(number) });
    return (await collection.pin(tag, [])).value.sha256;
  }

  asked(): readonly string[] {
    return this.source.asked.splice(0);
  }

  #rulesFor(gun: string): CollectionRules {
    return {
      dialect: tuf10,
      convention: namedConvention(targetAffixes(TEMPLATE, parseRepositoryName(gun))),
      anchor: { kind: 'root-file', bytes: this.repository.firstRoot },
      weak: { rsaPkcs1v15: false, p224: false },
      clockSkewMs: 0,
      maxAgeMs: 60_000,
      outageGraceMs: 0,
      ...this.#rules,
    };
  }
}

const NUMBERS = Array.from({ length: 50 }, (_, index) => index);
const ALL_ONCE = [
  '2.root.json',
  'timestamp.json',
  '1.snapshot.json',
  '1.targets.json',
  '1.team.json',
];

describe('one TUF repository for many image repositories', () => {
  test('is fetched once, one after the other', async () => {
    const site = new Site();
    for (const number of NUMBERS)
      assert.equal(await site.digestOf(number), contentOf(number).sha256);
    assert.deepEqual(
      site.asked(),
      ALL_ONCE.map((file) => `* ${file}`),
    );
    assert.deepEqual(await site.store.list(), [KEY]);
    assert.deepEqual(site.refreshed, [KEY]);
  });

  test('is fetched once, all at the same time', async () => {
    const site = new Site();
    const digests = await Promise.all(NUMBERS.map((number) => site.digestOf(number)));
    assert.deepEqual(
      digests,
      NUMBERS.map((number) => contentOf(number).sha256),
    );
    assert.deepEqual(
      site.asked(),
      ALL_ONCE.map((file) => `* ${file}`),
    );
    assert.deepEqual(
      new Set((await site.store.load(KEY))?.record.targets.keys()),
      new Set(['targets', 'team']),
    );
  });

  test('costs one request per maxAge for all of them', async () => {
    const site = new Site();
    await Promise.all(NUMBERS.map((number) => site.digestOf(number)));
    site.asked();
    site.clock.advance(60_000);
    await Promise.all(NUMBERS.map((number) => site.digestOf(number)));
    assert.deepEqual(site.asked(), ['* timestamp.json']);
  });

  test('is kept fresh in the background by one request', async () => {
    const site = new Site();
    await Promise.all(NUMBERS.map((number) => site.digestOf(number)));
    site.asked();
    site.collections.start();
    site.clock.advance(49_000);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(site.asked(), ['* timestamp.json']);
    site.clock.advance(11_500);
    const hot = site.collections.open({ source: 'vetted', gun: nameOf(7) });
    assert.equal(hot.pinNow('1', [])?.sha256, contentOf(7).sha256);
    site.collections.stop();
  });

  test('gives each repository pins of its own', async () => {
    const site = new Site();
    const [first, second] = [0, 1].map((number) =>
      site.collections.open({ source: 'vetted', gun: nameOf(number) }),
    );
    assert.ok(first !== undefined && second !== undefined);
    await first.pin('1', []);
    assert.equal(first.pinNow('1', [])?.sha256, contentOf(0).sha256);
    assert.equal(second.pinNow('1', []), undefined);
    assert.equal(second.lastPin('1', []), undefined);
    assert.deepEqual((await second.tags([])).value, ['1']);
    assert.deepEqual(await second.tagsOf(contentOf(1).sha256, []), ['1']);
    assert.deepEqual(await second.tagsOf(contentOf(0).sha256, []), []);
    assert.notEqual(first, second);
    assert.deepEqual([first.key.gun, first.metadata.key.gun], [nameOf(0), SHARED_GUN]);
    assert.equal(first.metadata, second.metadata);
  });

  test('a revoked image is refused, the others go on', async () => {
    const site = new Site({ maxAgeMs: 0 });
    await site.digestOf(3);
    site.repository.removeTag(`${nameOf(3)}:1`, 'team');
    site.publish();
    await rejectsWithCode(site.digestOf(3), TrustError, 'tag_not_signed');
    assert.equal(await site.digestOf(4), contentOf(4).sha256);
  });

  test('what is proved bad is bad for all of them', async () => {
    const site = new Site({ maxAgeMs: 0 });
    const old = site.repository.publish();
    site.repository.sign(`${nameOf(0)}:2`, contentOf(99), 'team');
    site.publish();
    await site.digestOf(0, '2');
    site.source.serve(SHARED_GUN, old);
    for (const number of [0, 1, 2])
      await rejectsWithCode(site.digestOf(number), TrustError, 'rollback');
  });

  test('what was seen for one repository holds for another after a restart', async () => {
    const site = new Site({ maxAgeMs: 0 });
    const old = site.repository.publish();
    site.publish();
    await site.digestOf(0);
    site.collections = site.newProcess();
    site.source.serve(SHARED_GUN, old);
    await rejectsWithCode(site.digestOf(1), TrustError, 'rollback');
  });

  test('collections that are forgotten for want of room keep what they share', async () => {
    const site = new Site({}, 1);
    for (const number of [0, 1, 0, 1]) await site.digestOf(number);
    assert.equal(site.collections.list().length, 1);
    assert.equal(site.asked().length, ALL_ONCE.length);
  });

  test('may have 10 MiB in a file whose length nobody has signed, and no more', async () => {
    for (const [bytes, isTaken] of [
      [10 * 1024 * 1024, true],
      [10 * 1024 * 1024 + 1, false],
    ] as const) {
      const site = new Site({}, 10, new TufRepository({ hashes: false }));
      const files = site.repository.publish();
      const name = `${site.repository.version('targets')}.targets.json`;
      const padded = Buffer.alloc(bytes, ' ');
      site.repository.bytes('targets').copy(padded);
      site.source.serve(SHARED_GUN, new Map([...files, [name, padded]]));
      if (isTaken) assert.equal(await site.digestOf(0), contentOf(0).sha256);
      else await rejectsWithCode(site.digestOf(0), TrustError, 'length_exceeded');
    }
  });
});
