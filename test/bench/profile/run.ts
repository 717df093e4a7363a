import { freePort } from '../../e2e/support/port.ts';
import { requireBytes } from '../check.ts';
import { download } from '../client.ts';
import { type PinnaceRun, startPinnace } from '../contender.ts';
import { MANIFEST_ACCEPT } from '../engine.ts';
import { loadFor } from '../load.ts';
import { cpuSecondsOf, machineLine } from '../machine.ts';
import { imageOf, Site } from '../site.ts';
import { Inspector } from './inspector.ts';
import { type ProfileSummary, summaryOf } from './summary.ts';

/** Where the time of one path goes. */
export interface ProfiledPath extends ProfileSummary {
  readonly path: string;
  readonly seconds: number;
  /** Of all threads, and of the profiler too. */
  readonly cpuSeconds: number;
}

/** A run of the profiler, as written to the JSON file. */
export interface ProfileResult {
  readonly machine: string;
  /** When it began, ISO 8601. */
  readonly startedAt: string;
  readonly paths: readonly ProfiledPath[];
}

const BLOB_BYTES = 64 * 1024 ** 2;
const SECONDS = 5;
const COLD_BLOBS = 16;
const REPOSITORY = 'profile/image';
const AT = `/v2/${REPOSITORY}`;

/** Profiles the warm tag, a warm and a cold blob of 64 MiB, each under load. */
export async function profilePaths(progress: (text: string) => void): Promise<ProfileResult> {
  const startedAt = new Date().toISOString();
  await using site = await Site.start();
  const publisher = site.publisher(REPOSITORY);
  const images = Array.from({ length: COLD_BLOBS + 1 }, (_, index) =>
    imageOf(`profile ${index}`, BLOB_BYTES),
  );
  for (const [index, image] of images.entries()) publisher.release(`v${index}`, image);
  const port = await freePort();
  const pinnace = await startPinnace(site, { nodeOptions: [`--inspect=127.0.0.1:${port}`] });
  try {
    using inspector = await Inspector.connect(port);
    for (const [index, image] of images.entries()) {
      await requireBytes(pinnace, `${AT}/manifests/v${index}`, image.manifest.digest);
    }
    const [warm = '', ...cold] = images.map((image) => image.layers[0]?.digest ?? '');
    await requireBytes(pinnace, `${AT}/blobs/${warm}`, warm);
    const folder = await site.folder('load');
    const headers = { Accept: MANIFEST_ACCEPT };
    const load = async (path: string, connections: number): Promise<void> => {
      const asked = { paths: [path], connections, headers, folder, seconds: SECONDS };
      await loadFor({ ...asked, url: pinnace.url });
    };
    const fetchCold = async (): Promise<void> => {
      for (const digest of cold) {
        await download(`${pinnace.url}${AT}/blobs/${digest}`, BLOB_BYTES);
      }
    };
    const works = [
      { path: 'warm tag', work: () => load(`${AT}/manifests/v0`, 32), isRepeatable: true },
      { path: 'warm blob', work: () => load(`${AT}/blobs/${warm}`, 4), isRepeatable: true },
      { path: 'cold blob', work: fetchCold, isRepeatable: false },
    ];
    const paths: ProfiledPath[] = [];
    for (const { path, work, isRepeatable } of works) {
      progress(path);
      // Compiling is not what a day is spent with.
      if (isRepeatable) await work();
      paths.push(await profiled(inspector, pinnace, { path, work }));
    }
    for (const digest of cold) await requireBytes(pinnace, `${AT}/blobs/${digest}`, digest);
    return { machine: machineLine(), startedAt, paths };
  } finally {
    await pinnace.stop();
  }
}

async function profiled(
  inspector: Inspector,
  { pid }: PinnaceRun,
  { path, work }: { readonly path: string; readonly work: () => Promise<void> },
): Promise<ProfiledPath> {
  const before = { at: performance.now(), cpu: cpuSecondsOf(pid) };
  const profile = await inspector.profile(work);
  const seconds = (performance.now() - before.at) / 1000;
  return { path, seconds, cpuSeconds: cpuSecondsOf(pid) - before.cpu, ...summaryOf(profile) };
}
