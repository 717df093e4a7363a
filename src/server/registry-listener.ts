import type { AddressInfo } from 'node:net';
import type { Log } from '../observe/log.ts';
import { ConnectionDoor } from './connection-door.ts';
import { hostEvents } from './host-events.ts';
import { HttpHost, type TlsIdentity } from './http-host.ts';
import type { HttpLimits } from './http-limits.ts';
import { mayStopHard } from './refusal-answer.ts';
import type { ListenerProfile, RegistryContext } from './registry-context.ts';
import { RegistryHandler } from './registry-handler.ts';

/** Options of a `RegistryListener`. */
export interface RegistryListenerOptions {
  readonly profile: ListenerProfile;
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly tls?: TlsIdentity;
  readonly limits?: Partial<HttpLimits>;
  readonly context: RegistryContext;
}

/** What a listener answers by from some moment on. */
export interface NextConfiguration {
  readonly context: RegistryContext;
  readonly profile: ListenerProfile;
  readonly tls?: TlsIdentity;
}

/** One address at which engines pull. */
export class RegistryListener {
  readonly #options: RegistryListenerOptions;
  readonly #host: HttpHost;
  #handler: RegistryHandler;
  /** Whether connections that find no place wait for one. */
  #waits: boolean;

  constructor(options: RegistryListenerOptions) {
    this.#options = options;
    const { context, profile } = options;
    this.#handler = new RegistryHandler(context, profile);
    this.#waits = mayStopHard({ listener: profile, context });
    this.#host = new HttpHost({
      host: options.host,
      port: options.port,
      clock: context.clock,
      ...(options.tls === undefined ? {} : { tls: options.tls, http2: true }),
      ...(options.limits === undefined ? {} : { limits: options.limits }),
      door: new ConnectionDoor({
        places: context.connections,
        clock: context.clock,
        waits: () => this.#waits,
      }),
      onRequest: (request, response, isSurplus) => {
        if (isSurplus) this.#handler.dismiss(request, response);
        else this.#handler.handle(request, response);
      },
      ...hostEvents(profile.name, context),
    });
  }

  /** Whether new requests are taken; false as soon as `stop` is called. */
  get isAccepting(): boolean {
    return this.#host.isAccepting;
  }

  /** Binds the socket. @throws {Error} of `node:net`, for example with code `EADDRINUSE` */
  async start(): Promise<AddressInfo> {
    const address = await this.#host.start();
    announceListener(this.#options.context.log, address, this.#options);
    return address;
  }

  /**
   * Makes ready to answer by another configuration; the address and whether TLS is spoken stay.
   *
   * @returns what puts it in force: for the next request and all after it, while those under way go on as they began. It
   * does not fail
   * @throws {Error} of `node:tls` for an unusable certificate
   */
  prepare(next: NextConfiguration): () => void {
    const handler = new RegistryHandler(next.context, next.profile);
    const showIdentity = next.tls === undefined ? undefined : this.#host.prepareIdentity(next.tls);
    return () => {
      showIdentity?.();
      this.#handler = handler;
      this.#waits = mayStopHard({ listener: next.profile, context: next.context });
    };
  }

  /** Stops accepting, lets pulls in flight finish for at most `drainMs` milliseconds, then cuts what is left. */
  async stop(options: { readonly drainMs: number }): Promise<void> {
    await this.#host.stop(options);
  }
}

/** Says in the log where a listener is bound now, and what is doubtful about it. */
export function announceListener(
  log: Log,
  { address, port }: AddressInfo,
  { profile, tls }: Pick<NextConfiguration, 'profile' | 'tls'>,
): void {
  const { name: listener, refusal } = profile;
  log.event('listener.started', { listener, address, port, tls: tls !== undefined, refusal });
  if (refusal !== 'deny' || profile.naming.defaultRegistry !== 'docker.io') return;
  log.event('listener.warning', {
    listener,
    warning:
      'engines that use this listener as a mirror of docker.io go to Docker Hub when a pull is refused: set refusal to hard-stop',
  });
}
