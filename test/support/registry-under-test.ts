import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http';
import { connect } from 'node:net';
import type { Gate } from '../../src/auth/gate.ts';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { Log } from '../../src/observe/log.ts';
import { Metrics } from '../../src/observe/metrics.ts';
import { HostNames } from '../../src/oci/host-names.ts';
import { parseRegistryHost, repositoryName } from '../../src/oci/names.ts';
import { DecoyIssuer } from '../../src/refusal/decoy.ts';
import { BypassWatch } from '../../src/server/bypass-watch.ts';
import { ConnectionPlaces } from '../../src/server/connection-places.ts';
import type { TlsIdentity } from '../../src/server/http-host.ts';
import type { HttpLimits } from '../../src/server/http-limits.ts';
import { RefusalHistory } from '../../src/server/refusal-history.ts';
import type { ListenerProfile, RegistryContext } from '../../src/server/registry-context.ts';
import { RegistryListener } from '../../src/server/registry-listener.ts';
import { Relay, type RelayOptions } from '../../src/server/relay.ts';
import { RequestCount } from '../../src/server/request-count.ts';
import { type RequestLimits, RequestPlaces } from '../../src/server/request-places.ts';
import { FakeClock } from './fake-clock.ts';
import { FakePullService, NO_REFERRERS } from './fake-pull-service.ts';

const ROOMY: RequestLimits = { requests: 1000, queue: 1000, queueTimeoutMs: 4_000 };

/** An answer, read to its end. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** How a request is made; the path is sent as it stands. */
export interface Ask {
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string;
  readonly localAddress?: string;
}

/** Makes one request on a connection of its own and reads the answer to its end. */
export function ask(port: number, path: string, options: Ask = {}): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const outgoing = request(
    {
      host: '127.0.0.1',
      port,
      path,
      method: options.method ?? 'GET',
      headers: options.headers ?? {},
      agent: false,
      ...(options.localAddress === undefined ? {} : { localAddress: options.localAddress }),
    },
    (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('error', reject);
      incoming.on('end', () => {
        const { statusCode: status = 0, headers } = incoming;
        resolve({ status, headers, body: Buffer.concat(chunks) });
      });
    },
  );
  outgoing.on('error', reject);
  outgoing.end(options.body);
  return promise;
}

/** Writes bytes to a fresh connection and gives back all that comes until the server closes it. */
export function askRaw(port: number, bytes: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = connect(port, '127.0.0.1', () => socket.write(bytes, 'latin1'));
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1');
  });
  socket.on('error', () => undefined);
  socket.on('close', () => resolve(received));
  return promise;
}

/** Waits, turn by turn of the event loop, for something that the server does after its answer is out. */
export async function until(isDone: () => boolean): Promise<void> {
  for (let turn = 0; turn < 1000 && !isDone(); turn += 1) await new Promise(setImmediate);
}

/** The first error of an OCI error document. */
export function ociError(answer: Answer): {
  readonly code: string;
  readonly message: string;
  readonly detail: Record<string, string>;
} {
  return JSON.parse(answer.body.toString()).errors[0];
}

/** A registry listener on a real socket, before a fake pull service. */
export class RegistryUnderTest implements AsyncDisposable {
  readonly pulls = new FakePullService();
  readonly clock = new FakeClock();
  readonly lines: string[] = [];
  readonly refusals = new RefusalHistory();
  readonly requests = new RequestCount();
  readonly places: RequestPlaces;
  readonly connections: ConnectionPlaces;
  /** How rules have refusals told, by `repository:tag`. */
  readonly rules = new Map<string, 'deny' | 'hard-stop'>();
  readonly metrics = new Metrics({ version: '0.0.0-test', processMetrics: false });
  readonly relay: Relay;
  readonly listener: RegistryListener;
  readonly #profile: ListenerProfile;
  readonly #context: RegistryContext;
  port = 0;

