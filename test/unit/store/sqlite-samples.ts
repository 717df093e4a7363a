import type { CollectionKey, TrustRecord } from '../../../src/metadata/ports.ts';
import type { Descriptor } from '../../../src/oci/descriptor.ts';
import { blobOf, bytes, manifestOf } from '../../contract/state-samples.ts';

/** A collection that `filledState` has. */
export const KEY: CollectionKey = { source: 'corp', gun: 'docker.io/library/alpine' };

/** The other one that it has. */
export const OTHER: CollectionKey = { source: 'corp', gun: 'docker.io/library/busybox' };

/** A collection that it does not have. */
export const NEW: CollectionKey = { source: 'corp', gun: 'docker.io/library/new' };

/** A manifest that it vouches for. */
export const MANIFEST: Descriptor = manifestOf('manifest');

/** The manifest's one layer. */
export const LAYER: Descriptor = blobOf('layer');

/** A record whose files tell `content`. */
export function recordOf(content: string): TrustRecord {
  return {
    anchorRoot: bytes('anchor'),
    admission: 'anchor',
    admittedAt: 1,
    root: bytes(content),
    timestamp: bytes(`timestamp of ${content}`),
    snapshot: bytes(`snapshot of ${content}`),
    targets: new Map([['targets', bytes(`targets of ${content}`)]]),
    checkedAt: 2,
  };
}
