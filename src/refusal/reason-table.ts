import type { Facts } from '../base/coded-error.ts';
import type {
  OwnReason,
  ReasonCode,
  TrustServerReason,
  UpstreamReason,
} from '../base/reason-code.ts';
import { formatDuration } from '../base/units.ts';
import { factText } from './plain-text.ts';
import { inconclusive, type ReasonRow, refused } from './reason-row.ts';
import { TRUST_ROWS } from './trust-rows.ts';

const TRUST_SERVER_ROWS: Readonly<Record<TrustServerReason, ReasonRow>> = {
  trust_server_unreachable: inconclusive({
    happened: (facts) =>
      `the trust server${server(facts)} cannot be reached, so nothing can be said about this image`,
    remedy: 'Try again in a moment; if it lasts, tell the operator of Pinnace.',
  }),
  trust_server_unauthorized: inconclusive({
    happened: (facts) =>
      `the trust server${server(facts)} does not let Pinnace read the signatures of this repository`,
    remedy: 'Tell the operator of Pinnace to check the credentials for the trust server.',
    logLevel: 'error',
    retryAfterSeconds: 60,
  }),
  trust_server_error: inconclusive({
    happened: (facts) => {
      const status = factText(facts, 'status');
      const answered = status === undefined ? '' : ` (HTTP status ${status})`;
      return `the trust server${server(facts)} failed${answered}, so nothing can be said about this image`;
    },
    remedy: 'Try again in a moment; if it lasts, tell the operator of the trust server.',
  }),
};

const UPSTREAM_ROWS: Readonly<Record<UpstreamReason, ReasonRow>> = {
  upstream_unreachable: inconclusive({
    happened: () => 'the registry cannot be reached or broke off',
    remedy: 'Try again in a moment; if it lasts, tell the operator of Pinnace.',
  }),
  upstream_denied: refused({
    happened: () => 'the registry does not let Pinnace read this repository',
    remedy: 'Check the name, or ask the operator of Pinnace for the credentials of that registry.',
  }),
  upstream_rate_limited: inconclusive({
    happened: () => 'the registry has had too many requests from Pinnace',
    remedy: 'Try again later, or ask the operator of Pinnace to log in to that registry.',
    status: 429,
    ociCode: 'TOOMANYREQUESTS',
    retryAfterSeconds: 60,
  }),
  upstream_busy: inconclusive({
    happened: () => 'Pinnace has as many requests to that registry under way as it is allowed',
    remedy:
      'Try again in a moment; if it lasts, tell the operator of Pinnace to look at that registry and at its limits.',
    retryAfterSeconds: 5,
  }),
  manifest_missing: refused({
    happened: (facts) =>
      facts['isUnverified'] === true
        ? 'the registry does not have it'
        : 'it is signed, but the registry no longer has the signed manifest',
    remedy: 'Ask the publisher to push the signed image again or to sign the one that is there.',
    status: 404,
    ociCode: 'MANIFEST_UNKNOWN',
  }),
  blob_missing: refused({
    happened: () => 'the registry no longer has this part of the image',
    remedy: 'Ask the publisher to push the image again.',
    status: 404,
    ociCode: 'BLOB_UNKNOWN',
  }),
  digest_mismatch: refused({
    happened: () => 'the registry sent other content than the digest or the signature names',
    remedy: 'Report it to the operator of the registry: somebody or something altered the image.',
  }),
};

