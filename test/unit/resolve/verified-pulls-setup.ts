import type { Pin } from '../../../src/metadata/collection.ts';
import { Collections } from '../../../src/metadata/collections.ts';
import type { Digest } from '../../../src/oci/digest.ts';
import { parseRepositoryName, parseTag, type Repository } from '../../../src/oci/names.ts';
import { compilePolicy } from '../../../src/policy/policy.ts';
import type { Rule } from '../../../src/policy/rule.ts';
import { refusalOfError } from '../../../src/refusal/refusal-of-error.ts';
import { ClockGuard } from '../../../src/resolve/clock-guard.ts';
import { UpstreamError } from '../../../src/resolve/errors.ts';
import type {
  BlobContent,
  FetchedBlob,
  FetchedManifest,
  ManifestStore,
  UpstreamContent,
} from '../../../src/resolve/ports.ts';
import type { Refusal, ServedManifest } from '../../../src/resolve/pull-service.ts';
import { TrustFiles } from '../../../src/resolve/trust-files.ts';
import { VerifiedPulls } from '../../../src/resolve/verified-pulls.ts';
import { MemoryState } from '../../../src/store/memory-state.ts';
import { notaryV1 } from '../../../src/trust/dialect/notary-v1-dialect.ts';
import { dockerConvention } from '../../../src/trust/tag-search.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { type Image, signedContentOf } from '../../support/images.ts';
import { MemoryMetadataSource } from '../../support/memory-metadata-source.ts';
import { NotaryRepository } from '../../support/notary-repository.ts';
import { SILENT_EVENTS } from '../../support/trust-bench.ts';

/** The repository that the bench signs for. */
export const GUN = 'registry.example.com/team/app';

const RULES: readonly Rule[] = [
  {
    match: 'registry.example.com/**',
    requirement: { kind: 'verified', source: 'corp', signers: [] },
  },
];

/** A registry in memory; a test may hold its answers back. */
export class MemoryUpstream implements UpstreamContent {
  readonly manifests = new Map<string, FetchedManifest>();
  /** The digests asked for, in order. */
  readonly asked: Digest[] = [];
  /** What an answer waits for. */
  gate: Promise<void> = Promise.resolve();

  async fetchManifest(_repository: Repository, digest: Digest): Promise<FetchedManifest> {
    this.asked.push(digest);
    await this.gate;
    const manifest = this.manifests.get(digest);
    if (manifest === undefined) throw new UpstreamError('manifest_missing', 'not there');
    return manifest;
  }

  fetchBlob(): Promise<FetchedBlob> {
    throw new Error('not asked in these tests');
  }
}

/** Manifests in memory, with a way to spoil them. */
export class MemoryManifests implements ManifestStore {
  readonly kept = new Map<Digest, FetchedManifest>();

  async read(digest: Digest): Promise<FetchedManifest | undefined> {
    return this.kept.get(digest);
  }

  async write(digest: Digest, manifest: FetchedManifest): Promise<void> {
    this.kept.set(digest, manifest);
  }
}

/** `VerifiedPulls` with real trust, state and policy, and everything else in memory. */
export class PullBench {
  readonly clock = new FakeClock();
  readonly state = new MemoryState(this.clock);
  readonly source = new MemoryMetadataSource();
  readonly upstream = new MemoryUpstream();
  readonly manifests = new MemoryManifests();
  readonly answers = new Map<Pin, ServedManifest>();
  readonly repository = parseRepositoryName(GUN);
  readonly publisher = new NotaryRepository({ gun: GUN });
  joined = 0;
  readonly pulls: VerifiedPulls;
  readonly trustFiles: TrustFiles;

  constructor(rules: readonly Rule[] = RULES) {
    const { clock, state } = this;
    const collections = new Collections({
      sources: new Map([
        [
          'corp',
          {
            source: this.source,
            rulesFor: () => ({
              dialect: notaryV1,
              convention: dockerConvention,
              anchor: { kind: 'first-use' },
              weak: { rsaPkcs1v15: false, p224: false },
              clockSkewMs: 0,
              maxAgeMs: 60_000,
              outageGraceMs: 3_600_000,
            }),
          },
        ],
      ]),
      store: state,
      clock,
      events: SILENT_EVENTS,
    });
    const shared = {
      policy: compilePolicy(rules),
      collections,
      clock,
      clockGuard: new ClockGuard(clock, state),
      refusalOf: refusalOfError,
    };
    this.trustFiles = new TrustFiles(shared);
    this.pulls = new VerifiedPulls({
      ...shared,
      upstream: this.upstream,
      manifests: this.manifests,
      blobs: {
        open: async (): Promise<BlobContent> => await Promise.reject(new TypeError('a defect')),
      },
      pins: state,
      answers: this.answers,
      onJoinedManifest: () => {
        this.joined += 1;
      },
    });
  }

  /** Pushes an image's manifest and signs it, by default for what it is. */
  release(tag: string, image: Image, signed = signedContentOf(image)): void {
    this.upstream.manifests.set(image.manifest.digest, image.manifest);
    this.publisher.sign(tag, signed);
    this.source.serve(GUN, this.publisher.publish());
  }

  byTag(tag: string, signal?: AbortSignal): Promise<ServedManifest | Refusal> {
    const options = signal === undefined ? {} : { signal };
    return this.pulls.manifestByTag(this.repository, parseTag(tag), options);
  }

  byDigest(digest: string): Promise<ServedManifest | Refusal> {
    return this.pulls.manifestByDigest(this.repository, digest as Digest, {});
  }
}

/** The digest that was served, or the reason why not. */
export function verdictOf(answer: ServedManifest | Refusal): string {
  return answer.verdict === 'pinned' ? answer.digest : answer.reason;
}
