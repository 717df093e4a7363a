import { OciError } from '../oci/errors.ts';
import { type ListenerNaming, locateRepository, looksLikeHost } from '../oci/image-name.ts';
import { parseRegistryHost, parseRepositoryPath, type Repository, type Tag } from '../oci/names.ts';
import { parseRoute, type Route } from '../oci/route.ts';
import { askedOf, tagOf } from './asked.ts';
import type { Asked } from './exchange.ts';
import type { ListenerProfile } from './registry-context.ts';

/** A parsed request and the repository it means, if it names one. */
export interface LocatedRoute {
  readonly route: Route;
  readonly repository: Repository | undefined;
  /** The same for log and metrics. */
  readonly asked: Asked;
  /** The tag that it is about, if it is about one. */
  readonly tag: Tag | undefined;
  /** How names were read. */
  readonly naming: ListenerNaming;
}

const MAX_REMEMBERED = 1024;
const MAX_REMEMBERED_LENGTH = 512;

/** Parses the requests of one listener, and remembers the recent ones: engines ask for the same few again and again. */
export class LocatedRoutes {
  readonly #listener: ListenerProfile;
  readonly #upstreams: ReadonlySet<string>;
  #recent = new Map<string, LocatedRoute>();
  #older = new Map<string, LocatedRoute>();

  constructor(listener: ListenerProfile, upstreams: ReadonlySet<string>) {
    this.#listener = listener;
    this.#upstreams = upstreams;
  }

  /** What this target was found to mean before. Only GET and HEAD are ever understood, and they mean the same. */
  known(method: string, target: string): LocatedRoute | undefined {
    return method === 'GET' || method === 'HEAD'
      ? (this.#recent.get(target) ?? this.#older.get(target))
      : undefined;
  }

  /** @throws {OciError} as `parseRoute` and `locateRepository` do */
  parse(method: string, target: string): LocatedRoute {
    const route = parseRoute(method, target);
    const repository = 'name' in route ? this.#locate(route) : undefined;
    const located = {
      ...{ route, repository, naming: this.#listener.naming },
      ...{ asked: askedOf(route, repository), tag: tagOf(route) },
    };
    this.#remember(target, located);
    return located;
  }

  /** The repository that a name alone means. @throws {OciError} as `locateRepository` does */
  locateName(name: string): Repository {
    return locateRepository(name, undefined, this.#listener.naming, this.#upstreams);
  }

  #locate(route: Extract<Route, { readonly name: string }>): Repository {
    try {
      return locateRepository(route.name, route.ns, this.#listener.naming, this.#upstreams);
    } catch (error) {
      // An engine that is told "not found" by a mirror asks the origin: there, an unknown registry must become a refusal.
      const isUnknown = error instanceof OciError && error.code === 'NAME_UNKNOWN';
      const stranger =
        isUnknown && this.#listener.refusal === 'hard-stop' ? strangerOf(route) : undefined;
      if (stranger === undefined) throw error;
      return stranger;
    }
  }

  #remember(target: string, located: LocatedRoute): void {
    if (target.length > MAX_REMEMBERED_LENGTH) return;
    if (this.#recent.size >= MAX_REMEMBERED) {
      this.#older = this.#recent;
      this.#recent = new Map();
    }
    this.#recent.set(target, located);
  }
}

/** The repository of a registry that is not configured; no rule covers it, so nothing of it is ever served. */
function strangerOf(route: Extract<Route, { readonly name: string }>): Repository | undefined {
  if (route.ns !== undefined) {
    return { registry: route.ns, path: parseRepositoryPath(route.name) };
  }
  const slash = route.name.indexOf('/');
  const first = slash < 0 ? '' : route.name.slice(0, slash);
  if (!looksLikeHost(first)) return undefined;
  return {
    registry: parseRegistryHost(first),
    path: parseRepositoryPath(route.name.slice(slash + 1)),
  };
}
