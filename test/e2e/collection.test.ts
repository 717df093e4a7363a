import assert from 'node:assert/strict';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DockerEngine } from './support/docker-engine.ts';
import { type Image, makeImage, publish } from './support/image.ts';
import { Pinnace, sentenceOf } from './support/pinnace.ts';
import { Place } from './support/place.ts';
import { Registry } from './support/registry.ts';
import type { Scratch } from './support/scratch.ts';
import { LabSuite } from './support/suite.ts';
import { eventually } from './support/wait.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const ROLES = ['root', 'targets', 'snapshot', 'timestamp'] as const;
const MAX_AGE_MS = 1_000;
/** How long the timestamps of the collection that nobody renews, and of the one that Pinnace does, are good for. */
const BRIEF_LIFETIME_MS = 20_000;

/** A site's own collection, kept with `pinnace collection` alone; clients read it in a folder. */
class Collection {
  readonly published: string;
  /** The folder that the commands work on. */
  readonly dir: string;
  readonly #place: Place;
  readonly #passphrase: string;

  private constructor(place: Place, folder: string) {
    this.#place = place;
    this.dir = join(folder, 'collection');
    this.published = join(folder, 'published');
    this.#passphrase = join(folder, 'passphrase');
  }

  /** Makes one with keys of its own and publishes it. */
  static async create(
    scratch: Scratch,
    place: Place,
    { name, options = [] }: { readonly name: string; readonly options?: readonly string[] },
  ): Promise<Collection> {
    const collection = new Collection(place, scratch.folder(name));
    await writeFile(collection.#passphrase, 'a lab passphrase\n');
    await collection.sign('init', ...options);
    await collection.publish();
    return collection;
  }

  /** The file by which clients begin to trust it. */
  get rootFile(): string {
    return join(this.dir, 'metadata/1.root.json');
  }

  /** Runs a command that has to succeed and may need a passphrase. */
  async sign(name: string, ...args: readonly string[]): Promise<string> {
    const agreed = name === 'init' ? [] : ['--yes'];
    return await this.#ok(name, '--passphrase-file', this.#passphrase, ...agreed, ...args);
  }

  /** Puts the current state where clients read it. */
  async publish(place = this.published): Promise<string> {
    return await this.#ok('publish', place);
  }

  /** Signs a new timestamp with the online keys and publishes it. */
  async renew(): Promise<string> {
    return await this.#ok('renew', '--publish', this.published);
  }

  /** Gives a role new keys and destroys the old ones. */
  async rotate(role: string): Promise<void> {
    const old = await this.#keyFiles(role);
    await this.sign('rotate-key', role);
    assert.ok((await this.#keyFiles(role)).length > old.length, `new keys of ${role}`);
    for (const file of old) await rm(file);
  }

  async #keyFiles(role: string): Promise<readonly string[]> {
    const folder = join(this.dir, 'keys');
    const names = (await readdir(folder)).filter((name) => name.startsWith(`${role}-`));
    return names.map((name) => join(folder, name));
  }

  async #ok(name: string, ...args: readonly string[]): Promise<string> {
    const command = [process.execPath, MAIN, 'collection', name, '--dir', this.dir, ...args];
    return await this.#place.runOk(command);
  }
}

/**
 * A registry, an engine, and three collections: one that is looked after by hand, one whose short-lived timestamps nobody
 * renews, and one like it that Pinnace keeps current.
 */
interface World {
  readonly scratch: Scratch;
  readonly registry: Registry;
  readonly engine: DockerEngine;
  readonly vetted: Collection;
  readonly brief: Collection;
  readonly kept: Collection;
  /** Where `vetted` is published as an artifact. */
  readonly artifact: string;
  readonly pinnace: Pinnace;
}

const suite = new LabSuite<World>(
  'collection',
  ['docker', 'dockerd', 'registry', 'skopeo', 'curl', 'busybox'],
  async (scratch) => {
    const place = new Place();
    const options = ['--timestamp-lifetime', `${BRIEF_LIFETIME_MS}ms`];
    const [registry, engine, vetted, brief, kept] = await Promise.all([
      Registry.start(scratch, place),
      DockerEngine.start(scratch, place),
      Collection.create(scratch, place, { name: 'vetted' }),
      Collection.create(scratch, place, { name: 'brief', options }),
      Collection.create(scratch, place, { name: 'kept', options }),
    ]);
    const artifact = `oci://${registry.host}/trust/vetted:current`;
    const source = (collection: Collection, url: string): Record<string, unknown> => ({
      kind: 'tuf',
      url,
      root: collection.rootFile,
      maxAge: `${MAX_AGE_MS}ms`,
    });
    const pinnace = await Pinnace.start(scratch, place, {
      listeners: { registry: { defaultRegistry: registry.host } },
      upstreams: { [registry.host]: { url: registry.url } },
      trust: {
        vetted: source(vetted, `file://${vetted.published}`),
        artifact: source(vetted, artifact),
        brief: source(brief, `file://${brief.published}`),
        kept: source(kept, `file://${kept.published}`),
      },
      collections: {
        kept: { dir: kept.dir, publish: [{ url: `file://${kept.published}` }] },
      },
      policy: [
        { match: `${registry.host}/team/**`, trust: 'vetted' },
        { match: `${registry.host}/stored/**`, trust: 'artifact' },
        { match: `${registry.host}/brief/**`, trust: 'brief' },
        { match: `${registry.host}/kept/**`, trust: 'kept' },
      ],
    });
    return { scratch, registry, engine, vetted, brief, kept, artifact, pinnace };
  },
);

suite.test(
  'an approved image is pulled by Docker and runs, also after its tag was moved at the registry',
  [],
  async (world, told) => {
    const image = await pushed(world, 'team/app:1.0');
    const said = await approved(world, world.vetted, 'team/app:1.0');
    assert.ok(said.includes(image.digest), said);
    assert.equal(await world.pinnace.verdict('team/app', '1.0'), 'tag_not_signed', 'not published');
    await world.vetted.publish();
    await world.pinnace.becomes('team/app', '1.0', image.digest);
    assert.notEqual((await pushed(world, 'team/app:1.0')).digest, image.digest);
    told.diagnostic(`docker run printed: ${await pulledAndRun(world, 'team/app:1.0', image)}`);
  },
);

suite.test(
  'a tag that nobody approved is refused, and Docker prints the sentence',
  [],
  async (world, told) => {
    await pushed(world, 'team/app:unseen');
    told.diagnostic(`docker printed: ${await refused(world, 'team/app:unseen', 'tag_not_signed')}`);
  },
);

suite.test(
  'the same collection as an artifact in the registry: approved is pulled, not approved is refused',
  [],
  async (world) => {
    const image = await pushed(world, 'stored/app:1.0');
    await pushed(world, 'stored/app:unseen');
    await approved(world, world.vetted, 'stored/app:1.0');
    const said = await world.vetted.publish(world.artifact);
    assert.match(said, /^Published .*timestamp\.json/);
    assert.match(await world.vetted.publish(world.artifact), /is up to date/);
    await world.pinnace.becomes('stored/app', '1.0', image.digest);
    await pulledAndRun(world, 'stored/app:1.0', image);
    await refused(world, 'stored/app:unseen', 'tag_not_signed');
  },
);

suite.test(
  'an approval that is taken back is refused within maxAge of being published',
  [],
  async (world, told) => {
    const image = await pushed(world, 'team/revoked:1.0');
    await approved(world, world.vetted, 'team/revoked:1.0');
    await world.vetted.publish();
    await world.pinnace.becomes('team/revoked', '1.0', image.digest);
    await pulledAndRun(world, 'team/revoked:1.0', image);
    await world.engine.forgetImages();
    await world.vetted.sign('revoke', `${world.registry.host}/team/revoked:1.0`);
    assert.equal(await world.pinnace.verdict('team/revoked', '1.0'), image.digest, 'not published');
    await world.vetted.publish();
    const publishedAt = performance.now();
    await world.pinnace.becomes('team/revoked', '1.0', 'tag_not_signed');
    const tookMs = performance.now() - publishedAt;
    told.diagnostic(`refused after ${Math.round(tookMs)} ms with maxAge ${MAX_AGE_MS} ms`);
    assert.ok(tookMs < MAX_AGE_MS + 3_000);
    await refused(world, 'team/revoked:1.0', 'tag_not_signed');
  },
);

suite.test(
  'every role gets other keys, the old ones are destroyed, and pulls go on',
  [],
  async (world) => {
    const before = await pushed(world, 'team/before:1.0');
    await approved(world, world.vetted, 'team/before:1.0');
    await world.vetted.publish();
    await world.pinnace.becomes('team/before', '1.0', before.digest);
    for (const role of ROLES) {
      await world.vetted.rotate(role);
      await world.vetted.publish();
      const after = await pushed(world, `team/after:${role}`);
      await approved(world, world.vetted, `team/after:${role}`);
      await world.vetted.publish();
      await world.pinnace.becomes('team/after', role, after.digest);
      assert.equal(await world.pinnace.verdict('team/before', '1.0'), before.digest, role);
    }
    await pulledAndRun(world, 'team/before:1.0', before);
    // Where nothing was published in the meantime a client has all the new roots before it.
    const stored = await pushed(world, 'stored/late:1.0');
    await approved(world, world.vetted, 'stored/late:1.0');
    await world.vetted.publish(world.artifact);
    await world.pinnace.becomes('stored/late', '1.0', stored.digest);
  },
);

suite.test(
  'a timestamp that nobody renews is seen coming in the metric, then refused; renewed, pulls go on',
  [],
  async (world, told) => {
    const image = await pushed(world, 'brief/app:1.0');
    await approved(world, world.brief, 'brief/app:1.0');
    await world.brief.publish();
    await world.pinnace.becomes('brief/app', '1.0', image.digest);
    const left = await timestampEndsIn(world);
    assert.ok(left > 0 && left <= BRIEF_LIFETIME_MS / 1000, `${left} s are left`);
    const seen = [left];
    let verdict = image.digest;
    await eventually(
      async () => {
        seen.push(await timestampEndsIn(world));
        verdict = await world.pinnace.verdict('brief/app', '1.0');
        return verdict !== image.digest;
      },
      { what: 'the end of the timestamp', timeoutMs: BRIEF_LIFETIME_MS + 15_000 },
    );
    assert.equal(verdict, 'timestamp_expired');
    assert.ok(seen.every((value, index) => index === 0 || value < (seen[index - 1] ?? 0)));
    const last = seen.at(-1) ?? 0;
    told.diagnostic(`the metric fell from ${left} s to ${last} s`);
    assert.ok(last <= 5, 'it was refused no earlier than was said');
    assert.ok((await timestampEndsIn(world)) < 0);
    told.diagnostic(
      `docker printed: ${await refused(world, 'brief/app:1.0', 'timestamp_expired')}`,
    );
    await world.brief.renew();
    await world.pinnace.becomes('brief/app', '1.0', image.digest);
    assert.ok((await timestampEndsIn(world)) > 0);
  },
);

suite.test(
  'what serve keeps current goes on being pulled after its first timestamp has expired',
  [],
  async (world, told) => {
    const image = await pushed(world, 'kept/app:1.0');
    await approved(world, world.kept, 'kept/app:1.0');
    // Nobody publishes it: serve does.
    await world.pinnace.becomes('kept/app', '1.0', image.digest);
    await pulledAndRun(world, 'kept/app:1.0', image);
    const timestamp = join(world.kept.published, 'timestamp.json');
    const first = Date.parse(JSON.parse(await readFile(timestamp, 'utf8')).signed.expires);
    const renewals = 'pinnace_collection_renewals_total{collection="kept",outcome="renewed"}';
    await eventually(
      async () => {
        assert.equal(await world.pinnace.verdict('kept/app', '1.0'), image.digest);
        return Date.now() > first + 2_000;
      },
      { what: 'the end of the first timestamp', timeoutMs: BRIEF_LIFETIME_MS + 15_000 },
    );
    told.diagnostic(`${await world.pinnace.metric(renewals)} renewals, and the tag still verifies`);
    await world.engine.forgetImages();
    await pulledAndRun(world, 'kept/app:1.0', image);
  },
);

async function pushed(world: World, name: string): Promise<Image> {
  const image = await makeImage(world.scratch);
  await publish(image, world.registry, name);
  return image;
}

async function approved(world: World, collection: Collection, name: string): Promise<string> {
  return await collection.sign('approve', `${world.registry.host}/${name}`);
}

/** Pulls through Pinnace with Docker and runs what came. */
async function pulledAndRun(world: World, name: string, image: Image): Promise<string> {
  const full = `${world.pinnace.host()}/${name}`;
  assert.ok((await world.engine.ok('pull', full)).includes(`Digest: ${image.digest}`));
  const ran = await world.engine.ok('run', '--rm', '--network', 'none', full);
  assert.equal(ran, `${image.marker} amd64`);
  return ran;
}

/** Sees that Docker is refused for this reason, with the sentence of Pinnace's own answer, and holds nothing of it. */
async function refused(world: World, name: string, reason: string): Promise<string> {
  const [repository = '', tag = ''] = name.split(':');
  const answer = await world.pinnace.manifest(repository, tag);
  assert.equal(answer.headers.get('x-pinnace-reason'), reason);
  const full = `${world.pinnace.host()}/${name}`;
  const pulled = await world.engine.docker('pull', full);
  assert.notEqual(pulled.code, 0);
  assert.ok(pulled.output.includes(sentenceOf(answer)), pulled.output);
  assert.equal(await world.engine.ok('image', 'ls', '-q', full), '');
  return pulled.output.trim();
}

async function timestampEndsIn(world: World): Promise<number> {
  const rule = `${world.registry.host}/brief/**`;
  return await world.pinnace.metric(
    `pinnace_trust_expires_in_seconds{rule="${rule}",trust="brief",role="timestamp"}`,
  );
}
