import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SHARED_GUN } from '../../src/base/shared-gun.ts';
import { targetAffixes } from '../../src/config/target-template.ts';
import { Collections } from '../../src/metadata/collections.ts';
import type { CollectionRules } from '../../src/metadata/rules.ts';
import { parseRepositoryName } from '../../src/oci/names.ts';
import { MemoryState } from '../../src/store/memory-state.ts';
import { tuf10 } from '../../src/trust/dialect/tuf-1.0.ts';
import { TrustError } from '../../src/trust/errors.ts';
import { namedConvention } from '../../src/trust/target-search.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { MemoryMetadataSource } from '../support/memory-metadata-source.ts';
import type { JsonObject } from '../support/notary-json.ts';
import type { PublishedFiles } from '../support/publication.ts';
import { rejectsWithCode } from '../support/reject-with-code.ts';
import { TufRepository, type TufRepositoryOptions } from '../support/tuf-repository.ts';

const TEMPLATE = [{ placeholder: 'repository' }, { text: ':' }, { placeholder: 'tag' }] as const;
/** File names without versions: the newest file takes the place of the one before. */
const MOVING_NAMES = { consistentSnapshot: false } as const;
const OLD = 'aa'.repeat(32);
const NEW = 'bb'.repeat(32);

/** How what is published differs from what was, beside a digest. */
interface News {
  /** The files that are no longer served. */
  readonly gone?: RegExp;
  readonly more?: boolean;
  readonly less?: boolean;
}

/** A repository with two teams, and a process that has looked at the first one's role only. */
class Site {
  readonly clock = new FakeClock();
  readonly source = new MemoryMetadataSource();
  readonly repository: TufRepository;
  readonly #collections: Collections;
  #files: PublishedFiles = new Map();

  constructor(options: TufRepositoryOptions) {
    this.repository = new TufRepository(options);
    for (const team of ['team-a', 'team-b']) {
      this.repository.addDelegation(team, { paths: [`${team}/*`] });
      for (const tag of ['0', '1']) {
        this.repository.sign(`${team}/app:${tag}`, { sha256: OLD, length: 1 }, team);
      }
    }
    this.source.serve(SHARED_GUN, this.#publish());
    this.#collections = new Collections({
      sources: new Map([
        ['vetted', { source: this.source, isShared: true, rulesFor: (gun) => this.#rules(gun) }],
      ]),
      store: new MemoryState(this.clock),
      clock: this.clock,
      events: { refreshed: () => undefined, firstUse: () => undefined, advanced: () => undefined },
      maxCollections: 10,
    });
  }

  /** Has team B sign something else, and serves that, without the files that match. */
  publishNews({ gone = /$^/, more = false, less = false }: News = {}): void {
    this.repository.sign('team-b/app:1', { sha256: NEW, length: 1 }, 'team-b');
    if (more) this.repository.sign('team-b/app:2', { sha256: NEW, length: 1 }, 'team-b');
    if (less) this.repository.removeTag('team-b/app:0', 'team-b');
    const files = [...this.#publish()].filter(([name]) => !gone.test(name));
    this.source.serve(SHARED_GUN, new Map(files));
  }

  /** Publishes a snapshot that does not list a file. */
  publishWithoutListing(name: string): void {
    const unlisted = (signed: JsonObject): JsonObject => {
      const listed = signed['meta'];
      assert.ok(listed instanceof Map);
      return { ...signed, meta: new Map([...listed].filter(([each]) => each !== name)) };
    };
    const edits = new Map([['snapshot', { signed: unlisted }]]);
    this.source.serve(SHARED_GUN, this.repository.publish(edits));
  }

  /** Serves other bytes for a file. */
  serveAltered(name: string): void {
    const altered = Buffer.from(String(this.#files.get(name)).replace(OLD, NEW));
    this.source.serve(SHARED_GUN, new Map([...this.#files, [name, altered]]));
  }

  #publish(): PublishedFiles {
    this.repository.now = new Date(this.clock.now());
    this.#files = this.repository.publish();
    return this.#files;
  }

  async digestOf(team: string): Promise<string> {
    const gun = `registry.example.com/${team}/app`;
    return (await this.#collections.open({ source: 'vetted', gun }).pin('1', [])).value.sha256;
  }

  asked(): readonly string[] {
    return this.source.asked.splice(0).map((line) => line.slice('* '.length));
  }

  #rules(gun: string): CollectionRules {
    return {
      dialect: tuf10,
      convention: namedConvention(targetAffixes(TEMPLATE, parseRepositoryName(gun))),
      anchor: { kind: 'root-file', bytes: this.repository.firstRoot },
      weak: { rsaPkcs1v15: false, p224: false },
      clockSkewMs: 0,
      maxAgeMs: 300_000,
      outageGraceMs: 0,
    };
  }
}

describe('a role that is first asked for after the publisher has moved on', () => {
  for (const [row, options, news] of [
    ['its file has been replaced', MOVING_NAMES, {}],
    ['its file has been replaced, known by version', { ...MOVING_NAMES, hashes: false }, {}],
    ['its file has become longer', MOVING_NAMES, { more: true }],
    ['its file has become shorter', MOVING_NAMES, { less: true }],
    ['its file is gone', {}, { gone: /^1\.team/ }],
  ] as const) {
    test(`${row}: what is published now is looked at, and counts`, async () => {
      const site = new Site(options);
      assert.equal(await site.digestOf('team-a'), OLD);
      site.publishNews(news);
      site.asked();
      assert.equal(await site.digestOf('team-b'), NEW);
      assert.equal(site.asked().filter((file) => file === 'timestamp.json').length, 1);
    });
  }

  test('its file is another one, but nothing new is published: refused, and not asked about again for a while', async () => {
    const site = new Site(MOVING_NAMES);
    await site.digestOf('team-a');
    site.serveAltered('team-b.json');
    site.asked();
    for (const asked of [['team-b.json', 'timestamp.json'], ['team-b.json']]) {
      await rejectsWithCode(site.digestOf('team-b'), TrustError, 'checksum_mismatch');
      assert.deepEqual(site.asked(), asked);
    }
    assert.equal(await site.digestOf('team-a'), OLD);
    site.clock.advance(5_000);
    site.publishNews();
    assert.equal(await site.digestOf('team-b'), NEW);
  });

  test('its file has been replaced and the trust server is gone: refused', async () => {
    const site = new Site(MOVING_NAMES);
    await site.digestOf('team-a');
    site.publishNews();
    site.source.inject(/^timestamp/, 'trust_server_unreachable');
    await rejectsWithCode(site.digestOf('team-b'), TrustError, 'checksum_mismatch');
    assert.equal(await site.digestOf('team-a'), OLD);
  });

  test('it is not listed at all: refused without a further request', async () => {
    const site = new Site(MOVING_NAMES);
    site.publishWithoutListing('team-b.json');
    await site.digestOf('team-a');
    site.asked();
    await rejectsWithCode(site.digestOf('team-b'), TrustError, 'metadata_missing');
    assert.deepEqual(site.asked(), []);
  });

  test('a team that has learned nothing new is not lost when others are looked at again', async () => {
    const site = new Site(MOVING_NAMES);
    await site.digestOf('team-a');
    site.publishNews();
    await site.digestOf('team-b');
    site.asked();
    assert.equal(await site.digestOf('team-a'), OLD);
    assert.deepEqual(site.asked(), []);
  });
});
