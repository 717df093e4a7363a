import { askRecord, type PassedRecord, parseRecord, RecordError } from '../app/passed-record.ts';
import { systemClock } from '../base/clock.ts';
import { readFromDisk, readLimited } from '../config/read-file.ts';
import {
  compareExitCode,
  compareImage,
  compareReport,
  compareText,
  type EngineImages,
  namedDigests,
} from './doctor-compare.ts';
import { EngineError } from './doctor-engine.ts';
import type { FoundEngine } from './doctor-find.ts';
import type { CommandIo } from './serve.ts';

/** What the comparison is made with. */
export interface CompareOptions {
  /** The URL of Pinnace's admin listener. */
  readonly pinnace?: string;
  /** A file that `pinnace record` has printed; instead of `pinnace`. */
  readonly record?: string;
  /** Only images of these registries; default: all. */
  readonly registry: readonly string[];
  readonly json?: boolean;
}

/** The engines that were found, and what kept others from it. */
interface Found {
  readonly engines: readonly FoundEngine[];
  readonly problems: readonly string[];
}

const LIST_MS = 120_000;
const MAX_RECORD_BYTES = 256 * 1024 * 1024;

/** Lists the images of engines that are not on Pinnace's record; returns the exit code. */
export async function compareHost(
  { engines, problems }: Found,
  options: CompareOptions & { readonly signal: AbortSignal },
  io: CommandIo,
): Promise<number> {
  const failed = [...problems];
  const lists = [];
  for (const found of engines) {
    try {
      const { signal } = options;
      const images = await found.engine.list({ timeoutMs: LIST_MS, signal });
      lists.push({ ...found, names: namedDigests(images, options.registry) });
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      failed.push(error.message);
    }
  }
  const names = lists.flatMap((list) => list.names);
  const record = await recordFor(names, options).catch((error: unknown) => {
    if (!(error instanceof RecordError)) throw error;
    failed.push(error.message);
    return undefined;
  });
  const compared =
    record === undefined
      ? []
      : lists.map(
          ({ engine, facts, names: own }): EngineImages => ({
            engine: engine.kind,
            engineVersion: facts.version,
            address: engine.address,
            images: own.map((each) => compareImage(each, record)),
          }),
        );
  const since = record?.since;
  const report = compareReport(compared, {
    at: new Date(systemClock.now()),
    ...(since === undefined ? {} : { since }),
    problems: failed,
  });
  const isJson = options.json === true;
  io.stdout.write(isJson ? `${JSON.stringify(report, null, 2)}\n` : compareText(report));
  return compareExitCode(report);
}

async function recordFor(
  names: ReturnType<typeof namedDigests>,
  { pinnace, record = '' }: CompareOptions,
): Promise<PassedRecord> {
  if (pinnace !== undefined) {
    return await askRecord(pinnace, {
      digests: [...new Set(names.flatMap(({ digest }) => digest ?? []))],
      repositories: [...new Set(names.flatMap(({ repositories }) => repositories))],
    });
  }
  const content = await readLimited(readFromDisk, record, MAX_RECORD_BYTES);
  if (!content.ok) {
    throw new RecordError('record_unusable', `the file ${record} ${content.problem}`);
  }
  return parseRecord(new TextDecoder().decode(content.bytes));
}
