import type { Component } from './components.ts';
import { type Image, type ImageSpec, makeImage, publish } from './image.ts';
import { Notary } from './notary.ts';
import type { PinnaceSettings } from './pinnace.ts';
import { Place } from './place.ts';
import { Registry } from './registry.ts';
import type { Scratch } from './scratch.ts';
import { TrustTools } from './trust-tools.ts';

/** What every lab needs to be there. */
export const BASE_COMPONENTS: readonly Component[] = [
  'registry',
  'notaryServer',
  'notary',
  'skopeo',
  'openssl',
  'curl',
  'busybox',
];

/** A registry, a Notary server and a publisher with keys: the world Pinnace is put in front of. */
export class Lab {
  readonly scratch: Scratch;
  readonly place: Place;
  readonly registry: Registry;
  readonly notary: Notary;
  readonly publisher: TrustTools;
  readonly #collections = new Set<string>();

  private constructor(
    scratch: Scratch,
    parts: { registry: Registry; notary: Notary; publisher: TrustTools },
  ) {
    this.scratch = scratch;
    this.place = parts.registry.place;
    this.registry = parts.registry;
    this.notary = parts.notary;
    this.publisher = parts.publisher;
  }

  /** Starts the parts, on this machine unless another place is given. */
  static async start(scratch: Scratch, place: Place = new Place()): Promise<Lab> {
    const [registry, notary] = await Promise.all([
      Registry.start(scratch, place),
      Notary.start(scratch, place),
    ]);
    const publisher = await TrustTools.create(scratch, notary);
    return new Lab(scratch, { registry, notary, publisher });
  }

  /** The collection of a repository in this lab's registry, unless another registry's name is given. */
  gun(repository: string, registry = this.registry.host): string {
    return `${registry}/${repository}`;
  }

  /** Uploads a new image under `name` (`repository:tag`) without signing it. */
  async push(name: string, spec: ImageSpec = {}): Promise<Image> {
    const image = await makeImage(this.scratch, spec);
    await publish(image, this.registry, name);
    return image;
  }

  /** Uploads a new image and signs it into `targets`; `registry` is the one named in the collection. */
  async pushSigned(
    name: string,
    options: { readonly spec?: ImageSpec; readonly registry?: string } = {},
  ): Promise<Image> {
    const image = await this.push(name, options.spec);
    const colon = name.lastIndexOf(':');
    const gun = this.gun(name.slice(0, colon), options.registry);
    if (!this.#collections.has(gun)) {
      this.#collections.add(gun);
      await this.publisher.init(gun);
    }
    await this.publisher.sign(gun, name.slice(colon + 1), image);
    return image;
  }

  /** A trust source: this lab's Notary server and the publisher's root key for every collection. */
  async trust(more: Readonly<Record<string, unknown>> = {}): Promise<Record<string, unknown>> {
    return {
      kind: 'notary',
      url: this.notary.url,
      ca: this.notary.caFile,
      anchors: [{ gun: '*/**', rootKeys: [await this.publisher.rootKeyId()] }],
      ...more,
    };
  }

  /**
   * The plain configuration: one listener for this lab's registry, every repository in `team/` verified, every answer
   * checked with the Notary server at each pull.
   */
  async settings(more: Partial<PinnaceSettings> = {}): Promise<PinnaceSettings> {
    return {
      listeners: { registry: { defaultRegistry: this.registry.host } },
      upstreams: { [this.registry.host]: { url: this.registry.url } },
      trust: { lab: await this.trust({ maxAge: '0s' }) },
      policy: [{ match: `${this.registry.host}/team/**`, trust: 'lab' }],
      ...more,
    };
  }
}
