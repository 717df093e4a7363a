import { z } from 'zod';
import { count, duration, size } from './schema-leaves.ts';

/** The limits of the process as written, their defaults filled in; durations in milliseconds. */
export interface LimitsEntry {
  readonly manifestBytes: number;
  readonly drainTimeout: number;
  readonly connections: number;
  readonly requests: number;
  readonly queue: number;
  readonly queueTimeout: number;
  readonly blobs: number;
  readonly bufferedBytes: number;
  readonly blobQueueTimeout: number;
  readonly idleTimeout: number;
  /** Bytes a second. */
  readonly minRate: number;
}

const SECOND = 1_000;
const HOUR = 3_600_000;
const MANY = 1_000_000;

/** What Pinnace takes on at once, and what it bears. */
export const limitsSchema: z.ZodType<LimitsEntry> = z
  .strictObject({
    manifestBytes: size({
      text: 'Largest single manifest accepted from an upstream.',
      min: 2 ** 10,
      max: 2 ** 26,
    }).prefault('4MiB'),
    drainTimeout: duration({
      text: 'How long running replies may take to finish after SIGTERM.',
      min: 0,
      max: HOUR,
    }).prefault('30s'),
    connections: count({
      text: 'Most connections open at once, on all listeners together; fewer where the system lets Pinnace open too few files. Further ones hear so and are closed; on hard-stop listeners they wait unread.',
      min: 1,
      max: MANY,
    }).prefault(10_000),
    requests: count({
      text: 'Most requests under way at once, on all listeners together. Further ones are refused with overloaded; on hard-stop listeners they wait. /v2/ is always answered.',
      min: 1,
      max: MANY,
    }).prefault(4096),
    queue: count({
      text: 'On hard-stop listeners: most connections that wait for a place, and most requests, new pulls and parts of pulls that have begun each. Further ones are refused at once.',
      min: 0,
      max: MANY,
    }).prefault(4096),
    queueTimeout: duration({
      text: 'On hard-stop listeners: how long a connection or a request waits for a place before it is refused. With completeFirst, keep it and completeWithin together under 30s.',
      min: 0,
      max: 60 * SECOND,
    }).prefault('4s'),
    blobs: count({
      text: 'Most blobs fetched from upstreams at once; of one upstream among several at most three quarters. Further ones wait; who reads the store or joins a download does not count.',
      min: 1,
      max: MANY,
    }).prefault(64),
    bufferedBytes: size({
      text: 'Most memory for content on its way: buffers lent for sending, what downloads have not stored yet, what connections still hold. The more of it is in use, the smaller the buffers; blobs that find none wait.',
      min: 2 ** 20,
      max: 2 ** 40,
    }).prefault('64MiB'),
    blobQueueTimeout: duration({
      text: 'How long a blob waits because of blobs or bufferedBytes before it is refused with overloaded; as many as queue wait.',
      min: 0,
      max: HOUR,
    }).prefault('25s'),
    idleTimeout: duration({
      text: 'How long a connection may be without a byte in either direction before it is cut, and over how long minRate is taken.',
      min: SECOND,
      max: HOUR,
    }).prefault('10m'),
    minRate: size({
      text: 'Bytes a second that a client has to take of what waits for it, on average over idleTimeout, before it is cut; 0B: none.',
      min: 0,
      max: 2 ** 30,
    }).prefault('1KiB'),
  })
  .meta({ description: 'What Pinnace takes on at once, and what it bears.' });
