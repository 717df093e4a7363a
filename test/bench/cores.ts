import { execFileSync } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';

/** Where a program runs: the server under measurement, the load and the upstream, or wherever there is room. */
export type Core = 'server' | 'load' | 'all';

/** The processor cores that this process may use, or why programs cannot be put on one of their own. */
export type Cores =
  | { readonly kind: 'pinned'; readonly server: number; readonly load: number }
  | { readonly kind: 'shared'; readonly why: string };

const TASKSET = '/usr/bin/taskset';

let known: Cores | undefined;

/** Looks once, before this process gives up cores itself. */
export function cores(): Cores {
  known ??= coresOf(process.platform, allowedText(), hasTaskset());
  return known;
}

/** Chooses a core for the server and another one for the load from what the machine has. */
export function coresOf(platform: string, allowed: string, canSet: boolean): Cores {
  if (platform !== 'linux') return { kind: 'shared', why: `${platform} cannot pin programs` };
  const [server, load] = listOf(allowed);
  if (server === undefined || load === undefined) {
    return { kind: 'shared', why: 'there is one core only' };
  }
  if (!canSet) return { kind: 'shared', why: `${TASKSET} is missing (Debian package util-linux)` };
  return { kind: 'pinned', server, load };
}

/** The words that start a command on its core, or the command itself where that cannot be had. */
export function pinnedTo(core: Core, command: readonly string[]): readonly string[] {
  const chosen = cores();
  if (chosen.kind === 'shared') return command;
  return [TASKSET, '-c', coreList(core, chosen), ...command];
}

/** Puts this process, which is the upstream, on the core of the load. */
export function pinThisProcess(): void {
  const chosen = cores();
  if (chosen.kind === 'shared') return;
  const words = ['-a', '-p', '-c', coreList('load', chosen), String(process.pid)];
  execFileSync(TASKSET, words, { stdio: 'ignore' });
}

/** How programs share the machine, for the report. */
export function coresLine(): string {
  const chosen = cores();
  if (chosen.kind === 'pinned') return 'server on one core, load and upstream on another';
  return `server, load and upstream share the cores: ${chosen.why}`;
}

function coreList(core: Core, { server, load }: Extract<Cores, { kind: 'pinned' }>): string {
  if (core === 'all') return `${server},${load}`;
  return String(core === 'server' ? server : load);
}

/** `0-2,5` as 0, 1, 2, 5. */
function listOf(allowed: string): readonly number[] {
  return allowed.split(',').flatMap((part) => {
    const [first = Number.NaN, last = first] = part.split('-').map(Number);
    if (!Number.isInteger(first) || !Number.isInteger(last)) return [];
    return Array.from({ length: Math.min(last - first + 1, 1_024) }, (_, index) => first + index);
  });
}

function allowedText(): string {
  try {
    const status = readFileSync('/proc/self/status', 'utf8');
    return /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1] ?? '';
  } catch {
    return '';
  }
}

function hasTaskset(): boolean {
  try {
    accessSync(TASKSET, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
