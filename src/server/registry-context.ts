import type { Gate } from '../auth/gate.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { HostNames } from '../oci/host-names.ts';
import type { ListenerNaming } from '../oci/image-name.ts';
import type { Repository, Tag } from '../oci/names.ts';
import type { DecoyIssuer } from '../refusal/decoy.ts';
import type {
  CatalogService,
  PullService,
  ReferrerService,
  ServedManifest,
  TrustFileService,
} from '../resolve/pull-service.ts';
import type { BypassWatch } from './bypass-watch.ts';
import type { ConnectionPlaces } from './connection-places.ts';
import type { HttpResponse } from './http-response.ts';
import type { FileKeep } from './peer.ts';
import type { RefusalHistory } from './refusal-history.ts';
import type { Relay } from './relay.ts';
import type { RequestCount } from './request-count.ts';
import type { RequestPlaces } from './request-places.ts';

/** What it takes to answer a request, whatever with, and to count and log it. */
export interface ExchangeContext {
  /** The requests that are answered out of this context. */
  readonly requests: RequestCount;
  /** The places of requests under way, whatever the context. */
  readonly places: RequestPlaces;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Log;
}

/** Who says what of the answers may be given again by others. */
export interface AnswerKeeper {
  /** Marks an answer that is about to be sent, if it may. */
  mark(
    answer: { readonly response: HttpResponse; readonly listener: ListenerProfile },
    about: { readonly repository: Repository; readonly tag: Tag },
    manifest: ServedManifest,
  ): void;
  /** How stored content that is about to be handed over may be sent again; undefined: not without asking. */
  ofFile(listener: ListenerProfile, repository: Repository): FileKeep | undefined;
  /** Another configuration is in force: nothing that is answered by this one from now on may be given again. */
  retire(): void;
}

/** What all registry listeners of a process share as long as one configuration is in force. */
export interface RegistryContext extends ExchangeContext {
  readonly pulls: PullService;
  readonly trustFiles: TrustFileService;
  readonly catalog: CatalogService;
  readonly referrers: ReferrerService;
  /** The configured registries by name. */
  readonly upstreams: ReadonlySet<string>;
  readonly decoys: DecoyIssuer;
  /** Whether some rule has refusals told as decoys, whatever the listener. */
  readonly hasHardStopRules: boolean;
  readonly relay: Relay;
  readonly bypassWatch: BypassWatch;
  readonly refusals: RefusalHistory;
  /** The places of connections, whatever the context. */
  readonly connections: ConnectionPlaces;
  /** How the rule for a tag has refusals told; undefined: as the listener does. */
  readonly refusalForm: (repository: Repository, tag: Tag) => 'deny' | 'hard-stop' | undefined;
  /** Marks answers that others may give again; absent: there are no others. */
  readonly keeper?: AnswerKeeper;
  /** Where `docs/errors.md` can be read; refusals point into it. */
  readonly docsUrl?: string;
}

/** What one registry listener is for. */
export interface ListenerProfile {
  /** Its name in the configuration. */
  readonly name: string;
  /**
   * `deny`: refusals are told as they are. `hard-stop`: a refused tag is answered with a decoy, for engines that would
   * ask the origin otherwise.
   */
  readonly refusal: 'deny' | 'hard-stop';
  readonly naming: ListenerNaming;
  /** Registries by the host that a request was sent to; absent: the host says nothing. */
  readonly hosts?: HostNames;
  /** Finds out who is asking; absent: nobody is asked. */
  readonly gate?: Gate;
}
