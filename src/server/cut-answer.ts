import { CodedError } from '../base/coded-error.ts';
import { refusalOfError } from '../refusal/refusal-of-error.ts';
import type { Exchange } from './exchange.ts';
import type { ExchangeContext } from './registry-context.ts';

/** Breaks off an answer that has begun, because of an error or because the client is gone, and ends the exchange. */
export function cutAnswer(
  exchange: Exchange<ExchangeContext, { readonly name: string }>,
  digest: string,
  error: unknown,
): void {
  const { response, isHungUp } = exchange;
  // Never a clean end: the missing length is what tells the engine that this is not the content it asked for.
  response.destroy();
  if (isHungUp) {
    exchange.end({ verdict: 'cut', digest, cause: 'the client went away' });
    return;
  }
  const { reason, cause } = refusalOfError(error);
  exchange.countRefusal(reason, undefined);
  if (!(error instanceof CodedError)) {
    exchange.context.log.failure('request.failed', error, { requestId: exchange.requestId });
  }
  exchange.end({ verdict: 'cut', code: reason, cause, digest });
}
