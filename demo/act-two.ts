import { buildImage, type Image } from '../test/support/images.ts';
import type { Registry } from '../test/support/registry.ts';
import type { CommandSeen, OwnCollection } from './own-collection.ts';
import { short } from './report.ts';
import type { Scenario, Setting } from './scenario.ts';
import { DEMO_REGISTRY, DEMO_TAG, OWN_PATHS } from './stage.ts';

/** A repository of which nobody has signed anything, and the site's own collection, in which it may be approved. */
export class OwnStage implements Setting {
  readonly path: string;
  readonly image: Image;
  readonly registry: Registry;
  readonly collection: OwnCollection;
  readonly #show: (seen: CommandSeen) => void;

  /** @param show - tells the person watching which command was typed and what it printed */
  constructor(
    path: string,
    world: { readonly registry: Registry; readonly collection: OwnCollection },
    show: (seen: CommandSeen) => void,
  ) {
    this.path = path;
    this.image = buildImage({ message: `Hello from ${path}:${DEMO_TAG}, as this site vetted it.` });
    this.registry = world.registry;
    this.collection = world.collection;
    this.#show = show;
    this.registry.push(path, this.image, DEMO_TAG);
  }

  /** Approves the image and publishes that. */
  async approve(): Promise<void> {
    this.#show(await this.collection.approve(this.#name));
    await this.publish();
  }

  /** Takes the approval back and publishes that. */
  async revoke(): Promise<void> {
    this.#show(await this.collection.revoke(this.#name));
    await this.publish();
  }

  /** Publishes what is signed. */
  async publish(): Promise<void> {
    this.#show(await this.collection.publish());
  }

  /** Renews the timestamp, good for so long, and publishes it. */
  async renew(lifetime: string): Promise<void> {
    await this.collection.setTimestampLifetime(lifetime);
    this.#show(await this.collection.renew());
  }

  get #name(): string {
    return `${DEMO_REGISTRY}/${this.path}:${DEMO_TAG}`;
  }
}

/** The second act, in order: images that the site has vetted and signed itself. */
export const ACT_TWO: readonly Scenario<OwnStage>[] = [
  {
    path: `${OWN_PATHS}/approved`,
    asked: 'an image that the site has approved',
    expected: undefined,
    async play(stage, actor) {
      actor.say(
        'Nobody signs this image upstream. The site has looked at it, and signs it itself.',
      );
      await stage.approve();
      return await actor.pull();
    },
  },
  {
    path: `${OWN_PATHS}/approved`,
    asked: 'an approved tag moved at the registry',
    expected: undefined,
    async play(stage, actor) {
      const other = buildImage({ message: 'Not what was vetted.' });
      actor.say('The tag is moved at the registry, to an image that nobody here has seen.');
      stage.registry.push(stage.path, other, DEMO_TAG);
      actor.say(`The registry now says ${short(other.manifest.digest)};`);
      actor.say(`approved is ${short(stage.image.manifest.digest)}.`);
      return await actor.pull();
    },
  },
  {
    path: `${OWN_PATHS}/unapproved`,
    asked: 'an image that nobody has approved',
    expected: 'tag_not_signed',
    async play(_stage, actor) {
      actor.say('It is in the registry, but not in the collection.');
      return await actor.pull();
    },
  },
  {
    path: `${OWN_PATHS}/altered`,
    asked: 'tampered bytes of an approved image',
    expected: 'digest_mismatch',
    async play(stage, actor) {
      await stage.approve();
      actor.say('The registry sends altered bytes for the approved manifest.');
      const { manifest } = stage.image;
      const bytes = Buffer.from(manifest.bytes.toString().replace('"size": ', '"size":  '));
      stage.registry.putManifest(stage.path, { ...manifest, bytes });
      return await actor.pull();
    },
  },
  {
    path: `${OWN_PATHS}/revoked`,
    asked: 'a revoked image',
    expected: 'tag_not_signed',
    async play(stage, actor) {
      await stage.approve();
      const first = await actor.pull();
      if (first.verdict !== 'pinned') return first;
      actor.say('Something is found in it, and the approval is taken back.');
      await stage.revoke();
      return await actor.pull();
    },
  },
  {
    path: `${OWN_PATHS}/approved`,
    asked: 'an expired timestamp of the collection',
    expected: 'timestamp_expired',
    async play(stage, actor) {
      actor.say(
        'A timestamp is good for a day; with another "lifetimes" in vetted/collection.json,',
      );
      actor.say('for a second. And then nobody renews it.');
      await stage.renew('1s');
      await stage.collection.untilTimestampEnds();
      return await actor.pull();
    },
  },
  {
    path: `${OWN_PATHS}/approved`,
    asked: 'the same, renewed',
    expected: undefined,
    async play(stage, actor) {
      actor.say(
        'Good for a day again. This takes the online key alone, which can sign nothing else.',
      );
      await stage.renew('1d');
      return await actor.pull();
    },
  },
];
