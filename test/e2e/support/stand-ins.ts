import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HUB_ADDRESS, type HubNamespace } from './fake-hub.ts';
import { freePort } from './port.ts';
import type { Scratch } from './scratch.ts';
import { type Cell, foreignImage, type Seen, type StandInOptions } from './stand-in-content.ts';

const MAIN = join(dirname(fileURLToPath(import.meta.url)), 'stand-ins-main.ts');

/** What the origin was asked in the course of one pull. */
export type OriginAsked = 'no' | 'in vain' | 'served';

/** The origin and the registry behind Pinnace, both in the lab's namespace. */
export class StandIns {
  /** The registry that Pinnace fetches from. */
  readonly upstreamUrl: string;
  readonly #namespace: HubNamespace;
  readonly #control: string;

  private constructor(namespace: HubNamespace, ports: { upstream: number; control: number }) {
    this.#namespace = namespace;
    this.upstreamUrl = `http://127.0.0.1:${ports.upstream}`;
    this.#control = `http://127.0.0.1:${ports.control}/`;
  }

  /** Starts both with content for these cells, and waits until they answer. */
  static async start(
    scratch: Scratch,
    namespace: HubNamespace,
    cells: readonly Cell[],
  ): Promise<StandIns> {
    const folder = scratch.folder('stand-ins');
    const ports = { upstream: await freePort(), control: await freePort() };
    const options: StandInOptions = {
      cells,
      originHost: HUB_ADDRESS,
      certificateFile: namespace.tls.certificate,
      keyFile: namespace.tls.key,
      upstreamPort: ports.upstream,
      controlPort: ports.control,
    };
    const file = join(folder, 'options.json');
    await writeFile(file, JSON.stringify(options));
    const daemon = namespace.place.start([process.execPath, MAIN, file], join(folder, 'log'));
    scratch.defer('stand-ins', async () => await daemon.stop());
    const standIns = new StandIns(namespace, ports);
    await daemon.ready(async () => await namespace.place.answers(standIns.#control));
    return standIns;
  }

  /** Every request so far. */
  async seen(): Promise<readonly Seen[]> {
    const answer = await this.#namespace.place.request(this.#control);
    const seen: readonly Seen[] = JSON.parse(answer.body);
    return seen;
  }
}

/** What the requests say about one cell: whether the origin was asked by tag, or for content it has. */
export function originAsked(cell: Cell, seen: readonly Seen[]): OriginAsked {
  const { manifest, config, layers } = foreignImage(cell);
  const has = new Set([manifest.digest, config.digest, ...layers.map(({ digest }) => digest)]);
  const asked = seen.filter(
    ({ server, path }) => server === 'origin' && path.startsWith(`/v2/${cell.repository}/`),
  );
  if (asked.length === 0) return 'no';
  const isServed = ({ path }: Seen): boolean => {
    const reference = path.slice(path.lastIndexOf('/') + 1);
    return !reference.startsWith('sha256:') || has.has(reference);
  };
  return asked.some(isServed) ? 'served' : 'in vain';
}
