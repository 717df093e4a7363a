import type { LogLevel } from '../observe/log.ts';
import type { MetricsSnapshot } from '../observe/metrics.ts';
import type { ByteLimits } from '../resolve/byte-budget.ts';
import type { ConnectionLimits } from '../server/connection-places.ts';
import type { TlsIdentity } from '../server/http-host.ts';
import type { HttpLimits } from '../server/http-limits.ts';

/** What a front has to know of a listener. */
export interface FrontListenerSettings {
  readonly name: string;
  readonly tls?: TlsIdentity;
  /** Whether answers may be kept: only where nobody is asked who is calling. */
  readonly mayKeep: boolean;
  /** Whether the host of a request says which registry it is for. */
  readonly hasHosts: boolean;
  /** Whether connections that find no place wait for one. */
  readonly waits: boolean;
}

/** What one front takes on at once, and what it bears. */
export interface FrontLimits
  extends ConnectionLimits,
    Pick<HttpLimits, 'idleTimeoutMs' | 'minRate'> {
  /** For content that it sends. */
  readonly memory: ByteLimits;
}

/** What a front works by; the listeners stay the same for its life, what is said of them does not. */
export interface FrontSettings {
  readonly listeners: readonly FrontListenerSettings[];
  readonly logLevel: LogLevel;
  readonly limits: FrontLimits;
  /** Where the core answers. */
  readonly socketPath: string;
  /** What proves to the core that a front is asking. */
  readonly secret: string;
  /** Folder for the front's own sockets, by which nobody comes: a server has to listen to have its limits. */
  readonly runFolder: string;
  /** Folder of the content store. */
  readonly contentFolder: string;
}

/** What the core tells a front. A `connection` comes with its socket. */
export type ToFront =
  | { readonly type: 'begin'; readonly settings: FrontSettings; readonly epoch: number }
  /** Settings that hold from now on; whatever is kept is forgotten. To be acknowledged. */
  | { readonly type: 'configure'; readonly settings: FrontSettings; readonly epoch: number }
  /** Answers kept for this scope, or all, hold no more. To be acknowledged. */
  | { readonly type: 'forget'; readonly epoch: number; readonly scope?: string }
  /** Requests of this client are all for the core, for so many milliseconds. */
  | { readonly type: 'watch'; readonly client: string; readonly forMs: number }
  | { readonly type: 'connection'; readonly listener: string; readonly id: number }
  | { readonly type: 'count'; readonly id: number }
  | { readonly type: 'drain'; readonly drainMs: number };

/** What a front tells the core. */
export type FromFront =
  | { readonly type: 'booted' }
  | { readonly type: 'ready' }
  /** Everything up to this epoch has been forgotten. */
  | { readonly type: 'settled'; readonly epoch: number }
  | { readonly type: 'taken'; readonly id: number }
  /** What was counted since the start; `id` is that of the question, absent when nobody asked. */
  | { readonly type: 'counts'; readonly id?: number; readonly metrics: MetricsSnapshot };

const TO_FRONT: ReadonlySet<string> = new Set<ToFront['type']>([
  'begin',
  'configure',
  'forget',
  'watch',
  'connection',
  'count',
  'drain',
]);

const FROM_FRONT: ReadonlySet<string> = new Set<FromFront['type']>([
  'booted',
  'ready',
  'settled',
  'taken',
  'counts',
]);

/** Whether something that came by the channel is a message of the core: only a Pinnace of the same version is at its end. */
export function isToFront(value: unknown): value is ToFront {
  return TO_FRONT.has(typeOf(value));
}

/** Whether something that came by the channel is a message of a front. */
export function isFromFront(value: unknown): value is FromFront {
  return FROM_FRONT.has(typeOf(value));
}

function typeOf(value: unknown): string {
  if (typeof value !== 'object' || value === null || !('type' in value)) return '';
  return typeof value.type === 'string' ? value.type : '';
}