const OWN_ROWS: Readonly<Record<OwnReason, ReasonRow>> = {
  no_rule: refused({
    happened: () => 'no rule of the policy covers this repository',
    remedy: 'Check the name, or ask the operator of Pinnace for a rule.',
    logLevel: 'info',
  }),
  digest_not_vouched: refused({
    happened: () => 'this digest belongs to no signed tag of the repository',
    remedy: 'Pull a signed tag, or ask the publisher to sign this image.',
    logLevel: 'info',
  }),
  image_not_ready: inconclusive({
    happened: (facts) => {
      const withinMs = facts['withinMs'];
      const waited = typeof withinMs === 'number' ? ` in ${formatDuration(withinMs)}` : '';
      return `Pinnace fetches the whole image before it answers, and that was not done${waited}; it goes on`;
    },
    remedy: 'Pull again in a moment: it is answered at once when the image is whole.',
    logLevel: 'info',
  }),
  image_incomplete: inconclusive({
    happened: () =>
      'the image has to be whole in the cache of Pinnace before it is answered, and cannot be kept there',
    remedy: 'Tell the operator of Pinnace to look at cache.maxBytes and at the disk.',
    logLevel: 'error',
    retryAfterSeconds: 60,
  }),
  overloaded: inconclusive({
    happened: (facts) => {
      const limit = factText(facts, 'limit');
      const reached = limit === undefined ? '' : ` (limits.${limit} is ${factText(facts, 'most')})`;
      return `Pinnace has more to do than it may at once${reached}`;
    },
    remedy:
      'Try again in a moment; if it lasts, tell the operator of Pinnace to look at its load and at its limits.',
    retryAfterSeconds: 5,
  }),
  denied_by_rule: refused({
    happened: (facts) => {
      const what = factText(facts, 'denied');
      return `the operator of Pinnace has denied it${what === undefined ? '' : ` (${what})`}`;
    },
    remedy: 'Use another version, or ask the operator of Pinnace why this one is on a deny list.',
  }),
  clock_went_back: inconclusive({
    happened: (facts) => {
      const newest = factText(facts, 'newestSeen');
      const seen = newest === undefined ? '' : ` (it was ${newest} already)`;
      return `the clock of Pinnace has gone back${seen}, so expiry cannot be judged`;
    },
    remedy:
      'Tell the operator of Pinnace to set the clock right, or, if the later time was the wrong one, to use pinnace trust reset-clock.',
    logLevel: 'error',
    retryAfterSeconds: 60,
  }),
  state_unreadable: inconclusive({
    happened: () => 'Pinnace cannot read what it remembers of this repository',
    remedy: 'Tell the operator of Pinnace to look at its log, and at pinnace trust reset.',
    logLevel: 'error',
    retryAfterSeconds: 60,
  }),
  media_type_not_supported: refused({
    happened: (facts) => {
      const mediaType = factText(facts, 'mediaType');
      const named = mediaType === undefined ? '' : ` (${mediaType})`;
      return `its manifest format is not supported${named}`;
    },
    remedy: 'Ask the publisher to push it again as an OCI image or in Docker schema 2.',
    logLevel: 'info',
  }),
  push_not_supported: refused({
    happened: () => 'Pinnace serves pulls only',
    remedy: 'Push to or delete at the registry itself.',
    status: 405,
    ociCode: 'UNSUPPORTED',
    logLevel: 'info',
  }),
  client_unauthorized: refused({
    happened: (facts) => factText(facts, 'login') ?? 'Pinnace does not know who is asking',
    remedy: 'Log in to Pinnace with your engine, or give it its certificate, then pull again.',
    status: 401,
    ociCode: 'UNAUTHORIZED',
    logLevel: 'info',
  }),
  client_forbidden: refused({
    happened: () => 'your login may not pull from this repository',
    remedy: 'Ask the operator of Pinnace for access.',
    logLevel: 'info',
  }),
  canary: refused({
    happened: () => 'it is a canary, there to be refused',
    remedy: 'Nothing is wrong: pinnace doctor pulls it to see what the engine makes of a refusal.',
    logLevel: 'info',
  }),
  client_rate_limited: inconclusive({
    happened: () => 'too many logins failed for this user or from this address',
    remedy: 'Correct the login where it is stored, and try again after a while.',
    status: 429,
    ociCode: 'TOOMANYREQUESTS',
    retryAfterSeconds: 60,
  }),
  client_check_unavailable: inconclusive({
    happened: (facts) => factText(facts, 'login') ?? 'Pinnace cannot check logins at this moment',
    remedy: 'Try again in a moment; if it lasts, tell the operator of Pinnace.',
  }),
  internal: inconclusive({
    happened: () => 'Pinnace failed for a reason of its own',
    remedy: 'Try again; if it lasts, give the decision id to the operator of Pinnace.',
    status: 500,
    ociCode: 'UNKNOWN',
    logLevel: 'error',
  }),
};

/**
 * What follows from each reason code: verdict, status, OCI code, log level, sentence and remedy. Statuses that mean
 * "proved bad" and "could not find out" never meet, so that a client can tell them apart.
 *
 * @source OCI distribution 1.1 (#error-codes); `docs/errors.md` is held to this table by a test
 */
export const REASON_TABLE: Readonly<Record<ReasonCode, ReasonRow>> = {
  ...TRUST_ROWS,
  ...TRUST_SERVER_ROWS,
  ...UPSTREAM_ROWS,
  ...OWN_ROWS,
} satisfies Record<ReasonCode, ReasonRow>;

function server(facts: Facts): string {
  const name = factText(facts, 'server');
  return name === undefined ? '' : ` ${name}`;
}
