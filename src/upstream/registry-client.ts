import { type Clock, systemClock } from '../base/clock.ts';
import { SingleFlight } from '../base/single-flight.ts';
import { type Digest, hasDigest, isDigest } from '../oci/digest.ts';
import type { RegistryHost, Repository, Tag } from '../oci/names.ts';
import { UpstreamError } from '../resolve/errors.ts';
import type {
  FetchedBlob,
  FetchedManifest,
  FetchedReferrers,
  ReferrerLists,
  UpstreamContent,
} from '../resolve/ports.ts';
import type { Lease } from './admission.ts';
import { type Call, noteFailure, type Work } from './attempt.ts';
import type { BreakerState } from './circuit-breaker.ts';
import { abortable, withDeadline } from './deadline.ts';
import { silentEvents, type UpstreamEvents } from './events.ts';
import type { Rejection } from './login.ts';
import { readReferrers } from './referrer-pages.ts';
import type { RegistryUpstream } from './registry-upstream.ts';
import { type RetryPolicy, retrying } from './retry.ts';
import { UpstreamChain, type UpstreamOptions, wrongContent } from './upstream-chain.ts';
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

/** How one server fares. */
export interface ServerState {
  /** The upstream that it is a server of. */
  readonly registry: RegistryHost;
  /** What it is called in events. */
  readonly name: string;
  /** Host and port. */
  readonly host: string;
  readonly breaker: BreakerState;
  /** Until it is tried again, in milliseconds; 0 when it is asked. */
  readonly trialInMs: number;
  readonly inFlight: number;
  readonly queued: number;
}

