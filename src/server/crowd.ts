import type { Clock } from '../base/clock.ts';
import type { Repository, Tag } from '../oci/names.ts';
import type { Refusal } from '../resolve/pull-service.ts';
import { tagOf } from './asked.ts';
import { answerDecoyManifest } from './decoy-answers.ts';
import type { Exchange } from './exchange.ts';
import type { LocatedRoute } from './located-routes.ts';
import { sendOciAnswer } from './oci-answer.ts';
import { PacedCount } from './paced-count.ts';
import { answerRefusal, mayStopHard, sendDenial } from './refusal-answer.ts';
import type { NoPlace } from './request-places.ts';
import { isTokenRequest } from './token-handler.ts';

/** What a crowd needs to know of its listener. */
export interface CrowdOptions {
  readonly clock: Clock;
  /** @throws {OciError} for what is no request for a registry */
  readonly locate: (exchange: Exchange) => LocatedRoute;
  /** Goes on with a request as if there were no crowd. */
  readonly proceed: (exchange: Exchange) => Promise<void> | undefined;
}

/** The limit that stands in the way. */
interface Reached {
  /** The key below `limits`. */
  readonly limit: 'requests' | 'connections';
  readonly most: number;
}

/**
 * Meets the requests for which there is no place. Those of engines that would go round an error wait; the others hear at once
 * when to come again. Nobody is asked who is calling, and nothing is looked up but the name.
 */
export class Crowd {
  readonly #options: CrowdOptions;
  readonly #lines: PacedCount;

  constructor(options: CrowdOptions) {
    this.#options = options;
    this.#lines = new PacedCount(options.clock);
  }

  /** Answers a request that found no place, or goes on with it once it has one. @throws {OciError} */
  meet(exchange: Exchange): Promise<void> | undefined {
    const located = isTokenRequest(exchange) ? undefined : this.#locate(exchange);
    // An engine whose first request fails asks the registry for all that follows.
    if (located?.route.kind === 'ping') return this.#options.proceed(exchange);
    if (isDecoy(exchange, located)) return undefined;
    if (mayStopHard(exchange)) return this.#wait(exchange, located);
    this.#turnAway(exchange, located, this.#reached(exchange));
    return undefined;
  }

  /** Answers a request whose connection is to be given up because there are too many. @throws {OciError} */
  dismiss(exchange: Exchange): Promise<void> | undefined {
    exchange.response.shouldKeepAlive = false;
    const located = isTokenRequest(exchange) ? undefined : this.#locate(exchange);
    if (located?.route.kind === 'ping') return this.#options.proceed(exchange);
    if (isDecoy(exchange, located)) return undefined;
    const { most } = exchange.context.connections;
    this.#turnAway(exchange, located, { limit: 'connections', most });
    return undefined;
  }

  #reached(exchange: Exchange): Reached {
    return { limit: 'requests', most: exchange.context.places.most };
  }

  #locate(exchange: Exchange): LocatedRoute {
    const located = this.#options.locate(exchange);
    exchange.ask(located.asked);
    return located;
  }

  async #wait(exchange: Exchange, located: LocatedRoute | undefined): Promise<void> {
    const end = await this.#placeFor(exchange, located);
    if (end === 'gone' || !exchange.isOpen) {
      exchange.end({ verdict: 'cut', cause: 'the client went away' });
      return;
    }
    if (end === 'called') await this.#options.proceed(exchange);
    else this.#turnAway(exchange, located, this.#reached(exchange));
  }

  async #placeFor(
    exchange: Exchange,
    located: LocatedRoute | undefined,
  ): Promise<NoPlace | 'called' | 'gone'> {
    const { signal } = exchange;
    try {
      return await exchange.waitForPlace(hasBegun(located));
    } catch (error) {
      if (signal.aborted) return 'gone';
      throw error;
    }
  }

  #turnAway(exchange: Exchange, located: LocatedRoute | undefined, reached: Reached): void {
    this.#note(exchange, reached);
    const refusal: Refusal = {
      verdict: 'inconclusive',
      reason: 'overloaded',
      cause: `limits.${reached.limit} is reached`,
      facts: { limit: reached.limit, most: reached.most },
    };
    if (located?.repository === undefined) {
      answerWithoutName(exchange, reached);
      return;
    }
    const tag = tagOf(located.route);
    const reference = exchange.asked.reference ?? '';
    const subject = { repository: located.repository, reference };
    if (tag !== undefined && isStoppedHard(exchange, located.repository, tag)) {
      answerRefusal(exchange, subject, { ...refusal, form: 'hard-stop' });
      return;
    }
    const { bytes } = sendDenial(exchange, subject, refusal);
    exchange.countRefusal('overloaded', undefined);
    // A line for each would cost more than the answers; there is one for all of a second.
    exchange.end({ verdict: 'inconclusive', code: 'overloaded', bytes, level: 'debug' });
  }

  #note(exchange: Exchange, { limit, most }: Reached): void {
    const { places, log } = exchange.context;
    if (limit === 'requests') places.countTurnedAway();
    const requests = this.#lines.note();
    if (requests === undefined) return;
    log.event('overload.turned_away', {
      listener: exchange.listener.name,
      limit: `limits.${limit}`,
      most,
      requests,
    });
  }
}

/** Answers a decoy that was given out, as ever: an engine that did not get it would ask the registry what the tag means. */
function isDecoy(exchange: Exchange, located: LocatedRoute | undefined): boolean {
  if (located?.repository === undefined || located.route.kind !== 'manifest') return false;
  const { reference } = located.route;
  return (
    reference.kind === 'digest' &&
    answerDecoyManifest(exchange, located.repository, reference.digest)
  );
}

/** Whether a request is part of a pull that goes on: what is asked by digest follows from a tag that was answered. */
function hasBegun(located: LocatedRoute | undefined): boolean {
  const route = located?.route;
  return (
    route?.kind === 'blob' || (route?.kind === 'manifest' && route.reference.kind === 'digest')
  );
}

function isStoppedHard(exchange: Exchange, repository: Repository, tag: Tag): boolean {
  if (!mayStopHard(exchange)) return false;
  const form = exchange.context.refusalForm(repository, tag) ?? exchange.listener.refusal;
  return form === 'hard-stop';
}

function answerWithoutName(exchange: Exchange, { limit, most }: Reached): void {
  const bytes = sendOciAnswer(exchange, {
    status: 503,
    code: 'UNAVAILABLE',
    message: `Pinnace has more to do than it may at once (limits.${limit} is ${most}); try again in a moment (reason overloaded, decision ${exchange.requestId})`,
    detail: { code: 'overloaded', decision: exchange.requestId },
    headers: ['Retry-After', '5', 'X-Pinnace-Reason', 'overloaded'],
  });
  exchange.countRefusal('overloaded', undefined);
  exchange.end({ verdict: 'inconclusive', code: 'overloaded', bytes, level: 'debug' });
}
