import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { binary } from './components.ts';
import { runOk } from './process.ts';

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'] as const;

/** A server certificate and its key, as files. */
export interface ServerCertificate {
  readonly certificate: string;
  readonly key: string;
}

/** A certificate authority of the lab's own, good for 30 days. */
export class CertificateAuthority {
  readonly file: string;
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
    this.file = join(folder, 'ca.crt');
  }

  /** Makes a new authority in `folder`. */
  static async create(folder: string): Promise<CertificateAuthority> {
    const authority = new CertificateAuthority(folder);
    await openssl([
      'req',
      '-x509',
      ...NEW_KEY,
      ...['-days', '30', '-subj', '/CN=lab CA'],
      ...['-keyout', join(folder, 'ca.key'), '-out', authority.file],
    ]);
    return authority;
  }

  /** Makes a client certificate. */
  async issueClient(name: string): Promise<ServerCertificate> {
    return await this.#issue(name, 'extendedKeyUsage=clientAuth\n');
  }

  /** Makes a server certificate; `names` are in openssl's form, such as `DNS:localhost` and `IP:127.0.0.1`. */
  async issue(name: string, names: readonly string[]): Promise<ServerCertificate> {
    const extensions = `subjectAltName=${names.join(',')}\nextendedKeyUsage=serverAuth\n`;
    return await this.#issue(name, extensions);
  }

  async #issue(name: string, extensions: string): Promise<ServerCertificate> {
    const file = (ending: string): string => join(this.#folder, `${name}.${ending}`);
    await openssl([
      'req',
      ...NEW_KEY,
      ...['-subj', `/CN=${name}`, '-keyout', file('key'), '-out', file('csr')],
    ]);
    await writeFile(file('ext'), extensions);
    await openssl([
      ...['x509', '-req', '-in', file('csr'), '-out', file('crt'), '-days', '30'],
      ...['-CA', this.file, '-CAkey', join(this.#folder, 'ca.key'), '-CAcreateserial'],
      ...['-extfile', file('ext')],
    ]);
    return { certificate: file('crt'), key: file('key') };
  }
}

/** Makes a key and a self-signed certificate for a person who signs, as `notary delegation add` wants it. */
export async function makeSignerCertificate(
  folder: string,
  name: string,
): Promise<ServerCertificate> {
  const certificate = join(folder, `${name}.crt`);
  const key = join(folder, `${name}.key`);
  await openssl([
    'req',
    '-x509',
    ...NEW_KEY,
    ...['-days', '30', '-subj', `/CN=${name}`, '-keyout', key, '-out', certificate],
  ]);
  return { certificate, key };
}

async function openssl(args: readonly string[]): Promise<void> {
  await runOk([binary('openssl'), ...args]);
}
