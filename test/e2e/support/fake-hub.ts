import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CertificateAuthority } from './certificates.ts';
import { binary } from './components.ts';
import { Place } from './place.ts';
import { Daemon, run } from './process.ts';
import { Registry } from './registry.ts';
import type { Scratch } from './scratch.ts';
import { eventually } from './wait.ts';

/** An address for documentation: engines treat 127.0.0.0/8 as insecure, which would hide TLS mistakes. */
export const HUB_ADDRESS = '192.0.2.10';
/** The address Pinnace has under its example name; a second one, so that it too has to show a certificate. */
export const PINNACE_ADDRESS = '192.0.2.20';
/** The name that example settings for engines have Pinnace under. */
export const PINNACE_NAME = 'pinnace.example';
const SYSTEM_ROOTS = '/etc/ssl/certs/ca-certificates.crt';

/**
 * A network and mount namespace of its own in which a registry answers as `registry-1.docker.io`. Nothing in it reaches
 * further than its own loopback, and no file of the machine is changed. The registry's access log proves what was asked.
 */
export class FakeHub {
  readonly place: Place;
  readonly registry: Registry;
  readonly authority: CertificateAuthority;
  #marks = 0;

  private constructor(place: Place, registry: Registry, authority: CertificateAuthority) {
    this.authority = authority;
    this.place = place;
    this.registry = registry;
  }

  /** Makes the namespace and starts the registry in it. */
  static async start(scratch: Scratch): Promise<FakeHub> {
    const { place, authority, tls } = await makeHubNamespace(scratch);
    const registry = await Registry.start(scratch, place, {
      name: 'hub-registry',
      host: HUB_ADDRESS,
      port: 443,
      tls,
    });
    const hub = new FakeHub(place, registry, authority);
    await hub.mark();
    return hub;
  }

  /** Forgets what was asked so far, so that {@link asked} speaks about what comes next. */
  async mark(): Promise<void> {
    this.#marks += 1;
    const mark = `/v2/mark-${this.#marks}/`;
    await this.place.request(`${this.registry.url}${mark}`, '-k');
    // The log is written when a request is over, so once this one is in it all earlier ones are.
    await eventually(async () => (await this.registry.requestsFor(mark)).length > 0, {
      what: 'the access log of the fake Docker Hub',
    });
  }

  /** Requests since the last {@link mark} that were about a tag, or that the hub had something to answer to. */
  async served(): Promise<readonly string[]> {
    return (await this.asked()).filter(
      (line) => !line.includes('sha256:') || /HTTP\/1\.1" [23]/.test(line),
    );
  }

  /** Every request since the last {@link mark}, as the access log has it. */
  async asked(): Promise<readonly string[]> {
    const before = `/v2/mark-${this.#marks}/`;
    await this.mark();
    const lines = await this.registry.requestsFor('');
    const start = lines.findIndex((line) => line.includes(before));
    return lines.slice(start + 1).filter((line) => !line.includes('/v2/mark-'));
  }
}

/** The namespace, and what a server needs to answer as Docker Hub in it. */
export interface HubNamespace {
  readonly place: Place;
  /** Trusted by every program in the namespace. */
  readonly authority: CertificateAuthority;
  readonly tls: { readonly certificate: string; readonly key: string };
}

/** Makes a namespace in which nothing answers yet. */
export async function makeHubNamespace(scratch: Scratch): Promise<HubNamespace> {
  const folder = scratch.folder('hub');
  const authority = await CertificateAuthority.create(folder);
  const tls = await authority.issue('registry-1.docker.io', [
    'DNS:registry-1.docker.io',
    'DNS:auth.docker.io',
  ]);
  await writeFile(
    join(folder, 'hosts'),
    `127.0.0.1 localhost\n${HUB_ADDRESS} registry-1.docker.io auth.docker.io\n${PINNACE_ADDRESS} ${PINNACE_NAME}\n`,
  );
  const roots = [await readFile(SYSTEM_ROOTS, 'utf8'), await readFile(authority.file, 'utf8')];
  await writeFile(join(folder, 'roots.crt'), roots.join('\n'));
  return { place: await enterNamespace(scratch, folder), authority, tls };
}

async function enterNamespace(scratch: Scratch, folder: string): Promise<Place> {
  const ready = join(folder, 'ready');
  const script = [
    'set -e',
    'ip link set lo up',
    `ip addr add ${HUB_ADDRESS}/32 dev lo`,
    `ip addr add ${PINNACE_ADDRESS}/32 dev lo`,
    `mount --bind "${join(folder, 'hosts')}" /etc/hosts`,
    `mount --bind "${join(folder, 'roots.crt')}" ${SYSTEM_ROOTS}`,
    `echo ready > "${ready}"`,
    'exec sleep infinity',
  ];
  const daemon = Daemon.start(
    [binary('unshare'), '-n', '-m', '--propagation', 'private', 'sh', '-c', script.join('\n')],
    join(folder, 'namespace.log'),
    { env: { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` } },
  );
  scratch.defer('namespace', async () => await daemon.stop());
  await daemon.ready(async () => (await run(['test', '-e', ready])).code === 0);
  return new Place([binary('nsenter'), '-t', `${daemon.pid}`, '-n', '-m', '--']);
}
