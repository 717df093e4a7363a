import { Socket } from 'node:net';
import { systemClock } from '../base/clock.ts';
import type { LogSink } from '../observe/log.ts';
import { Front } from './front.ts';
import { type FromFront, isToFront } from './messages.ts';

/** What a front process gives to the front that is all of it. */
export interface FrontSurroundings {
  /** The channel to the core, and signals. */
  readonly channel: NodeJS.Process;
  readonly exit: (code: number) => void;
  readonly logSink: LogSink;
  readonly errorSink: LogSink;
}

/** Signals that a whole process group may get: they are for the core, which has its fronts finish what they are at. */
const NOT_FOR_FRONTS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/** Does what the core says until it has it end, or is gone. */
export function runFront({ channel, exit, logSink, errorSink }: FrontSurroundings): void {
  const front = new Front({
    clock: systemClock,
    logSink,
    tell: (message, onTold) => tell(channel, message, onTold),
    onEnd: () => exit(0),
  });
  channel.on('message', (message: unknown, socket: unknown) => {
    if (!isToFront(message)) return;
    const hearing = front.hear(message, socket instanceof Socket ? socket : undefined);
    hearing.catch((error: unknown) => {
      errorSink.write(`pinnace: a worker process failed: ${String(error)}\n`);
      exit(1);
    });
  });
  // Without the core there is nothing to answer with.
  channel.on('disconnect', () => exit(0));
  for (const signal of NOT_FOR_FRONTS) channel.on(signal, () => undefined);
  tell(channel, { type: 'booted' });
}

function tell(channel: NodeJS.Process, message: FromFront, onTold?: () => void): void {
  if (channel.connected && channel.send !== undefined) {
    channel.send(message, undefined, undefined, () => onTold?.());
  } else onTold?.();
}
