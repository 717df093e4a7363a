import { setTimeout as sleep } from 'node:timers/promises';
import type { Image } from '../../support/images.ts';
import type { Publisher } from '../../support/running-pinnace.ts';
import { requireBytes } from '../check.ts';
import { type PinnaceRun, startPinnace } from '../contender.ts';
import { BENCH_REGISTRY, imageOf, type Site } from '../site.ts';
import type { SoakEvent } from './result.ts';

/** A signed tag with the image that it means. */
export interface Signed {
  readonly repository: string;
  readonly tag: string;
  readonly image: Image;
}

/** A tag that its publisher moves: what it means, and what it meant until when that may still be answered. */
export interface Moving {
  readonly repository: string;
  digest: string;
  before: { readonly digest: string; readonly until: number } | undefined;
}

const KIB = 1024;
const SMALL = 300;
const LARGE = 6;
const MOVING = 8;
const COLD_REPOSITORIES = 40;
const MAX_AGE_SECONDS = 30;
/** An answer may be on its way when its time is over. */
const GRACE_MS = 3_000;
const OUTAGE_MS = 3_000;
/**
 * How long after an outage something new may still be refused as inconclusive: connections have to be made again, and a
 * trust server that failed ten times in a row is left in peace for 15 s.
 */
const RECOVERY_MS = { registry: 4_000, notary: 20_000 } as const;

/** Everything that Pinnace stands before during a soak: hundreds of signed repositories, and what happens to them. */
export class SoakWorld {
  readonly small: readonly Signed[];
  readonly large: readonly Signed[];
  readonly moving: readonly Moving[];
  readonly events: SoakEvent[] = [];
  readonly #site: Site;
  readonly #coldPublishers: readonly Publisher[];
  readonly #cold: { readonly signed: Signed; readonly ripeAt: number }[] = [];
  readonly #kept: { readonly publisher: Publisher; readonly signed: Signed }[] = [];
  readonly #movers: readonly Publisher[];
  #begin = performance.now();
  #published = 0;
  #moves = 0;
  #troubleUntil = 0;

  constructor(site: Site) {
    this.#site = site;
    this.small = times(SMALL, (index) => this.#release(`soak/small-${index}`, 4 * KIB));
    this.large = times(LARGE, (index) => this.#release(`soak/large-${index}`, 8 * KIB * KIB));
    this.#movers = times(MOVING, (index) => site.publisher(`soak/moving-${index}`));
    this.moving = this.#movers.map((publisher, index) => {
      const image = imageOf(`moving ${index}`, KIB);
      publisher.release('live', image);
      return { repository: publisher.path, digest: image.manifest.digest, before: undefined };
    });
    this.#release('soak/unsigned', KIB);
    site.registry.push('soak/unsigned', imageOf('other', KIB), 'other');
    site
      .publisher('soak/expired', { expiresAfterDays: { timestamp: -1 } })
      .release('1.0', imageOf('expired', KIB));
    this.#coldPublishers = times(COLD_REPOSITORIES, (index) =>
      site.publisher(`soak/cold-${index}`),
    );
  }

  /** Starts Pinnace with a small cache, so that it has to evict. */
  async start(): Promise<PinnaceRun> {
    return await startPinnace(this.#site, {
      maxAge: `${MAX_AGE_SECONDS}s`,
      trust: { outageGrace: '5m' },
      more: {
        cache: { maxBytes: '96MiB' },
        upstreams: { [BENCH_REGISTRY]: { url: this.#site.registry.url, breaker: { open: '1s' } } },
        log: { level: 'error' },
      },
    });
  }

  /** Pulls every image once: by digest only that is served which a verified tag vouches for. @throws {Error} for a wrong answer */
  async pullAll({ name, url }: PinnaceRun): Promise<void> {
    for (const { repository, tag, image } of [...this.small, ...this.large]) {
      const at = `/v2/${repository}`;
      await requireBytes({ name, url }, `${at}/manifests/${tag}`, image.manifest.digest);
      for (const { digest } of image.layers) {
        await requireBytes({ name, url }, `${at}/blobs/${digest}`, digest);
      }
    }
  }

  /** From now on events are counted by the time since. */
  begin(): void {
    this.#begin = performance.now();
  }

  /** Seconds since then. */
  get seconds(): number {
    return (performance.now() - this.#begin) / 1000;
  }

  /** Whether an upstream is down, or was so a moment ago. */
  get isTroubled(): boolean {
    return performance.now() < this.#troubleUntil;
  }

  /** Publishes an image that nobody has pulled; it may be asked for when every older answer of its repository has run out. */
  publishCold(): void {
    const index = this.#published % COLD_REPOSITORIES;
    const publisher = this.#coldPublishers[index];
    if (publisher === undefined) return;
    const image = imageOf(`cold ${this.#published}`, KIB * KIB);
    const signed = { repository: publisher.path, tag: `v${this.#published}`, image };
    this.#published += 1;
    publisher.release(signed.tag, image);
    this.#cold.push({ signed, ripeAt: performance.now() + MAX_AGE_SECONDS * 1000 + GRACE_MS });
    this.#kept.push({ publisher, signed });
    if (this.#kept.length > COLD_REPOSITORIES) this.#forgetOldest();
  }

  /** An image that has just become known to everybody; undefined when there is none. */
  takeCold(): Signed | undefined {
    const [next] = this.#cold;
    if (next === undefined || next.ripeAt > performance.now()) return undefined;
    this.#cold.shift();
    return next.signed;
  }

  /** Points one tag to another image, by a publication. */
  moveOneTag(): void {
    const index = this.#moves % MOVING;
    this.#moves += 1;
    const [moving, publisher] = [this.moving[index], this.#movers[index]];
    if (moving === undefined || publisher === undefined) return;
    const image = imageOf(`moved ${performance.now()}`, KIB);
    const until = performance.now() + MAX_AGE_SECONDS * 1000 + GRACE_MS;
    publisher.release('live', image);
    moving.before = { digest: moving.digest, until };
    moving.digest = image.manifest.digest;
    this.#note('tag moved');
  }

  /** Has an upstream refuse connections for some seconds. */
  async interrupt(which: 'registry' | 'notary'): Promise<void> {
    this.#note(which === 'registry' ? 'registry down' : 'trust server down');
    this.#troubleUntil = Math.max(
      this.#troubleUntil,
      performance.now() + OUTAGE_MS + RECOVERY_MS[which],
    );
    const server = this.#site[which];
    await server.down();
    await sleep(OUTAGE_MS);
    await server.up();
  }

  /** Has the configuration read anew. */
  reload(pinnace: PinnaceRun): void {
    this.#note('reload');
    pinnace.reload();
  }

  /** Forgets what the upstream was asked, which would grow without end. */
  forgetRequests(): void {
    this.#site.forgetRequests();
  }

  #release(repository: string, layerBytes: number): Signed {
    const image = imageOf(repository, layerBytes);
    this.#site.publisher(repository).release('1.0', image);
    return { repository, tag: '1.0', image };
  }

  #forgetOldest(): void {
    const oldest = this.#kept.shift();
    if (oldest === undefined) return;
    const { repository, tag, image } = oldest.signed;
    oldest.publisher.trust.removeTag(tag);
    const parts = [image.manifest, image.config, ...image.layers];
    for (const { digest } of parts) this.#site.registry.remove(repository, digest);
  }

  #note(what: SoakEvent['what']): void {
    this.events.push({ at: Math.round(this.seconds), what });
  }
}

function times<T>(count: number, make: (index: number) => T): readonly T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}
