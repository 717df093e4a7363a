import { CodedError } from '../base/coded-error.ts';

/**
 * Sending content ended early for a reason that is not the upstream's: `client_gone` (the sink was closed or failed),
 * `client_stalled` (it took nothing for too long while content could not be stored), `content_lost` (the bytes asked for
 * are no longer at hand). The caller cuts the connection; `client_gone` is not worth a log line.
 */
export class BlobSendError extends CodedError<'client_gone' | 'client_stalled' | 'content_lost'> {}
