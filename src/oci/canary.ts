import { type Digest, sha256Digest } from './digest.ts';
import type { RepositoryPath } from './names.ts';

/**
 * What a canary stands for: `signed` is served, `unsigned` is refused by its tag, `tampered` is served up to a layer that is
 * refused as altered content is.
 */
export type CanaryKind = (typeof CANARY_KINDS)[number];

/** What a canary says of where it was made; the engine that has it can show it. */
export interface CanaryFacts {
  readonly kind: CanaryKind;
  /** The tag: 32 lower-case hex digits, new for every pull. */
  readonly nonce: string;
  /** The registry it was asked for under. */
  readonly registry: string;
  /** The listener that served it. */
  readonly listener: string;
  /** How that listener says its refusals. */
  readonly refusal: 'deny' | 'hard-stop';
}

/** A document or blob of a canary. */
export interface CanaryPart {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/** A canary with everything that belongs to it. */
export interface CanaryImage {
  readonly index: CanaryPart;
  /** One manifest for each platform. */
  readonly manifests: readonly CanaryPart[];
  /** Configs and, of a `signed` canary, the layer. */
  readonly blobs: readonly CanaryPart[];
}

/** All kinds of canaries. */
export const CANARY_KINDS = ['signed', 'unsigned', 'tampered'] as const;

/** The folder of the canaries, the same under every registry. */
export const CANARY_FOLDER = 'pinnace-canary';

const LABEL = 'pinnace.canary.';
const NONCE = /^[0-9a-f]{32}$/;
/** A gzipped tar with one small text file, so that every engine can unpack it. */
const LAYER = Buffer.from(
  'H4sIAAAAAAAC/+3SQQrCMBAF0Fl7irmA5RdivYYLLzCksQ3STEniwtuLWii4tyjM2/zhb/5m5piS+LD3kiTf6SsAwDn3SgCfCRy79X72LQ5dSwzawK1UyYRNtn7QeYyF4yRD4F5D4aR1jGlo+PR+DJ7kGgrHyhfNPC9lr75qbnZkjDHmTz0AYAaQOwAIAAA=',
  'base64',
);
const DIFF_ID = 'sha256:a452b8b47d9fce569f86c9290d4b35f670a973594ffba8ce2588bd18cca794fc';
const TYPES = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
} as const;
/** The platforms of Linux that engines are built for. */
const PLATFORMS: readonly { readonly architecture: string; readonly variant?: string }[] = [
  { architecture: 'amd64' },
  { architecture: 'arm64', variant: 'v8' },
  { architecture: 'arm', variant: 'v7' },
  { architecture: '386' },
  { architecture: 'ppc64le' },
  { architecture: 'riscv64' },
  { architecture: 's390x' },
];

/** The kind of canary that a repository's path is reserved for; undefined for all other paths. */
export function canaryKindOf(path: RepositoryPath): CanaryKind | undefined {
  // The folder first: this is asked of every request, and nearly no path begins with it.
  if (!path.startsWith(CANARY_FOLDER)) return undefined;
  return CANARY_KINDS.find((kind) => path === `${CANARY_FOLDER}/${kind}`);
}

/** Says whether a tag can be a canary's. */
export function isCanaryNonce(tag: string): boolean {
  return NONCE.test(tag);
}

/** Makes a canary; the same facts always give the same bytes. */
export function makeCanaryImage(facts: CanaryFacts): CanaryImage {
  const { nonce } = facts;
  const layer = part(TYPES.layer, LAYER);
  // Bytes that are never given out: whoever should answer for them can only refuse.
  const missing = part(TYPES.layer, Buffer.from(`the altered layer of canary ${nonce}\n`));
  const isWhole = facts.kind === 'signed';
  const configs = PLATFORMS.map((platform) => configOf(facts, platform));
  const manifests = configs.map((config) =>
    json(TYPES.manifest, {
      config: descriptor(config),
      layers: [descriptor(isWhole ? layer : missing)],
    }),
  );
  const index = json(TYPES.index, {
    manifests: manifests.map((manifest, at) => ({
      ...descriptor(manifest),
      platform: { ...PLATFORMS[at], os: 'linux' },
    })),
  });
  return { index, manifests, blobs: isWhole ? [...configs, layer] : configs };
}

/** The facts in the labels of an image; undefined for images that are no canaries. */
export function canaryFactsOf(labels: ReadonlyMap<string, string>): CanaryFacts | undefined {
  const of = (name: string): string => labels.get(`${LABEL}${name}`) ?? '';
  const kind = CANARY_KINDS.find((each) => each === of('kind'));
  const refusal = (['deny', 'hard-stop'] as const).find((each) => each === of('refusal'));
  const nonce = of('nonce');
  if (kind === undefined || refusal === undefined || !isCanaryNonce(nonce)) return undefined;
  return { kind, nonce, registry: of('registry'), listener: of('listener'), refusal };
}

function configOf(facts: CanaryFacts, platform: (typeof PLATFORMS)[number]): CanaryPart {
  const { kind, nonce, registry, listener, refusal } = facts;
  const labels = { kind, nonce, registry, listener, refusal };
  return part(
    TYPES.config,
    Buffer.from(
      JSON.stringify({
        ...platform,
        os: 'linux',
        config: {
          Labels: Object.fromEntries(
            Object.entries(labels).map(([name, value]) => [`${LABEL}${name}`, value]),
          ),
        },
        rootfs: { type: 'layers', diff_ids: [DIFF_ID] },
        history: [{ created_by: 'pinnace doctor' }],
      }),
    ),
  );
}

function json(mediaType: string, content: object): CanaryPart {
  return part(mediaType, Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...content })));
}

function part(mediaType: string, bytes: Uint8Array): CanaryPart {
  return { digest: sha256Digest(bytes), mediaType, bytes };
}

function descriptor({ mediaType, digest, bytes }: CanaryPart): {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
} {
  return { mediaType, digest, size: bytes.length };
}
