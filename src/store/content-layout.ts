import { createHash, randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type Digest, digestAlgorithm, digestHex, isDigest } from '../oci/digest.ts';

/** A temporary file's name taken apart. */
export interface TemporaryName {
  /** Stands for the machine (or container) that made it. */
  readonly host: string;
  readonly pid: number;
  /** Stands for the one store object that made it. */
  readonly instance: string;
}

const TEMPORARY_NAME = /^([0-9a-f]{8})-([0-9]{1,10})-([0-9a-f]{12})-[0-9]{1,15}\.part$/;

/**
 * Where content lies below its folder:
 *
 * ```
 * v1/sha256/ab/abcdef…   one file per digest, in 256 folders per algorithm
 * tmp/…-….part           what is being written; moved to its place when complete
 * ```
 */
export class ContentLayout {
  readonly #folder: string;
  readonly #host = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);
  readonly #instance = randomBytes(6).toString('hex');
  #count = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The folder of unfinished files. */
  get temporaryFolder(): string {
    return join(this.#folder, 'tmp');
  }

  /** The folder that has one folder per shard, for one digest algorithm. */
  algorithmFolder(algorithm: 'sha256' | 'sha512'): string {
    return join(this.#folder, 'v1', algorithm);
  }

  /** Where the content with this digest is, or would be. */
  pathOf(digest: Digest): string {
    const hex = digestHex(digest);
    return join(this.algorithmFolder(digestAlgorithm(digest)), hex.slice(0, 2), hex);
  }

  /** The digest a file stands for by its place, or undefined when it is not one of ours. */
  digestAt(algorithm: 'sha256' | 'sha512', shard: string, name: string): Digest | undefined {
    const digest = `${algorithm}:${name}`;
    return name.startsWith(shard) && isDigest(digest) ? digest : undefined;
  }

  /** A path for a temporary file that nobody else uses. */
  newTemporaryPath(): string {
    this.#count += 1;
    const name = `${this.#host}-${process.pid}-${this.#instance}-${this.#count}.part`;
    return join(this.temporaryFolder, name);
  }

  /** Takes a temporary file's name apart; undefined when it is not one of ours. */
  parseTemporaryName(name: string): TemporaryName | undefined {
    const [, host, pid, instance] = TEMPORARY_NAME.exec(name) ?? [];
    if (host === undefined || pid === undefined || instance === undefined) return undefined;
    return { host, pid: Number(pid), instance };
  }

  /** Whether a temporary file was made on this machine, so that its process can be looked for. */
  isOfThisHost(name: TemporaryName): boolean {
    return name.host === this.#host;
  }

  /** Whether a temporary file was made through this very object. */
  isOwn(name: TemporaryName): boolean {
    return this.isOfThisHost(name) && name.instance === this.#instance;
  }
}
