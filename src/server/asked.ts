import type { RequestKind } from '../observe/metric-table.ts';
import type { Repository, Tag } from '../oci/names.ts';
import type { Route } from '../oci/route.ts';
import type { Asked } from './exchange.ts';

/** What a request asks about, for log and metrics. */
export function askedOf(route: Route, repository: Repository | undefined): Asked {
  const kind = kindOf(route);
  return repository === undefined ? { kind } : { kind, repository, reference: referenceOf(route) };
}

/** The tag that a request is about, if it is about one. */
export function tagOf(route: Route): Tag | undefined {
  return route.kind === 'manifest' && route.reference.kind === 'tag'
    ? route.reference.tag
    : undefined;
}

function kindOf(route: Route): RequestKind {
  switch (route.kind) {
    case 'manifest':
      return route.reference.kind === 'tag' ? 'manifest_tag' : 'manifest_digest';
    case 'trust-metadata':
      return 'trust';
    default:
      return route.kind;
  }
}

function referenceOf(route: Route): string {
  switch (route.kind) {
    case 'manifest':
      return route.reference.kind === 'tag' ? route.reference.tag : route.reference.digest;
    case 'blob':
    case 'referrers':
      return route.digest;
    case 'trust-metadata':
      return route.file;
    default:
      return '';
  }
}
