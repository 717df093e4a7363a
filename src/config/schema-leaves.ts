import { z } from 'zod';
import {
  DURATION_FORM,
  formatDuration,
  formatSize,
  parseDuration,
  parseSize,
  SIZE_FORM,
  UnitError,
} from '../base/units.ts';
import { EXAMPLE_MEMBER, FILE_MEMBER, type FileKind, TYPE_MEMBER } from './schema-members.ts';
import type { Parsed } from './values.ts';

/** The documentation of a key: its one-line text, and an example where the default is none. */
export interface KeyText {
  readonly text: string;
  readonly example?: string | number | boolean | readonly string[];
}

interface Range {
  /** Smallest and largest value accepted, in the base unit (milliseconds, bytes, things). */
  readonly min: number;
  readonly max: number;
}

/** A text that `parse` turns into a value; `type` is what the documentation calls it. */
export function parsed<T>(
  type: string,
  key: KeyText & { readonly pattern?: string; readonly range?: string },
  parse: (text: string) => Parsed<T>,
): z.ZodType<T, string> {
  return z
    .string()
    .transform((text, context) => {
      const result = parse(text);
      if (result.ok) return result.value;
      const fix = result.fix === undefined ? {} : { params: { fix: result.fix } };
      context.addIssue({ code: 'custom', message: result.problem, ...fix });
      return z.NEVER;
    })
    .meta({
      description: key.text,
      [TYPE_MEMBER]: type,
      ...(key.example === undefined ? {} : { [EXAMPLE_MEMBER]: key.example }),
      ...(key.pattern === undefined ? {} : { pattern: key.pattern }),
      ...(key.range === undefined ? {} : { 'x-range': key.range }),
    });
}

/** A duration with its unit; the value is milliseconds. */
export function duration(key: KeyText & Range): z.ZodType<number, string> {
  const range = `${formatDuration(key.min)} to ${formatDuration(key.max)}`;
  return parsed('duration', { ...key, pattern: DURATION_FORM, range }, (text) =>
    inRange(
      withUnit(() => parseDuration(text)),
      key,
      range,
    ),
  );
}

/** A size with its unit; the value is bytes. */
export function size(key: KeyText & Range): z.ZodType<number, string> {
  const range = `${formatSize(key.min)} to ${formatSize(key.max)}`;
  return parsed('size', { ...key, pattern: SIZE_FORM, range }, (text) =>
    inRange(
      withUnit(() => parseSize(text)),
      key,
      range,
    ),
  );
}

/** A whole number of things. */
export function count(key: KeyText & Range): z.ZodType<number, number> {
  return z
    .int('is not a whole number')
    .min(key.min, `is below ${key.min}`)
    .max(key.max, `is above ${key.max}`)
    .meta({ description: key.text, 'x-range': `${key.min} to ${key.max}` });
}

/** The name of a file that has to be there and hold what `kind` says; relative names start at the file's folder. */
export function file(kind: FileKind, key: KeyText): z.ZodType<string, string> {
  return z
    .string()
    .min(1, 'is empty')
    .meta({
      description: key.text,
      [TYPE_MEMBER]: 'file',
      [FILE_MEMBER]: kind,
      ...(key.example === undefined ? {} : { [EXAMPLE_MEMBER]: key.example }),
    });
}

/** A switch. */
export function flag(key: KeyText): z.ZodType<boolean, boolean> {
  return z.boolean().meta({
    description: key.text,
    ...(key.example === undefined ? {} : { [EXAMPLE_MEMBER]: key.example }),
  });
}

function withUnit(parse: () => number): Parsed<number> {
  try {
    return { ok: true, value: parse() };
  } catch (error) {
    if (!(error instanceof UnitError)) throw error;
    const suggestion = error.detail['suggestion'];
    return {
      ok: false,
      problem: error.message,
      ...(typeof suggestion === 'string' ? { fix: `write ${suggestion}` } : {}),
    };
  }
}

function inRange(result: Parsed<number>, range: Range, shown: string): Parsed<number> {
  if (!result.ok || (result.value >= range.min && result.value <= range.max)) return result;
  return { ok: false, problem: `is out of range (${shown})` };
}
