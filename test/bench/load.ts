import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../e2e/support/process.ts';
import { pinnedTo } from './cores.ts';

const HEAD_GENERATOR = resolve(fileURLToPath(import.meta.url), '../head-generator.ts');

/** What the load generator is to do. */
export interface LoadOptions {
  readonly url: string;
  /** Paths asked for in turn; one is enough. */
  readonly paths: readonly string[];
  readonly connections: number;
  readonly seconds: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Default `GET`. */
  readonly method?: 'GET' | 'HEAD';
  /** What each answer has at least; fewer bytes than that in all are a failure, because the generator takes any status below 400. */
  readonly answerBytes?: number;
  /** A folder for the generator's script. */
  readonly folder: string;
}

/** What one run of the load generator saw. */
export interface Load {
  readonly requests: number;
  /** Bytes of bodies and headers, of answers that were under way too. */
  readonly bytes: number;
  readonly requestsPerSecond: number;
  /** Of bodies and headers. */
  readonly bytesPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** The generator's own report, before it is believed. */
export interface Raw {
  readonly requests: number;
  readonly bytes: number;
  readonly micros: number;
  readonly p50: number;
  readonly p99: number;
  readonly connect: number;
  readonly read: number;
  readonly write: number;
  readonly status: number;
  readonly timeout: number;
}

/**
 * Sends requests for some seconds over connections that are kept.
 *
 * @throws {Error} when nothing was answered, or any request failed, timed out or was answered with a status from 400 on
 */
export async function loadFor(options: LoadOptions): Promise<Load> {
  const words = options.method === 'HEAD' ? headWords(options) : await wrkWords(options);
  const done = await run(pinnedTo('load', words), { timeoutMs: (options.seconds + 60) * 1000 });
  const line = done.stdout.split('\n').find((each) => each.startsWith('report '));
  if (done.code !== 0 || line === undefined) {
    throw new Error(`the load generator failed: ${done.output}`);
  }
  const raw: Raw = JSON.parse(line.slice('report '.length));
  const trouble = troubleOf(raw, options);
  if (trouble !== undefined) {
    const { method = 'GET', url, paths, connections } = options;
    const what = `${method} ${url}${paths[0] ?? ''}`;
    throw new Error(`${trouble} (${what}, ${connections} connections, ${options.seconds} s)`);
  }
  const seconds = raw.micros / 1e6;
  return {
    requests: raw.requests,
    bytes: raw.bytes,
    requestsPerSecond: raw.requests / seconds,
    bytesPerSecond: raw.bytes / seconds,
    p50Ms: raw.p50 / 1000,
    p99Ms: raw.p99 / 1000,
  };
}

/** Why a run must not count; undefined when it may. */
export function troubleOf(
  raw: Raw,
  { answerBytes }: Pick<LoadOptions, 'answerBytes'>,
): string | undefined {
  const kinds = ['connect', 'read', 'write', 'status', 'timeout'] as const;
  const failed = kinds.filter((kind) => raw[kind] > 0).map((kind) => `${raw[kind]} by ${kind}`);
  if (failed.length > 0) return `of ${raw.requests} requests failed ${failed.join(', ')}`;
  if (raw.requests === 0) return 'answered nothing';
  if (answerBytes !== undefined && raw.bytes < raw.requests * answerBytes) {
    return `answered ${raw.requests} times with less than ${answerBytes} bytes`;
  }
  return undefined;
}

async function wrkWords(options: LoadOptions): Promise<readonly string[]> {
  const script = join(options.folder, 'load.lua');
  await writeFile(script, luaOf(options));
  const command = ['wrk', '-t1', `-c${options.connections}`, `-d${options.seconds}s`];
  return [...command, '--timeout', '30s', '-s', script, options.url];
}

function headWords({ url, paths, headers = {}, ...options }: LoadOptions): readonly string[] {
  const [path = '', another] = paths;
  if (another !== undefined) throw new Error('HEAD goes to one path only');
  const words = [url, path, JSON.stringify(headers), options.connections, options.seconds];
  return [process.execPath, HEAD_GENERATOR, ...words.map(String)];
}

function luaOf({ paths, headers = {} }: LoadOptions): string {
  const quoted = paths.map((path) => JSON.stringify(path)).join(', ');
  const fields = Object.entries(headers).map(
    ([name, value]) => `wrk.headers["${name}"] = "${value}"`,
  );
  return `${fields.join('\n')}
local paths = { ${quoted} }
local made = {}
local at = 0
function init(args)
  for i, path in ipairs(paths) do made[i] = wrk.format("GET", path) end
end
function request()
  at = at % #made + 1
  return made[at]
end
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('report {"requests":%d,"bytes":%d,"micros":%d,"p50":%d,"p99":%d,'
    .. '"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}\\n',
    summary.requests, summary.bytes, summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect, e.read, e.write, e.status, e.timeout))
end
`;
}
