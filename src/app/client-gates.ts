import { BasicGate } from '../auth/basic-gate.ts';
import { CertificateGate } from '../auth/certificate-gate.ts';
import type { Gate } from '../auth/gate.ts';
import { HtpasswdLogin, type Login, type Users } from '../auth/htpasswd-login.ts';
import { MAX_KEY_SET_BYTES } from '../auth/key-set.ts';
import { FetchedKeys, FixedKeys, type KeySource } from '../auth/key-source.ts';
import { OidcLogin } from '../auth/oidc-login.ts';
import { TokenEndpoint } from '../auth/token-endpoint.ts';
import { TokenGate } from '../auth/token-gate.ts';
import { TokenIssuer } from '../auth/token-issuer.ts';
import { OwnTokenKeys } from '../auth/token-keys.ts';
import { TokenVerifier } from '../auth/token-verifier.ts';
import type { Clock } from '../base/clock.ts';
import { VERSION } from '../base/version.ts';
import type {
  ClientsConfig,
  TokenCheckConfig,
  TokenClientsConfig,
  TokenEndpointClientsConfig,
} from '../config/clients-config.ts';
import type { Log } from '../observe/log.ts';
import type { UpstreamEvents } from '../upstream/events.ts';
import { SmallDocument } from '../upstream/small-document.ts';
import type { ClientMemory } from './client-memory.ts';

/** What gates are made from. */
export interface GateContext {
  readonly clock: Clock;
  readonly log: Log;
  readonly memory: ClientMemory;
  readonly events: UpstreamEvents;
  /** 32 bytes that belong to a name, the same ever after. */
  readonly secret: (name: string) => Promise<Uint8Array>;
}

/** The gates of one configuration, by the entry of `clients`; listeners with the same entry share one. */
export class ClientGates {
  readonly #context: GateContext;
  readonly #gates: ReadonlyMap<string, Gate>;
  readonly #documents: SmallDocument[] = [];

  constructor(clients: ReadonlyMap<string, ClientsConfig>, context: GateContext) {
    this.#context = context;
    this.#gates = new Map([...clients].map(([name, config]) => [name, this.#create(config)]));
  }

  /** The gate of an entry. */
  of(name: string): Gate | undefined {
    return this.#gates.get(name);
  }

  /** Lets go of connections. */
  async close(): Promise<void> {
    await Promise.all(this.#documents.map(async (document) => await document.close()));
  }

  #create(config: ClientsConfig): Gate {
    switch (config.kind) {
      case 'basic':
        return new BasicGate(config.name, this.#htpasswdLogin(config.name, config.users));
      case 'mtls': {
        const { name, nameFrom } = config;
        return new CertificateGate({ name, nameFrom, clock: this.#context.clock });
      }
      case 'token':
        return this.#tokenGate(config);
      case 'token-endpoint':
        return this.#ownTokenGate(config);
    }
  }

  #htpasswdLogin(source: string, users: Users): HtpasswdLogin {
    const { memory } = this.#context;
    const { comparer, logins } = memory;
    const limiter = memory.limiterOf(source);
    return new HtpasswdLogin({ source, users, comparer, limiter, memory: logins });
  }

  #tokenGate({ name, realm, service, check }: TokenClientsConfig): TokenGate {
    const verifier = this.#verifier(name, check);
    return new TokenGate({ name, service, verifier, realm: () => realm });
  }

  #ownTokenGate(config: TokenEndpointClientsConfig): TokenGate {
    const { name, service, realm, lifetimeMs, refreshLifetimeMs } = config;
    const { clock, secret } = this.#context;
    const login = this.#loginOf(config);
    const issuer = new TokenIssuer({
      ...{ source: name, service, login, lifetimeMs, clock },
      keys: new OwnTokenKeys(async () => await secret(`token-endpoint ${name}`)),
      ...(refreshLifetimeMs === undefined ? {} : { refreshLifetimeMs }),
    });
    return new TokenGate({
      ...{ name, service, groupsClaim: 'groups' },
      verifier: issuer.accessVerifier(),
      realm: (origin) => realm ?? `${origin ?? ''}/token`,
      isCurrent: (claims) => issuer.isCurrent(claims),
      endpoint: new TokenEndpoint({ service, login, issuer }),
    });
  }

  #loginOf({ name, login }: TokenEndpointClientsConfig): Login {
    if (login.kind === 'htpasswd') return this.#htpasswdLogin(name, login.users);
    const { check, usernameClaim, groupsClaim } = login;
    return new OidcLogin({
      ...{ source: name, usernameClaim, verifier: this.#verifier(name, check) },
      ...(groupsClaim === undefined ? {} : { groupsClaim }),
    });
  }

  #verifier(name: string, check: TokenCheckConfig): TokenVerifier {
    const { issuer, audience, algorithms, clockSkewMs } = check;
    const { clock } = this.#context;
    const keys = this.#keysOf(name, check);
    return new TokenVerifier({ issuer, audience, algorithms, clockSkewMs, keys, clock });
  }

  #keysOf(name: string, { keys }: TokenCheckConfig): KeySource {
    if (keys.kind === 'known') return new FixedKeys(keys.keys);
    const { clock, log, events } = this.#context;
    const document = new SmallDocument({
      ...{ name, url: keys.url, proxy: keys.proxy, maxBytes: MAX_KEY_SET_BYTES },
      ...{ version: VERSION, clock, events },
      ...(keys.ca === undefined ? {} : { ca: keys.ca }),
    });
    this.#documents.push(document);
    return new FetchedKeys({
      clock,
      fetch: async () => await document.fetch(),
      onFailure: (error) => log.failure('client.keys_failed', error, { clients: name }),
    });
  }
}
