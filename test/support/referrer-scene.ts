import { buildImage, type Image } from './images.ts';
import { type MadeReferrer, makeReferrer, pushReferrer } from './referrers.ts';
import type { Answer } from './registry-under-test.ts';
import { type PinnaceSettings, RunningPinnace, reasonOf, Surroundings } from './running-pinnace.ts';

/** The repository that the scenes are about. */
export const APP = 'team/app';
const INDEX = 'application/vnd.oci.image.index.v1+json';

/** A registry with a signed image, and Pinnace before it. */
export class ReferrerScene implements AsyncDisposable {
  readonly around: Surroundings;
  readonly pinnace: RunningPinnace;
  readonly image: Image;

  private constructor(around: Surroundings, pinnace: RunningPinnace, image: Image) {
    this.around = around;
    this.pinnace = pinnace;
    this.image = image;
  }

  /** Starts all of it, the image pulled once. */
  static async start(
    settings: PinnaceSettings & { readonly referrersPerPage?: number } = {},
  ): Promise<ReferrerScene> {
    const { referrersPerPage } = settings;
    const registry = referrersPerPage === undefined ? {} : { referrersPerPage };
    const around = await Surroundings.start({ registry });
    const image = buildImage({ message: 'signed' });
    around.publisher(APP).release('1.0', image);
    const pinnace = await RunningPinnace.start(await around.writeConfig(settings));
    await pinnace.verdict(APP, '1.0');
    return new ReferrerScene(around, pinnace, image);
  }

  get subject(): string {
    return this.image.manifest.digest;
  }

  /** Pushes a referrer and has the registry list it, by its lists and by the tag that stands for them. */
  attach(...made: readonly MadeReferrer[]): void {
    for (const each of made) {
      pushReferrer(this.around.registry, APP, each);
      this.around.registry.listReferrer(this.subject, each.manifest.digest);
    }
    const manifests = made.map(({ manifest: { digest, mediaType, bytes } }) => ({
      ...{ mediaType, digest, size: bytes.length },
    }));
    const list = makeReferrer({
      mediaType: INDEX,
      more: { manifests, config: undefined, layers: undefined },
    });
    this.around.registry.putManifest(APP, list.manifest);
    this.around.registry.moveTag(APP, tagOf(this.subject), list.manifest.digest);
  }

  async list(query = ''): Promise<Answer> {
    return await this.pinnace.get(`${APP}/referrers/${this.subject}${query}`);
  }

  /** What a digest comes to: `unverified`, or the reason of its refusal. */
  async byDigest(kind: 'manifests' | 'blobs', digest: string): Promise<string> {
    const answer = await this.pinnace.get(`${APP}/${kind}/${digest}`);
    if (answer.status !== 200) return reasonOf(answer);
    return isMarked(answer) ? 'unverified' : 'verified';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pinnace.stop();
    await this.around[Symbol.asyncDispose]();
  }
}

/** The tag that is made of a digest. */
export function tagOf(digest: string, ending = ''): string {
  return `${digest.replace(':', '-')}${ending}`;
}

/** Whether an answer is marked as a referrer. */
export function isMarked({ headers }: Answer): boolean {
  return /^299 - "pinnace has not verified this: it refers/.test(String(headers['warning']));
}

/** The digests in a list of referrers. */
export function listedIn(answer: Answer): readonly string[] {
  const index: { readonly manifests: readonly { readonly digest: string }[] } = JSON.parse(
    answer.body.toString(),
  );
  return index.manifests.map(({ digest }) => digest);
}