/** A login that an upstream did not accept. */
export type RefusedLogin = Pick<Rejection, 'authorization' | 'challenges'>;

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
export class RegistryClient implements UpstreamContent, ReferrerLists {
  readonly #upstreams = new Map<RegistryHost, UpstreamChain>();
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
      this.#upstreams.set(registry, new UpstreamChain(registry, upstream, context));
    }
  }

  /**
   * @throws {UpstreamError} `manifest_missing`, `digest_mismatch`, `upstream_denied`, `upstream_rate_limited`, `upstream_busy`,
   * `upstream_unreachable` (a manifest longer than `maxBytes` too)
   */
  fetchManifest(
    repository: Repository,
    digest: Digest,
    options: CallOptions & { readonly maxBytes: number },
  ): Promise<FetchedManifest> {
    const work = readManifest(repository, digest, options.maxBytes);
    return this.#call(repository.registry, 'manifest_missing', options, (chain, signal) =>
      this.#again(signal, (call) => chain.askByDigest(digest, call, work)),
    );
  }

  /**
   * Reads whatever the registry says a tag is. Nothing vouches for it: only for documents that prove themselves, never for
   * images. Fallbacks are not asked.
   *
   * @throws {UpstreamError} as `fetchManifest` does
   */
  fetchByTagUnverified(
    repository: Repository,
    tag: Tag,
    options: CallOptions & { readonly maxBytes: number },
  ): Promise<FetchedManifest> {
    const work = readManifest(repository, tag, options.maxBytes);
    return this.#call(repository.registry, 'manifest_missing', options, (chain, signal) =>
      this.#again(signal, (call) => chain.ask(call, work)),
    );
  }

  /**
   * Reads one page of what the registry says refers to a manifest. Fallbacks are not asked: nothing vouches for it.
   *
   * @throws {UpstreamError} as `fetchManifest` does; `manifest_missing` also when the registry keeps no such lists
   * @source OCI distribution 1.1 (#listing-referrers)
   */
  fetchReferrers(
    repository: Repository,
    digest: Digest,
    options: CallOptions & { readonly page?: string; readonly maxBytes: number },
  ): Promise<FetchedReferrers> {
    const work = readReferrers(`${repository.path}/referrers/${digest}`, {
      ...options,
      scope: pullScope(repository),
    });
    return this.#call(repository.registry, 'manifest_missing', options, (chain, signal) =>
      this.#again(signal, (call) => chain.ask(call, work)),
    );
  }

  /**
   * @throws {UpstreamError} `blob_missing`, `upstream_denied`, `upstream_rate_limited`, `upstream_busy`,
   * `upstream_unreachable`; from the body's iteration only the last
   */
  fetchBlob(
    repository: Repository,
    digest: Digest,
    options: CallOptions = {},
  ): Promise<FetchedBlob> {
    const { registry } = repository;
    return this.#call(registry, 'blob_missing', options, (chain, signal) =>
      this.#again(signal, (call) =>
        chain.askByDigest(digest, call, async (server, context) => {
          const { lease } = context;
          const path = `${repository.path}/blobs/${digest}`;
          const scope = pullScope(repository);
          const reply = await server.get({ path, scope, accept: '*/*', signal: context.signal });
          lease.answered();
          reply.whenOver(() => lease.leave());
          const body = mapBody(reply.stream(), registry, {
            onEnd: () => lease.succeeded(),
            onError(error) {
              noteFailure(lease, error);
              chain.noteBrokenOff(server, digest);
            },
          });
          const reportWrong = (): boolean => chain.noteWrong(server, digest);
          return { size: reply.contentLength, body, reportWrong };
        }),
      ),
    );
  }

  /**
   * The `Authorization` with which the upstream lets us pull from a repository, or undefined when it wants none.
   *
   * @param refused - an `Authorization` that it did not accept, with its challenges: what comes is another one, or undefined
   * @throws {UpstreamError} `upstream_denied`, `upstream_rate_limited`, `upstream_unreachable`
   */
  authorization(
    repository: Repository,
    options: CallOptions & { readonly refused?: RefusedLogin } = {},
  ): Promise<string | undefined> {
    const { registry } = repository;
    const scope = pullScope(repository);
    return this.#call(registry, 'upstream_unreachable', options, async ({ main }, signal) => {
      const { refused } = options;
      if (refused !== undefined) return await main.login.answer({ ...refused, scope, signal });
      if (!main.login.isLearned) await abortable(this.#learn(registry, main), signal);
      return await main.login.authorization(scope, signal);
    });
  }

  /**
   * Waits for a place among the requests to an upstream, for those who speak to it themselves.
   *
   * @throws {UpstreamError} `upstream_busy`, `upstream_unreachable`, `upstream_denied` when no such upstream is configured
   */
  admit(registry: RegistryHost, options: CallOptions = {}): Promise<Lease> {
    return this.#call(registry, 'upstream_unreachable', options, ({ main }, signal) =>
      main.admission.enter(signal),
    );
  }

  /**
   * Resolves when the upstream answers as a registry does, be it by asking for a login.
   *
   * @throws {UpstreamError} `upstream_denied`, `upstream_rate_limited`, `upstream_unreachable`
   */
  ping(registry: RegistryHost, options: CallOptions = {}): Promise<void> {
    return this.#call(registry, 'upstream_unreachable', options, async ({ main }, signal) => {
      await main.probe(signal);
    });
  }

  /** @throws {UpstreamError} `upstream_denied` when no such upstream is configured */
  originOf(registry: RegistryHost): UpstreamOrigin {
    const { base, ca } = this.#require(registry).main;
    const url = base.href.replace(/\/$/, '');
    return ca === undefined ? { url } : { url, ca };
  }

  /** How each server fares, upstreams in the order of the configuration, each followed by its fallbacks. */
  servers(): readonly ServerState[] {
    const chains = [...this.#upstreams];
    return chains.flatMap(([registry, { servers }]) =>
      servers.map(({ name, base, admission }) => ({
        ...{ registry, name, host: base.host },
        breaker: admission.breaker.state,
        trialInMs: admission.breaker.waitMs(),
        inFlight: admission.inFlight,
        queued: admission.queued,
      })),
    );
  }

  /** Cuts all connections; what is under way fails. */
  async close(): Promise<void> {
    await Promise.all([...this.#upstreams.values()].map((chain) => chain.close()));
  }

  #require(registry: RegistryHost): UpstreamChain {
    const chain = this.#upstreams.get(registry);
    if (chain === undefined) {
      const message = `no upstream is configured for ${registry}`;
      throw new UpstreamError('upstream_denied', message, { detail: { registry } });
    }
    return chain;
  }

  async #call<Value>(
    registry: RegistryHost,
    missing: 'manifest_missing' | 'blob_missing' | 'upstream_unreachable',
    options: CallOptions,
    work: (chain: UpstreamChain, signal: AbortSignal) => Promise<Value>,
  ): Promise<Value> {
    const chain = this.#require(registry);
    const limits = { clock: this.#clock, timeoutMs: chain.totalMs, signal: options.signal };
    try {
      return await withDeadline(limits, (signal) => work(chain, signal));
    } catch (error) {
      throw asUpstreamError(error, registry, missing);
    }
  }

  #again<Value>(signal: AbortSignal, work: (call: Call) => Promise<Value>): Promise<Value> {
    const call: Call = { signal, blamed: new Set() };
    return retrying(() => work(call), { policy: this.#retry, clock: this.#clock, signal });
  }

  /** An upstream that asked for no login is asked again after a minute: only then may it have changed its mind. */
  async #learn(registry: RegistryHost, server: RegistryUpstream): Promise<void> {
    const probedAt = this.#probedAt.get(registry);
    if (probedAt !== undefined && this.#clock.monotonicMs() - probedAt < PROBE_TTL_MS) return;
    await this.#probes.run(registry, async () => {
      const { totalMs } = server.timeouts;
      await withDeadline({ clock: this.#clock, timeoutMs: totalMs }, (signal) =>
        this.#again(signal, () => server.probe(signal)),
      );
      this.#probedAt.set(registry, this.#clock.monotonicMs());
    });
  }
}

/** Reads a manifest whole; one asked for by digest has to have it. */
function readManifest(
  repository: Repository,
  reference: Digest | Tag,
  maxBytes: number,
): Work<FetchedManifest> {
  const path = `${repository.path}/manifests/${reference}`;
  const request = { path, scope: pullScope(repository), accept: MANIFEST_TYPES };
  return async (server, { lease, signal }) => {
    const reply = await server.get({ ...request, signal });
    const bytes = await reply.read(maxBytes);
    lease.succeeded();
    lease.leave();
    if (isDigest(reference) && !hasDigest(bytes, reference)) throw wrongContent(server);
    return { bytes, mediaType: mediaTypeOf(reply.header('content-type')) };
  };
}

function pullScope(repository: Repository): string {
  return `repository:${repository.path}:pull`;
}

/** The media type without parameters, in lower case; empty when there is none worth the name. */
function mediaTypeOf(contentType: string | undefined): string {
  const type = (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  return type.length <= 255 ? type : '';
}
