import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TufRepository } from '../../support/tuf-repository.ts';
import { type HubNamespace, makeHubNamespace, PINNACE_ADDRESS, PINNACE_NAME } from './fake-hub.ts';
import { Pinnace } from './pinnace.ts';
import type { Scratch } from './scratch.ts';
import { type Cell, foreignImage, signedImage } from './stand-in-content.ts';
import { StandIns } from './stand-ins.ts';
import type { PrintedSettings } from './table-engines.ts';

/** The listeners of the table's Pinnace by name, and their ports. */
const LISTENERS = { registry: 5000, complete: 5001, hard: 5002, plain: 5003 } as const;

const DAY_MS = 86_400_000;
/** A port that nothing answers on. */
const NOWHERE = 'https://127.0.0.1:1/metadata';

/** Pinnace by the name of the examples, with TLS, before a registry and beside an origin that has other images. */
export class TableLab {
  readonly namespace: HubNamespace;
  readonly standIns: StandIns;
  readonly pinnace: Pinnace;

  private constructor(namespace: HubNamespace, standIns: StandIns, pinnace: Pinnace) {
    this.namespace = namespace;
    this.standIns = standIns;
    this.pinnace = pinnace;
  }

  /** Starts everything with content and signatures for these cells. */
  static async start(scratch: Scratch, cells: readonly Cell[]): Promise<TableLab> {
    const namespace = await makeHubNamespace(scratch);
    const standIns = await StandIns.start(scratch, namespace, cells);
    const issued = await namespace.authority.issue(PINNACE_NAME, [`DNS:${PINNACE_NAME}`]);
    const tls = { cert: issued.certificate, key: issued.key };
    const at = (name: keyof typeof LISTENERS): { address: string; tls: typeof tls } => ({
      address: `${PINNACE_ADDRESS}:${LISTENERS[name]}`,
      tls,
    });
    const mirror = { defaultRegistry: 'docker.io', refusal: 'hard-stop' } as const;
    const pinnace = await Pinnace.start(scratch, namespace.place, {
      listeners: {
        registry: at('registry'),
        complete: { ...at('complete'), ...mirror, completeFirst: true },
        hard: { ...at('hard'), ...mirror },
        plain: { ...at('plain'), defaultRegistry: 'docker.io', refusal: 'deny' },
      },
      upstreams: { 'docker.io': { url: standIns.upstreamUrl } },
      trust: await writeTrust(scratch, cells),
      policy: [
        { match: 'docker.io/*-expired/*', trust: 'expired' },
        { match: 'docker.io/*-trust-server-away/*', trust: 'away' },
        { match: 'docker.io/*/*', trust: 'vetted' },
      ],
    });
    return new TableLab(namespace, standIns, pinnace);
  }

  /** The URL of a listener, by the name that its certificate has. */
  url(listener: keyof typeof LISTENERS): string {
    return `https://${PINNACE_NAME}:${LISTENERS[listener]}`;
  }

  /** What `pinnace engines` prints for the configuration that is running; it chooses among the listeners by itself. */
  async printed(engine: string, ...more: readonly string[]): Promise<PrintedSettings> {
    const address = this.url(engine === 'podman' ? 'registry' : 'complete');
    const done = await this.pinnace.command(
      ...['engines', engine, '--json', '--address', address, ...more],
    );
    if (done.code !== 0) throw new Error(done.output);
    const settings: PrintedSettings = JSON.parse(done.stdout);
    return settings;
  }
}

/** The name by which an engine is to pull what a cell is about. */
export function imageOf(cell: Cell): string {
  return cell.kind === 'by digest'
    ? `${cell.repository}@${foreignImage(cell).manifest.digest}`
    : `${cell.repository}:1`;
}

/** Signs every cell's image but the unsigned ones; twice, once so long ago that it has expired. */
async function writeTrust(
  scratch: Scratch,
  cells: readonly Cell[],
): Promise<Readonly<Record<string, Readonly<Record<string, unknown>>>>> {
  const signed = cells.filter(({ kind }) => kind !== 'unsigned' && kind !== 'by digest');
  const target = '{registry}/{repository}:{tag}';
  const entries: [string, Readonly<Record<string, unknown>>][] = [];
  for (const [name, daysAgo] of [
    ['vetted', 0],
    ['expired', 3],
  ] as const) {
    const publisher = new TufRepository({ now: new Date(Date.now() - daysAgo * DAY_MS) });
    for (const cell of signed) {
      const { manifest } = signedImage(cell);
      const content = { sha256: manifest.digest, length: manifest.bytes.length };
      publisher.sign(`docker.io/${cell.repository}:1`, content);
    }
    const folder = join(scratch.folder('trust'), name);
    await mkdir(folder, { recursive: true });
    for (const [file, bytes] of publisher.publish()) await writeFile(join(folder, file), bytes);
    const root = join(scratch.folder('trust'), `${name}-root.json`);
    await writeFile(root, publisher.firstRoot);
    entries.push([name, { kind: 'tuf', url: `file://${folder}`, root, target }]);
  }
  const root = join(scratch.folder('trust'), 'vetted-root.json');
  entries.push(['away', { kind: 'tuf', url: NOWHERE, root, target }]);
  return Object.fromEntries(entries);
}
