/**
 * For which machines an entry of an index is.
 *
 * @source OCI image 1.1 (image-index.md, `platform`)
 */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  /** Absent: every variant. */
  readonly variant?: string;
}

/** What tools write where an entry is for no machine at all, such as an attestation. */
const UNKNOWN = 'unknown';
const FORM = /^([a-z0-9]{1,32})\/([a-z0-9_]{1,32})(?:\/([a-z0-9]{1,32}))?$/;

/** Reads `os/architecture` or `os/architecture/variant`; undefined for anything else. */
export function parsePlatform(text: string): Platform | undefined {
  const [, os, architecture, variant] = FORM.exec(text) ?? [];
  if (os === undefined || architecture === undefined) return undefined;
  return { os, architecture, ...(variant === undefined ? {} : { variant }) };
}

/** The `platform` of an index entry; undefined where it names no machine. */
export function platformOf(value: unknown): Platform | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const members = new Map<string, unknown>(Object.entries(value));
  const os = members.get('os');
  const architecture = members.get('architecture');
  const variant = members.get('variant');
  if (typeof os !== 'string' || typeof architecture !== 'string') return undefined;
  if (os === UNKNOWN || architecture === UNKNOWN) return undefined;
  return {
    os,
    architecture,
    ...(typeof variant === 'string' && variant !== '' ? { variant } : {}),
  };
}

/** Whether a machine of one platform may take an entry of the other; a variant that one of them leaves open matches any. */
export function matchesPlatform(one: Platform, other: Platform): boolean {
  if (one.os !== other.os || one.architecture !== other.architecture) return false;
  return one.variant === undefined || other.variant === undefined || one.variant === other.variant;
}
