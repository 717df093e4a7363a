import { type Clock, systemClock } from '../base/clock.ts';
import { SingleFlight } from '../base/single-flight.ts';
import type { Digest } from '../oci/digest.ts';
import type { RegistryHost, Repository, Tag } from '../oci/names.ts';
import { UpstreamError } from '../resolve/errors.ts';
import type { FetchedBlob, FetchedManifest, UpstreamContent } from '../resolve/ports.ts';
import { abortable, withDeadline } from './deadline.ts';
import { silentEvents, type UpstreamEvents } from './events.ts';
import {
  type RegistryRequest,
  RegistryUpstream,
  type UpstreamOptions,
} from './registry-upstream.ts';
import { type RetryPolicy, retrying } from './retry.ts';
import { asUpstreamError, mapBody } from './upstream-failure.ts';

/** What the client of all registries is made from, beside the registries. */
export interface RegistryClientOptions {
  /** Pinnace's version, for the `User-Agent`. */
  readonly version: string;
  /** Default: the machine's clock. */
  readonly clock?: Clock;
  /** Default: nobody listens. */
  readonly events?: UpstreamEvents;
  /** Default: 3 tries, first pause up to 500 ms. */
  readonly retry?: RetryPolicy;
}

/** What every call may carry. */
export interface CallOptions {
  readonly signal?: AbortSignal;
}

/** Where an upstream registry is, for those who speak to it themselves. */
export interface UpstreamOrigin {
  /** Base URL, without trailing slash; requests go to `/v2/…` below it. */
  readonly url: string;
  /** PEM text of certificate authorities trusted in addition to the usual roots. */
  readonly ca?: string;
}

const MANIFEST_TYPES = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');
const DEFAULT_RETRY: RetryPolicy = { tries: 3, baseDelayMs: 500 };
const PROBE_TTL_MS = 60_000;

/**
 * Reads manifests and blobs of the configured registries, by digest but for one method. What arrives is bounded in length and time, and
 * otherwise unchecked.
 *
 * A call whose signal fires fails with the signal's reason; every other failure is an `UpstreamError`.
 *
 * @source OCI distribution 1.1 (#pulling-manifests, #pulling-blobs)
 */
export class RegistryClient implements UpstreamContent {
  readonly #upstreams = new Map<RegistryHost, RegistryUpstream>();
  readonly #clock: Clock;
  readonly #retry: RetryPolicy;
  readonly #probes = new SingleFlight<RegistryHost, void>();
  readonly #probedAt = new Map<RegistryHost, number>();

  /** @throws {ExchangeError} `unexpected` for a URL that is not http(s); errors of `node:tls` for unusable PEM text */
  constructor(
    upstreams: ReadonlyMap<RegistryHost, UpstreamOptions>,
    options: RegistryClientOptions,
  ) {
    this.#clock = options.clock ?? systemClock;
    this.#retry = options.retry ?? DEFAULT_RETRY;
    const context = {
      clock: this.#clock,
      events: options.events ?? silentEvents,
      userAgent: `pinnace/${options.version}`,
      retry: this.#retry,
    };
    for (const [registry, upstream] of upstreams) {
      this.#upstreams.set(registry, new RegistryUpstream(registry, upstream, context));
    }
  }

  /**
   * @throws {UpstreamError} `manifest_missing`, `upstream_denied`, `upstream_rate_limited`, `upstream_unreachable` (a
   * manifest longer than `maxBytes` too)
   */
  fetchManifest(
    repository: Repository,
    digest: Digest,
    options: CallOptions & { readonly maxBytes: number },
  ): Promise<FetchedManifest> {
    return this.#fetchManifest(repository, digest, options);
  }

  /**
   * Reads whatever the registry says a tag is. Nothing vouches for it: only for documents that prove themselves, never for
   * images.
   *
   * @throws {UpstreamError} as `fetchManifest` does
   */
  fetchByTagUnverified(
    repository: Repository,
    tag: Tag,
    options: CallOptions & { readonly maxBytes: number },
  ): Promise<FetchedManifest> {
    return this.#fetchManifest(repository, tag, options);
  }