  constructor(
    options: {
      readonly refusal?: 'deny' | 'hard-stop';
      readonly relay?: Partial<RelayOptions>;
      readonly limits?: Partial<HttpLimits>;
      readonly places?: Partial<RequestLimits>;
      /** Connections at once; default 1000. */
      readonly connections?: number;
      readonly hasHardStopRules?: boolean;
      readonly clock?: Clock;
      readonly defaultRegistry?: string;
      /** Registries by the listener's own host names. */
      readonly hosts?: Readonly<Record<string, string>>;
      readonly gate?: Gate;
      readonly tls?: TlsIdentity;
    } = {},
  ) {
    const clock = options.clock ?? this.clock;
    const { connections = 1000 } = options;
    this.connections = new ConnectionPlaces(clock, { ...ROOMY, ...options.places, connections });
    this.places = new RequestPlaces(clock, { ...ROOMY, ...options.places });
    this.relay = new Relay({
      // Its time limits are about real connections.
      clock: systemClock,
      originOf: () => undefined,
      authorization: async () => undefined,
      admit: async () => ({
        succeeded: () => undefined,
        failed: () => undefined,
        leave: () => undefined,
      }),
      ...options.relay,
    });
    const hosts = Object.entries(options.hosts ?? {}).map(
      ([host, registry]) => [host, parseRegistryHost(registry)] as const,
    );
    this.#profile = {
      name: 'test',
      refusal: options.refusal ?? 'deny',
      naming: { defaultRegistry: parseRegistryHost(options.defaultRegistry ?? 'docker.io') },
      ...(hosts.length === 0 ? {} : { hosts: new HostNames(hosts) }),
      ...(options.gate === undefined ? {} : { gate: options.gate }),
    };
    this.#context = {
      pulls: this.pulls,
      trustFiles: this.pulls,
      catalog: this.pulls,
      referrers: NO_REFERRERS,
      upstreams: new Set(['docker.io', 'registry.example.com']),
      hasHardStopRules: options.hasHardStopRules ?? false,
      decoys: new DecoyIssuer({ secret: Buffer.alloc(32, 7), clock }),
      relay: this.relay,
      bypassWatch: new BypassWatch({ clock }),
      refusals: this.refusals,
      requests: this.requests,
      places: this.places,
      connections: this.connections,
      refusalForm: (repository, tag) => this.rules.get(`${repositoryName(repository)}:${tag}`),
      clock,
      metrics: this.metrics,
      log: new Log({ write: (line) => this.lines.push(line) }),
      docsUrl: 'https://pinnace.example/errors',
    };
    this.listener = new RegistryListener({
      profile: this.#profile,
      host: '127.0.0.1',
      port: 0,
      ...(options.limits === undefined ? {} : { limits: options.limits }),
      ...(options.tls === undefined ? {} : { tls: options.tls }),
      context: this.#context,
    });
  }

  /** Puts another certificate or client CA in force, as a reload does. */
  useTls(tls: TlsIdentity): void {
    this.listener.prepare({ context: this.#context, profile: this.#profile, tls })();
  }

  async start(): Promise<this> {
    const address = await this.listener.start();
    this.port = address.port;
    return this;
  }

  get(path: string, options: Ask = {}): Promise<Answer> {
    return ask(this.port, path, options);
  }

  head(path: string, options: Ask = {}): Promise<Answer> {
    return ask(this.port, path, { ...options, method: 'HEAD' });
  }

  /** The log lines of one event. */
  logged(event: string): readonly Record<string, unknown>[] {
    return this.lines
      .map((line): Record<string, unknown> => JSON.parse(line))
      .filter((line) => line['event'] === event);
  }

  /** The value of one series, as it stands in the text format: `name{label="value"}`. */
  async metric(series: string): Promise<number | undefined> {
    const text = await this.metrics.render();
    const line = text.split('\n').find((each) => each.startsWith(`${series} `));
    return line === undefined ? undefined : Number(line.slice(series.length + 1));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.listener.stop({ drainMs: 0 });
    this.relay.close();
    this.metrics.stop();
  }
}
