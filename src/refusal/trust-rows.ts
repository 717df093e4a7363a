import type { Facts } from '../base/coded-error.ts';
import type { TrustReason } from '../base/reason-code.ts';
import { factText } from './plain-text.ts';
import { type ReasonRow, refused } from './reason-row.ts';

const ASK_PUBLISHER = 'Do not use this image until its publisher has explained what happened.';
const LOOK_AT_SERVER =
  'Report it to the operator of the trust server: its files do not fit together, or somebody alters them.';

/** The rows of the reasons that trust metadata gives: all of them are proofs, none of them is a guess. */
export const TRUST_ROWS: Readonly<Record<TrustReason, ReasonRow>> = {
  no_trust_data: refused({
    happened: () => 'this repository is not signed, the trust server knows nothing about it',
    remedy: 'Ask the publisher to sign it, or the operator of Pinnace to change its rule.',
    logLevel: 'info',
  }),
  tag_not_signed: refused({
    happened: () => 'this tag is not signed',
    remedy: 'Check the spelling of the tag, pull a signed one, or ask the publisher to sign it.',
    logLevel: 'info',
  }),
  tag_not_released: refused({
    happened: (facts) =>
      `this tag is signed${fact(facts, 'role', ' by ')} but has not been released`,
    remedy: 'Ask the publisher to release it with a key of targets or targets/releases.',
    logLevel: 'info',
  }),
  required_signer_missing: refused({
    happened: (facts) => `it lacks the required signature${fact(facts, 'signer', ' by ')}`,
    remedy: 'Ask the signers that the rule names to sign this tag.',
    logLevel: 'info',
  }),
  signer_conflict: refused({
    happened: (facts) =>
      `${factText(facts, 'signer') ?? 'a required signer'} has signed other content for this tag`,
    remedy: 'Ask the signers to agree on one image and to sign the tag again.',
  }),
  target_unusable: refused({
    happened: () => 'what was signed for this tag names no usable sha256 digest or length',
    remedy: 'Ask the publisher to sign the tag again with a current tool.',
  }),
  root_expired: expired('root', 'Ask the publisher to rotate the root key of this repository.'),
  targets_expired: expired('targets', 'Ask the publisher to sign this repository again.'),
  snapshot_expired: expired('snapshot', 'Ask the publisher to sign this repository again.'),
  timestamp_expired: expired(
    'timestamp',
    'Ask the operator of the trust server why it no longer renews its timestamps; for a collection of your own, run pinnace collection renew.',
  ),
  bad_signature: refused({
    happened: (facts) => `a signature on its ${role(facts)} metadata is false`,
    remedy: ASK_PUBLISHER,
  }),
  threshold_not_met: refused({
    happened: (facts) =>
      `its ${role(facts)} metadata is not signed by enough of its keys${signatures(facts)}`,
    remedy: ASK_PUBLISHER,
  }),
  malformed: refused({
    happened: (facts) =>
      `its ${role(facts)} metadata is not well-formed${bracketed(facts, 'field')}`,
    remedy: LOOK_AT_SERVER,
  }),
  rollback: refused({
    happened: (facts) => `its ${role(facts)} metadata ${steppedBack(facts)}`,
    remedy: `${LOOK_AT_SERVER} After an honest restore of its database, see pinnace trust reset.`,
  }),
  checksum_mismatch: refused({
    happened: (facts) => `its ${role(facts)} metadata does not have the checksum that was signed`,
    remedy: LOOK_AT_SERVER,
  }),
  length_exceeded: refused({
    happened: (facts) => `its ${role(facts)} metadata is longer than allowed${limit(facts)}`,
    remedy: LOOK_AT_SERVER,
  }),
  length_mismatch: refused({
    happened: (facts) => {
      const at = factText(facts, 'role');
      const what = at === undefined ? 'its content' : `its ${at} metadata`;
      return `${what} does not have the length that was signed`;
    },
    remedy: LOOK_AT_SERVER,
  }),
  metadata_missing: refused({
    happened: (facts) =>
      `its ${role(facts)} metadata is listed as existing but the trust server does not have it`,
    remedy: LOOK_AT_SERVER,
  }),
  root_cert_invalid: refused({
    happened: () => 'its root certificate is expired, too weak or made for another repository',
    remedy: 'Ask the publisher to rotate the root key with a valid certificate.',
  }),
  root_rotation_invalid: refused({
    happened: (facts) =>
      `its new root metadata is not signed by the root trusted so far${succession(facts)}`,
    remedy: `${ASK_PUBLISHER} If it was set up anew on purpose, see pinnace trust reset.`,
  }),
  pin_mismatch: refused({
    happened: (facts) =>
      `its root key${fact(facts, 'rootKeys', ' ')} is none of those configured for this repository`,
    remedy: `${ASK_PUBLISHER} If the key is right, ask the operator of Pinnace to add it as an anchor.`,
  }),
  tofu_disabled: refused({
    happened: () => 'no root key is configured for this repository',
    remedy: 'Ask the operator of Pinnace to configure an anchor for it.',
    logLevel: 'info',
  }),
};

function expired(name: string, remedy: string): ReasonRow {
  return refused({
    happened: (facts) => {
      const at = factText(facts, 'expiresAt');
      const when = at === undefined ? '' : ` at ${at.replace(/\.000Z$/, 'Z')}`;
      return `its ${factText(facts, 'role') ?? name} metadata expired${when}`;
    },
    remedy,
  });
}

/** The role at fault, or "signed" where the error does not name one: "its signed metadata". */
function role(facts: Facts): string {
  return factText(facts, 'role') ?? 'signed';
}

/** The fact behind `before`, or nothing. */
function fact(facts: Facts, name: string, before: string): string {
  const text = factText(facts, name);
  return text === undefined ? '' : `${before}${text}`;
}

function bracketed(facts: Facts, name: string): string {
  const text = factText(facts, name);
  return text === undefined ? '' : ` (${text})`;
}

/** In what way a role went back, as far as the facts say so. */
function steppedBack(facts: Facts): string {
  const offered = factText(facts, 'offeredVersion');
  const trusted = factText(facts, 'trustedVersion');
  if (offered === undefined || trusted === undefined) {
    return Object.hasOwn(facts, 'snapshotVersion')
      ? 'was published and is now hidden'
      : 'went back to an earlier state';
  }
  return offered === trusted
    ? `changed without a new version (${offered})`
    : `went from version ${trusted} to version ${offered}, which must not be`;
}

function succession(facts: Facts): string {
  const offered = factText(facts, 'offeredVersion');
  const trusted = factText(facts, 'trustedVersion');
  return offered === undefined || trusted === undefined
    ? ''
    : ` (version ${offered} after version ${trusted})`;
}

/** ` (1 of 2)`: the good signatures and how many there should be. */
function signatures(facts: Facts): string {
  const valid = factText(facts, 'validSignatures');
  const threshold = factText(facts, 'threshold');
  return valid === undefined || threshold === undefined ? '' : ` (${valid} of ${threshold})`;
}

function limit(facts: Facts): string {
  const bytes = factText(facts, 'maxBytes') ?? factText(facts, 'expectedBytes');
  return bytes === undefined ? '' : ` (${bytes} bytes)`;
}
