import { buildImage, type Image, signedContentOf } from '../test/support/images.ts';
import { NotaryRepository } from '../test/support/notary-repository.ts';
import type { NotaryServer } from '../test/support/notary-server.ts';
import type { PublishedFiles } from '../test/support/publication.ts';
import type { Registry } from '../test/support/registry.ts';
import type { Setting } from './scenario.ts';

/** The registry name under which the demo's images are signed. */
export const DEMO_REGISTRY = 'demo.pinnace.example';

/** Below this path the site says itself which images it has vetted. */
export const OWN_PATHS = 'own';

/** The tag that every scenario pulls. */
export const DEMO_TAG = '1.0';

/** The two servers that Pinnace stands in front of. */
export interface Servers {
  readonly registry: Registry;
  readonly notary: NotaryServer;
}

/** One repository with its publisher: what a scenario plays on. */
export class Stage implements Setting {
  readonly path: string;
  readonly gun: string;
  readonly servers: Servers;
  /** The publisher's keys; their root key is what the configuration pins. */
  readonly publisher: NotaryRepository;
  /** The image that the publisher builds. */
  readonly image: Image;

  constructor(path: string, servers: Servers) {
    this.path = path;
    this.gun = `${DEMO_REGISTRY}/${path}`;
    this.servers = servers;
    this.publisher = new NotaryRepository({ gun: this.gun, now: new Date() });
    this.image = buildImage({
      message: `Hello from ${path}:${DEMO_TAG}, as its publisher signed it.`,
    });
  }

  /** Pushes the image under the demo's tag, signs it and lets the trust server publish that. */
  release(): PublishedFiles {
    this.servers.registry.push(this.path, this.image, DEMO_TAG);
    this.publisher.now = new Date();
    this.publisher.sign(DEMO_TAG, signedContentOf(this.image));
    return this.serve(this.publisher.publish());
  }

  /** Lets the trust server serve exactly these files. */
  serve(files: PublishedFiles): PublishedFiles {
    this.servers.notary.serve(this.gun, files);
    return files;
  }
}
