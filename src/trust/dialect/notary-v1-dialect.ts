import type { Dialect } from '../dialect.ts';
import { TrustError } from '../errors.ts';
import { validRootKeys } from '../root-keys.ts';
import { verifySignature } from '../signature.ts';
import { parseEnvelope, parseRoot, parseSnapshot, parseTimestamp } from './notary-v1.ts';
import { parseTargets } from './notary-v1-targets.ts';

/**
 * The dialect of Docker Content Trust: files go by their SHA-256, root keys are certificates bound to the collection.
 *
 * @source notary: tuf/data, tuf/builder.go, trustpinning
 */
export const notaryV1: Dialect = {
  name: 'notary-v1',
  parseEnvelope,
  parseRoot,
  parseTimestamp,
  parseSnapshot,
  parseTargets,
  verifySignature,
  rootKeys: validRootKeys,
  sameTimestampVersion: 'refuse',
  targetsFloor: 'own-file',
  unlistedDelegation: 'unpublished',
  fileName(role, { hashes }) {
    const sha256 = hashes.get('sha256');
    if (sha256 === undefined) {
      throw new TrustError('malformed', `${role} is listed without a SHA-256`, {
        detail: { role },
      });
    }
    return `${role}.${sha256}.json`;
  },
};
