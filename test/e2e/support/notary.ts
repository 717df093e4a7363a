import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CertificateAuthority } from './certificates.ts';
import { binary } from './components.ts';
import type { Place } from './place.ts';
import { freePort } from './port.ts';
import type { Daemon } from './process.ts';
import type { Scratch } from './scratch.ts';

/**
 * A real notary-server with TLS and its memory store. It signs timestamps (and snapshots, when a publisher hands that key
 * over) in its own process. Stopping it forgets everything, so a test in which it is away for a while puts a `Gate`
 * in front of it.
 */
export class Notary {
  readonly place: Place;
  readonly host: string;
  readonly caFile: string;
  readonly #daemon: Daemon;

  private constructor(place: Place, host: string, running: { caFile: string; daemon: Daemon }) {
    this.place = place;
    this.host = host;
    this.caFile = running.caFile;
    this.#daemon = running.daemon;
  }

  /** Starts one and waits until it answers. */
  static async start(scratch: Scratch, place: Place): Promise<Notary> {
    const folder = scratch.folder('notary');
    const host = `127.0.0.1:${await freePort()}`;
    const authority = await CertificateAuthority.create(folder);
    const tls = await authority.issue('server', ['IP:127.0.0.1', 'DNS:localhost']);
    const config = {
      server: {
        http_addr: host,
        tls_key_file: tls.key,
        tls_cert_file: tls.certificate,
      },
      trust_service: {
        type: 'local',
        hostname: '',
        port: '',
        key_algorithm: 'ecdsa',
        tls_ca_file: '',
      },
      logging: { level: 'info' },
      storage: { backend: 'memory' },
      // Without this a shared cache in front, or a polite client, may show five-minute-old timestamps.
      caching: { max_age: { current_metadata: 0, consistent_metadata: 3600 } },
    };
    const file = join(folder, 'config.json');
    await writeFile(file, JSON.stringify(config));
    const daemon = place.start([binary('notaryServer'), '-config', file], join(folder, 'log'));
    const notary = new Notary(place, host, { caFile: authority.file, daemon });
    scratch.defer('notary server', async () => await daemon.stop());
    await daemon.ready(
      async () =>
        await place.answers(`${notary.url}/_notary_server/health`, '--cacert', authority.file),
    );
    return notary;
  }

  /** `https://host:port`. */
  get url(): string {
    return `https://${this.host}`;
  }

  /** A metadata file as the server has it now, parsed; for tests that look at versions. */
  async metadata(gun: string, role: string): Promise<unknown> {
    const answer = await this.place.request(
      `${this.url}/v2/${gun}/_trust/tuf/${role}.json`,
      '--cacert',
      this.caFile,
    );
    if (answer.status !== 200) throw new Error(`${gun} ${role}: ${answer.status} ${answer.body}`);
    const parsed: unknown = JSON.parse(answer.body);
    return parsed;
  }

  /** Ends it for good: its memory store is gone with it. */
  async stop(): Promise<void> {
    await this.#daemon.stop();
  }

  /** How often the log names a metadata request for this collection and role. */
  async requestsFor(text: string): Promise<number> {
    return (await this.#daemon.log()).split('\n').filter((line) => line.includes(text)).length;
  }
}
