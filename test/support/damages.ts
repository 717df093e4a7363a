import type { ReasonCode } from '../../src/base/reason-code.ts';
import { type Damage, damagesIn } from './damage.ts';
import { CONTENT_DAMAGES } from './damages-of-content.ts';
import { HISTORY_DAMAGES } from './damages-of-history.ts';
import { SIGNATURE_DAMAGES } from './damages-of-signatures.ts';
import type { Fault } from './http-faults.ts';

const TABLE: readonly Damage[] = [...SIGNATURE_DAMAGES, ...HISTORY_DAMAGES, ...CONTENT_DAMAGES];

/** Every damage that can be done to a Notary v1 collection, by name. */
export const DAMAGES: readonly Damage[] = damagesIn('notary-v1', TABLE);

/** Every damage of the same table that can be done to a TUF 1.0 repository. */
export const TUF_DAMAGES: readonly Damage[] = damagesIn('tuf-1.0', TABLE);

/** A way in which a trust server gives no answer that could be judged. */
export interface Outage {
  readonly name: string;
  readonly reason: ReasonCode;
  readonly fault: Fault;
}

/** Outages to inject into a `NotaryServer` for `timestamp.json` or all files. */
export const OUTAGES: readonly Outage[] = [
  ...[400, 429, 500, 502, 503].map(
    (status): Outage => ({
      name: `status ${status}`,
      reason: 'trust_server_error',
      fault: { kind: 'status', status },
    }),
  ),
  ...[401, 403].map(
    (status): Outage => ({
      name: `status ${status}`,
      reason: 'trust_server_unauthorized',
      fault: { kind: 'status', status },
    }),
  ),
  {
    name: 'redirect',
    reason: 'trust_server_error',
    fault: { kind: 'redirect', location: 'http://127.0.0.1:9/elsewhere' },
  },
  { name: 'connection reset', reason: 'trust_server_unreachable', fault: { kind: 'reset' } },
  {
    name: 'connection reset in the middle of a file',
    reason: 'trust_server_unreachable',
    fault: { kind: 'reset', afterBytes: 20 },
  },
  { name: 'no answer', reason: 'trust_server_unreachable', fault: { kind: 'hang' } },
  {
    name: 'answer that stops in the middle',
    reason: 'trust_server_unreachable',
    fault: { kind: 'hang', afterBytes: 20 },
  },
];
