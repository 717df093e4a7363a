import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../e2e/support/process.ts';
import { pinnedTo } from './machine.ts';

/** What the load generator is to do. */
export interface LoadOptions {
  readonly url: string;
  /** Paths asked for in turn; one is enough. */
  readonly paths: readonly string[];
  readonly connections: number;
  readonly seconds: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** A folder for the generator's script. */
  readonly folder: string;
}

/** What one run of the load generator saw. */
export interface Load {
  readonly requests: number;
  readonly requestsPerSecond: number;
  /** Bytes of bodies and headers. */
  readonly bytesPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** The generator's own report, before it is believed. */
interface Raw {
  readonly requests: number;
  readonly bytes: number;
  readonly micros: number;
  readonly p50: number;
  readonly p99: number;
  readonly errors: number;
}

/**
 * Sends GET requests for some seconds over connections that are kept.
 *
 * @throws {Error} when any request failed, timed out or was answered with another status than 2xx
 */
export async function loadFor(options: LoadOptions): Promise<Load> {
  const script = join(options.folder, 'load.lua');
  await writeFile(script, luaOf(options));
  const command = ['wrk', '-t1', `-c${options.connections}`, `-d${options.seconds}s`];
  const words = [...command, '--timeout', '30s', '-s', script, options.url];
  const done = await run(pinnedTo('load', words), { timeoutMs: (options.seconds + 60) * 1000 });
  const line = done.stdout.split('\n').find((each) => each.startsWith('report '));
  if (done.code !== 0 || line === undefined) throw new Error(`wrk failed:\n${done.output}`);
  const raw: Raw = JSON.parse(line.slice('report '.length));
  if (raw.errors > 0 || raw.requests === 0) {
    throw new Error(`${options.url}${options.paths[0]}: ${raw.errors} of ${raw.requests} failed`);
  }
  const seconds = raw.micros / 1e6;
  return {
    requests: raw.requests,
    requestsPerSecond: raw.requests / seconds,
    bytesPerSecond: raw.bytes / seconds,
    p50Ms: raw.p50 / 1000,
    p99Ms: raw.p99 / 1000,
  };
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
  local failed = e.connect + e.read + e.write + e.status + e.timeout
  io.write(string.format('report {"requests":%d,"bytes":%d,"micros":%d,"p50":%d,"p99":%d,"errors":%d}\\n',
    summary.requests, summary.bytes, summary.duration, latency:percentile(50), latency:percentile(99), failed))
end
`;
}
