import type { CpuProfile } from './inspector.ts';

/** A share of the busy time. */
export interface Share {
  readonly name: string;
  /** 0 to 1. */
  readonly share: number;
}

/** Where a profile's time went. */
export interface ProfileSummary {
  /** The share of the time in which the thread had something to do. */
  readonly busy: number;
  readonly modules: readonly Share[];
  /** Our own functions, by the time in themselves, the greatest first. */
  readonly functions: readonly Share[];
}

type Frame = CpuProfile['nodes'][number]['callFrame'];

const FUNCTIONS = 10;
const IDLE = '(idle)';

/** Modules of Node by what they are for; the first that fits counts. */
const NODE_PARTS: readonly (readonly [RegExp, string])[] = [
  [/^node:(?:_http|http|internal\/http)/, 'node:http'],
  [/^node:(?:net|internal\/(?:net|stream_base|streams|dgram|js_stream))/, 'node:net, streams'],
  [/^node:(?:stream|buffer|internal\/buffer)/, 'node:net, streams'],
  [/^node:(?:fs|internal\/fs)/, 'node:fs'],
  [/^node:(?:crypto|internal\/crypto)/, 'node:crypto'],
  [
    /^node:(?:timers|internal\/timers|internal\/process|async_hooks|internal\/async)/,
    'node: timers, queues',
  ],
];

/** Adds up a profile: by module, and by function of ours. */
export function summaryOf(profile: CpuProfile): ProfileSummary {
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
  const modules = new Map<string, number>();
  const functions = new Map<string, number>();
  let all = 0;
  let busy = 0;
  for (const [index, id] of profile.samples.entries()) {
    const frame = frames.get(id);
    const micros = profile.timeDeltas[index] ?? 0;
    all += micros;
    if (frame === undefined || frame.functionName === IDLE) continue;
    busy += micros;
    add(modules, moduleOf(frame), micros);
    const own = ownPlace(frame);
    if (own !== undefined) add(functions, own, micros);
  }
  return {
    busy: all === 0 ? 0 : busy / all,
    modules: sharesOf(modules, busy),
    functions: sharesOf(functions, busy).slice(0, FUNCTIONS),
  };
}

/** What a frame belongs to: a folder of ours, a package, a part of Node, or a native function by its name (`writev`, `update` of a hash). */
export function moduleOf({ functionName, url }: Frame): string {
  if (functionName === '(garbage collector)') return 'garbage collection';
  if (functionName === '(program)') return 'system calls and the engine';
  if (url === '') return `native: ${functionName === '' ? 'unnamed' : functionName}`;
  const [, folder] = /^src\/([a-z]+)\//.exec(ownFile(url) ?? '') ?? [];
  const [, library] = /\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url) ?? [];
  if (library !== undefined) return library;
  if (folder !== undefined) return `src/${folder}`;
  return NODE_PARTS.find(([pattern]) => pattern.test(url))?.[1] ?? 'node: the rest';
}

function ownPlace({ functionName, url, lineNumber }: Frame): string | undefined {
  if (url.includes('/node_modules/')) return undefined;
  const file = ownFile(url);
  if (file === undefined) return undefined;
  return `\`${functionName === '' ? '(anonymous)' : functionName}\` ${file}:${lineNumber + 1}`;
}

/** A file of ours from `src/` on; the folders above may be called so too. */
function ownFile(url: string): string | undefined {
  const start = url.lastIndexOf('/src/');
  return start === -1 ? undefined : url.slice(start + 1);
}

function add(sums: Map<string, number>, name: string, micros: number): void {
  sums.set(name, (sums.get(name) ?? 0) + micros);
}

function sharesOf(sums: ReadonlyMap<string, number>, whole: number): readonly Share[] {
  return [...sums]
    .map(([name, micros]) => ({ name, share: micros / whole }))
    .sort((a, b) => b.share - a.share);
}
