import type { Clock } from '../base/clock.ts';
import { CodedError } from '../base/coded-error.ts';
import { elementsOf, membersOf, parseJson, textOf, textsOf } from '../base/json-members.ts';
import { VERSION } from '../base/version.ts';
import type { Config } from '../config/config.ts';
import { SqliteState } from '../store/sqlite-state.ts';
import { PushClient } from '../upstream/push-client.ts';
import { recordedSince } from './passed.ts';

/** What is on record of content, from a running Pinnace or from an export. */
export interface PassedRecord {
  /** When the record began, RFC 3339; undefined when that is not known. */
  readonly since: string | undefined;
  /** The repositories that a digest was vouched for in. */
  repositoriesOf(digest: string): readonly string[];
  /** Whether a repository, by full name, is relayed unverified, so that nothing of it is recorded. */
  isRelayed(repository: string): boolean;
}

/** A record that cannot be had or read. */
export class RecordError extends CodedError<'record_unusable'> {}

/** Of one answer: a thousand digests in many repositories each. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
const ASKED_AT_ONCE = 500;
const FORMAT = 1;

/**
 * Asks a running Pinnace's admin listener what is on its record.
 *
 * @param url - of the admin listener: `http://127.0.0.1:9090`
 * @throws {RecordError} `record_unusable`
 */
export async function askRecord(
  url: string,
  asked: { readonly digests: readonly string[]; readonly repositories: readonly string[] },
): Promise<PassedRecord> {
  const found = new Map<string, readonly string[]>();
  const relayed = new Set<string>();
  let since: string | undefined;
  const longest = Math.max(asked.digests.length, asked.repositories.length, 1);
  await withClient(url, async (client) => {
    for (let at = 0; at < longest; at += ASKED_AT_ONCE) {
      const answer = await askOnce(client, {
        digests: asked.digests.slice(at, at + ASKED_AT_ONCE),
        repositories: asked.repositories.slice(at, at + ASKED_AT_ONCE),
      });
      since = textOf(answer.get('since')) || undefined;
      for (const entry of elementsOf(answer.get('passed')).map(membersOf)) {
        found.set(textOf(entry.get('digest')), textsOf(entry.get('repositories')));
      }
      for (const name of textsOf(answer.get('unverified'))) relayed.add(name);
    }
  });
  return {
    since,
    repositoriesOf: (digest) => found.get(digest) ?? [],
    isRelayed: (repository) => relayed.has(repository),
  };
}

/**
 * The record of a data folder as lines of JSON, the first of which says what it is; also beside a running Pinnace.
 *
 * @throws {StateError} `state_unreadable`
 */
export async function* exportRecord(config: Config, clock: Clock): AsyncIterable<string> {
  const state = SqliteState.open(config.dataFolder, { clock });
  try {
    const since = await recordedSince(state);
    const at = new Date(clock.now()).toISOString();
    yield JSON.stringify({ pinnaceRecord: FORMAT, at, since: since?.toISOString() });
    for await (const { repository, digest } of state.recordedManifests()) {
      yield JSON.stringify({ repository, digest });
    }
  } finally {
    state.close();
  }
}

/** Reads an export. @throws {RecordError} `record_unusable` */
export function parseRecord(text: string): PassedRecord {
  const [first = '', ...lines] = text.split('\n');
  const head = membersOf(parseJson(first));
  if (head.get('pinnaceRecord') !== FORMAT) {
    throw new RecordError('record_unusable', 'it is not what "pinnace record" prints');
  }
  const found = new Map<string, string[]>();
  for (const line of lines.filter((each) => each !== '')) {
    const entry = membersOf(parseJson(line));
    const [repository, digest] = [textOf(entry.get('repository')), textOf(entry.get('digest'))];
    // Half a record would make images that passed look as if they had not.
    if (repository === '' || digest === '') {
      throw new RecordError('record_unusable', 'it is damaged or cut off: export it again');
    }
    const known = found.get(digest);
    if (known === undefined) found.set(digest, [repository]);
    else known.push(repository);
  }
  return {
    since: textOf(head.get('since')) || undefined,
    repositoriesOf: (digest) => found.get(digest) ?? [],
    isRelayed: () => false,
  };
}

async function withClient(url: string, work: (client: PushClient) => Promise<void>): Promise<void> {
  let client: PushClient | undefined;
  try {
    client = new PushClient({ url, version: VERSION });
    await work(client);
  } catch (error) {
    if (!(error instanceof CodedError) || error instanceof RecordError) throw error;
    throw new RecordError('record_unusable', `Pinnace's admin listener: ${error.message}`, {
      cause: error,
    });
  } finally {
    await client?.close();
  }
}

async function askOnce(
  client: PushClient,
  question: { readonly digests: readonly string[]; readonly repositories: readonly string[] },
): Promise<ReadonlyMap<string, unknown>> {
  const reply = await client.send({
    method: 'POST',
    url: new URL('api/v1/passed', `${client.base.href.replace(/\/+$/, '')}/`),
    scope: '',
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify(question)),
  });
  const bytes = await reply.read(MAX_ANSWER_BYTES);
  const answer = membersOf(parseJson(new TextDecoder().decode(bytes)));
  if (reply.status !== 200 || !Array.isArray(answer.get('passed'))) {
    throw new RecordError(
      'record_unusable',
      `${client.base.host} is not Pinnace's admin listener: it answered ${reply.status}`,
    );
  }
  return answer;
}
