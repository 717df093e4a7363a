import type { Descriptor } from './descriptor.ts';
import { type Digest, isDigest } from './digest.ts';
import { OciError } from './errors.ts';
import { parseManifest } from './manifest.ts';
import { bareMediaType } from './media-types.ts';

/** A manifest that nobody can run, and that may refer to another one. */
export interface Referrer {
  readonly mediaType: string;
  /** The manifest it refers to. */
  readonly subject: Digest | undefined;
  /** What it is, by its own word; for older ones the media type of its config. */
  readonly artifactType: string;
  readonly annotations: Readonly<Record<string, string>>;
  /** Config and layers. */
  readonly parts: readonly Descriptor[];
}

const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const MAX_ANNOTATIONS = 64;
const MAX_ANNOTATIONS_LENGTH = 16 * 1024;
const MAX_LAYERS = 256;
const MAX_TYPE_LENGTH = 255;

/** Written documents: signatures, attestations, bills of materials. No engine unpacks or runs one. */
const DOCUMENT_SUFFIX = /\+(?:json|xml|cose|cbor|jwt|yaml)$/;
const DOCUMENT_TYPES: ReadonlySet<string> = new Set([
  'application/json',
  'application/xml',
  'application/yaml',
  'application/cose',
  'application/cbor',
  'application/jwt',
  'application/pem-certificate-chain',
  'application/pgp-signature',
  'application/pkcs7-signature',
  'application/timestamp-reply',
  'application/vnd.cyclonedx',
]);

/** The members beside those of every manifest that decide what a referrer is, by lower-case name. */
const DECISIVE: ReadonlyMap<string, string> = new Map(
  ['subject', 'artifactType', 'annotations'].map((name) => [name.toLowerCase(), name]),
);

/** What is read of a document; nothing is known of the values. */
interface Members {
  readonly subject?: unknown;
  readonly artifactType?: unknown;
  readonly annotations?: unknown;
  readonly config?: unknown;
  readonly layers?: unknown;
}

/**
 * Reads a manifest as a referrer: an OCI manifest all of whose layers are documents by their media types. Undefined for what
 * an engine could take for an image, for indexes, and for whatever two readers could understand differently.
 *
 * @param bytes - as received; the caller has checked their digest
 * @param contentType - the `Content-Type` they came with, empty if none
 * @source OCI image 1.1 (manifest.md, subject and artifactType)
 */
export function parseReferrer(bytes: Uint8Array, contentType: string): Referrer | undefined {
  try {
    return readReferrer(bytes, contentType);
  } catch (error) {
    if (error instanceof OciError) return undefined;
    throw error;
  }
}

/** @throws {OciError} for what is no manifest */
function readReferrer(bytes: Uint8Array, contentType: string): Referrer | undefined {
  const { mediaType, parts, foreign } = parseManifest(bytes, contentType);
  if (mediaType !== OCI_MANIFEST || foreign.size > 0) return undefined;
  // It parsed once already, as an object without repeated members.
  const document: object = JSON.parse(new TextDecoder().decode(bytes));
  const isAmbiguous = Object.keys(document).some((name) => {
    const specified = DECISIVE.get(name.toUpperCase().toLowerCase());
    return specified !== undefined && specified !== name;
  });
  const members: Members = Object.assign(Object.create(null), document);
  if (isAmbiguous || !hasDocumentsOnly(members.layers)) return undefined;
  const subject = digestIn(members.subject);
  if (members.subject !== undefined && members.subject !== null && subject === undefined) {
    return undefined;
  }
  const artifactType = textIn(members.artifactType) ?? textIn(mediaTypeIn(members.config)) ?? '';
  const annotations = annotationsIn(members.annotations);
  return { mediaType, subject, artifactType, annotations, parts };
}

function hasDocumentsOnly(layers: unknown): boolean {
  if (!Array.isArray(layers) || layers.length === 0 || layers.length > MAX_LAYERS) return false;
  return layers.every((layer: unknown) => {
    const type = mediaTypeIn(layer);
    return typeof type === 'string' && isDocumentType(type) && sizeIn(layer) !== 0;
  });
}

/** Says whether a media type is one of written documents, which no engine unpacks. */
export function isDocumentType(mediaType: string): boolean {
  const type = bareMediaType(mediaType);
  if (type.length > MAX_TYPE_LENGTH) return false;
  return type.startsWith('text/') || DOCUMENT_SUFFIX.test(type) || DOCUMENT_TYPES.has(type);
}

function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.getOwnPropertyDescriptor(value, name)?.value;
}

function mediaTypeIn(value: unknown): unknown {
  return memberOf(value, 'mediaType');
}

function sizeIn(value: unknown): unknown {
  return memberOf(value, 'size');
}

function digestIn(value: unknown): Digest | undefined {
  const digest = memberOf(value, 'digest');
  return typeof digest === 'string' && isDigest(digest) ? digest : undefined;
}

function textIn(value: unknown): string | undefined {
  const isText = typeof value === 'string' && value !== '' && value.length <= MAX_TYPE_LENGTH;
  return isText ? value : undefined;
}

/** As far as they are texts and not too long; they decide nothing. */
function annotationsIn(value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return {};
  const kept: [string, string][] = [];
  let length = 0;
  for (const [name, text] of Object.entries(value)) {
    if (typeof text !== 'string') continue;
    length += name.length + text.length;
    if (kept.length === MAX_ANNOTATIONS || length > MAX_ANNOTATIONS_LENGTH) break;
    kept.push([name, text]);
  }
  return Object.fromEntries(kept);
}