  /**
   * @throws {UpstreamError} `blob_missing`, `upstream_denied`, `upstream_rate_limited`, `upstream_unreachable`; from the
   * body's iteration only the last
   */
  fetchBlob(
    repository: Repository,
    digest: Digest,
    options: CallOptions = {},
  ): Promise<FetchedBlob> {
    const { registry, path } = repository;
    const request: Omit<RegistryRequest, 'signal'> = {
      path: `${path}/blobs/${digest}`,
      scope: pullScope(repository),
      accept: '*/*',
    };
    return this.#call(registry, 'blob_missing', options, (upstream, signal) =>
      this.#again(signal, async () => {
        const reply = await upstream.get({ ...request, signal });
        return { size: reply.contentLength, body: mapBody(reply.stream(), registry) };
      }),
    );
  }

  /**
   * The `Authorization` with which the upstream lets us pull from a repository, or undefined when it wants none.
   *
   * @throws {UpstreamError} `upstream_denied`, `upstream_rate_limited`, `upstream_unreachable`
   */
  authorization(repository: Repository, options: CallOptions = {}): Promise<string | undefined> {
    const { registry } = repository;
    return this.#call(registry, 'upstream_unreachable', options, async (upstream, signal) => {
      if (!upstream.login.isLearned) await abortable(this.#learn(registry, upstream), signal);
      return await upstream.login.authorization(pullScope(repository), signal);
    });
  }

  /**
   * Resolves when the upstream answers as a registry does, be it by asking for a login.
   *
   * @throws {UpstreamError} `upstream_denied`, `upstream_rate_limited`, `upstream_unreachable`
   */
  ping(registry: RegistryHost, options: CallOptions = {}): Promise<void> {
    return this.#call(registry, 'upstream_unreachable', options, async (upstream, signal) => {
      await upstream.probe(signal);
    });
  }

  /** @throws {UpstreamError} `upstream_denied` when no such upstream is configured */
  originOf(registry: RegistryHost): UpstreamOrigin {
    const { base, ca } = this.#require(registry);
    const url = base.href.replace(/\/$/, '');
    return ca === undefined ? { url } : { url, ca };
  }

  /** Cuts all connections; what is under way fails. */
  async close(): Promise<void> {
    await Promise.all([...this.#upstreams.values()].map((upstream) => upstream.close()));
  }

  #require(registry: RegistryHost): RegistryUpstream {
    const upstream = this.#upstreams.get(registry);
    if (upstream === undefined) {
      const message = `no upstream is configured for ${registry}`;
      throw new UpstreamError('upstream_denied', message, { detail: { registry } });
    }
    return upstream;
  }

  #fetchManifest(
    repository: Repository,
    reference: Digest | Tag,
    options: CallOptions & { readonly maxBytes: number },
  ): Promise<FetchedManifest> {
    const path = `${repository.path}/manifests/${reference}`;
    const request = { path, scope: pullScope(repository), accept: MANIFEST_TYPES };
    return this.#call(repository.registry, 'manifest_missing', options, (upstream, signal) =>
      this.#again(signal, async () => {
        const reply = await upstream.get({ ...request, signal });
        const bytes = await reply.read(options.maxBytes);
        return { bytes, mediaType: mediaTypeOf(reply.header('content-type')) };
      }),
    );
  }

  async #call<Value>(
    registry: RegistryHost,
    missing: 'manifest_missing' | 'blob_missing' | 'upstream_unreachable',
    options: CallOptions,
    work: (upstream: RegistryUpstream, signal: AbortSignal) => Promise<Value>,
  ): Promise<Value> {
    const upstream = this.#require(registry);
    const timeoutMs = upstream.timeouts.totalMs;
    try {
      return await withDeadline(
        { clock: this.#clock, timeoutMs, signal: options.signal },
        (signal) => work(upstream, signal),
      );
    } catch (error) {
      throw asUpstreamError(error, registry, missing);
    }
  }

  #again<Value>(signal: AbortSignal, work: () => Promise<Value>): Promise<Value> {
    return retrying(work, { policy: this.#retry, clock: this.#clock, signal });
  }

  /** An upstream that asked for no login is asked again after a minute: only then may it have changed its mind. */
  async #learn(registry: RegistryHost, upstream: RegistryUpstream): Promise<void> {
    const probedAt = this.#probedAt.get(registry);
    if (probedAt !== undefined && this.#clock.monotonicMs() - probedAt < PROBE_TTL_MS) return;
    await this.#probes.run(registry, async () => {
      const { totalMs } = upstream.timeouts;
      await withDeadline({ clock: this.#clock, timeoutMs: totalMs }, (signal) =>
        this.#again(signal, () => upstream.probe(signal)),
      );
      this.#probedAt.set(registry, this.#clock.monotonicMs());
    });
  }
}

function pullScope(repository: Repository): string {
  return `repository:${repository.path}:pull`;
}

/** The media type without parameters, in lower case; empty when there is none worth the name. */
function mediaTypeOf(contentType: string | undefined): string {
  const type = (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  return type.length <= 255 ? type : '';
}
