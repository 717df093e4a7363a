import { formatDuration, parseDuration, UnitError } from '../base/units.ts';
import { TrustError } from '../trust/errors.ts';
import { asObject, asString } from '../trust/fields.ts';
import { type JsonObject, parseStrictJson } from '../trust/strict-json.ts';
import { SigningError } from './errors.ts';
import { formatJson, objectOf } from './json.ts';
import { DEFAULT_TEMPLATE, parseTargetTemplate, type TargetTemplate } from './target-name.ts';

/** How long each kind of metadata is good for, in milliseconds. */
export interface Lifetimes {
  readonly root: number;
  readonly targets: number;
  readonly snapshot: number;
  readonly timestamp: number;
}

/** What a collection's `collection.json` says. It is no metadata: changing it changes nothing that was signed. */
export interface CollectionSettings {
  readonly template: TargetTemplate;
  readonly lifetimes: Lifetimes;
  /** A role that ends within this time is warned of, in milliseconds. */
  readonly warnBeforeMs: number;
  /** Renewal stops when root or targets end within this time, in milliseconds. */
  readonly stopBeforeMs: number;
}

const FORMAT = 'pinnace-collection/1';
const DAY = 86_400_000;
const ROLES = ['root', 'targets', 'snapshot', 'timestamp'] as const;

/** The settings of a new collection. */
export const DEFAULT_SETTINGS: CollectionSettings = {
  template: parseTargetTemplate(DEFAULT_TEMPLATE),
  lifetimes: { root: 365 * DAY, targets: 365 * DAY, snapshot: 7 * DAY, timestamp: DAY },
  warnBeforeMs: 30 * DAY,
  stopBeforeMs: 3 * DAY,
};

/**
 * Reads `collection.json`.
 *
 * @throws {SigningError} `settings_unreadable`
 */
export function readSettings(bytes: Uint8Array): CollectionSettings {
  try {
    const file = parseStrictJson(bytes);
    if (file.get('format') !== FORMAT) fail(`its format is not ${FORMAT}`);
    const known = new Set(['format', 'target', 'lifetimes', 'warnBefore', 'stopBefore']);
    const odd = [...file.keys()].find((name) => !known.has(name));
    if (odd !== undefined) fail(`it has an unknown member ${JSON.stringify(odd)}`);
    const lifetimes = asObject(file.get('lifetimes'), 'lifetimes');
    const [root, targets, snapshot, timestamp] = ROLES.map((role) => duration(lifetimes, role));
    return {
      template: parseTargetTemplate(asString(file.get('target'), 'target')),
      lifetimes: {
        root: root ?? fail('lifetimes.root is missing'),
        targets: targets ?? fail('lifetimes.targets is missing'),
        snapshot: snapshot ?? fail('lifetimes.snapshot is missing'),
        timestamp: timestamp ?? fail('lifetimes.timestamp is missing'),
      },
      warnBeforeMs: duration(file, 'warnBefore'),
      stopBeforeMs: duration(file, 'stopBefore'),
    };
  } catch (error) {
    if (
      error instanceof TrustError ||
      (error instanceof SigningError && error.code === 'name_unfit')
    ) {
      throw unreadable(error.message, error);
    }
    throw error;
  }
}

/** The settings as `collection.json`. */
export function writeSettings(settings: CollectionSettings): Uint8Array {
  const { template, lifetimes, warnBeforeMs, stopBeforeMs } = settings;
  return formatJson(
    objectOf({
      format: FORMAT,
      target: template.text,
      lifetimes: Object.fromEntries(ROLES.map((role) => [role, formatDuration(lifetimes[role])])),
      warnBefore: formatDuration(warnBeforeMs),
      stopBefore: formatDuration(stopBeforeMs),
    }),
  );
}

function duration(object: JsonObject, name: string): number {
  const text = asString(object.get(name), name);
  try {
    return parseDuration(text);
  } catch (error) {
    if (error instanceof UnitError) fail(`${name} ${error.message}`);
    throw error;
  }
}

function fail(what: string): never {
  throw unreadable(what);
}

function unreadable(what: string, cause?: unknown): SigningError {
  const message = `collection.json cannot be used: ${what}`;
  return new SigningError('settings_unreadable', message, cause === undefined ? {} : { cause });
}
