import type { Hash } from 'node:crypto';
import { createDigestHash, type Digest, digestHex } from '../oci/digest.ts';

/** Measures content while it arrives against the digest and size it should have. */
export class ContentCheck {
  readonly digest: Digest;
  /** Length in bytes that the content should have. */
  readonly size: number;
  readonly #hash: Hash;
  #received = 0;
  #isRight: boolean | undefined;

  constructor(digest: Digest, size: number) {
    this.digest = digest;
    this.size = size;
    this.#hash = createDigestHash(digest);
  }

  /** Bytes measured so far. */
  get received(): number {
    return this.#received;
  }

  /** Measures the next bytes; false when they are more than there should be, and nothing can make it right any more. */
  accept(chunk: Uint8Array): boolean {
    this.#received += chunk.length;
    if (this.#received > this.size || this.#isRight !== undefined) {
      this.#isRight = false;
      return false;
    }
    this.#hash.update(chunk);
    return true;
  }

  /** Ends the measuring and says whether digest and size are right; asked again, the answer is the same. */
  conclude(): boolean {
    this.#isRight ??=
      this.#received === this.size && this.#hash.digest('hex') === digestHex(this.digest);
    return this.#isRight;
  }
}
