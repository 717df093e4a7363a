import { TrustServerError } from '../../src/metadata/errors.ts';
import type { MetadataFetchOptions, MetadataSource } from '../../src/metadata/ports.ts';
import { TrustError } from '../../src/trust/errors.ts';

/** How a file of a `MemoryMetadataSource` fails: it never ends, or the server gives no usable answer. */
export type SourceFault =
  | 'endless'
  | 'trust_server_unreachable'
  | 'trust_server_unauthorized'
  | 'trust_server_error';

/** A trust server without a network: published files and faults by name. */
export class MemoryMetadataSource implements MetadataSource {
  /** The files asked for, in order, as `<gun> <file>`. */
  readonly asked: string[] = [];
  readonly #collections = new Map<string, ReadonlyMap<string, Uint8Array>>();
  readonly #faults: { readonly file: RegExp; readonly fault: SourceFault }[] = [];

  /** Serves these files, and no others, for a GUN. */
  serve(gun: string, files: ReadonlyMap<string, Uint8Array>): void {
    this.#collections.set(gun, files);
  }

  /** Fails for files whose name matches. */
  inject(file: RegExp, fault: SourceFault): void {
    this.#faults.push({ file, fault });
  }

  /** Behaves again. */
  clearFaults(): void {
    this.#faults.length = 0;
  }

  async fetch(
    gun: string,
    file: string,
    options: MetadataFetchOptions,
  ): Promise<Uint8Array | undefined> {
    this.asked.push(`${gun} ${file}`);
    options.signal?.throwIfAborted();
    const fault = this.#faults.find((each) => each.file.test(file))?.fault;
    const bytes = this.#collections.get(gun)?.get(file);
    if (fault === 'endless' || (fault === undefined && (bytes?.length ?? 0) > options.maxBytes)) {
      throw new TrustError('length_exceeded', `${file} is longer than ${options.maxBytes} bytes`);
    }
    if (fault !== undefined) throw new TrustServerError(fault, `injected for ${file}`);
    return bytes;
  }

  async close(): Promise<void> {}
}
