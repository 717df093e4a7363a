import { CodedError } from '../base/coded-error.ts';

/** Everything that can stand in the way of signing, as a closed list. */
export type SigningCode =
  | 'wrong_passphrase'
  | 'passphrase_missing'
  | 'passphrase_unfit'
  | 'key_missing'
  | 'key_unreadable'
  | 'key_exists'
  | 'key_repeated'
  | 'threshold_impossible'
  | 'collection_missing'
  | 'collection_exists'
  | 'not_begun'
  | 'collection_damaged'
  | 'collection_busy'
  | 'collection_changed'
  | 'settings_unreadable'
  | 'pending_stale'
  | 'pending_unreadable'
  | 'nothing_pending'
  | 'not_approved'
  | 'name_unfit'
  | 'about_to_expire'
  | 'not_confirmed'
  | 'published_differs'
  | 'publish_failed'
  | 'image_unusable';

/** Why a site's own collection was not changed; whenever it is thrown, nothing has been lost. */
export class SigningError extends CodedError<SigningCode> {}
