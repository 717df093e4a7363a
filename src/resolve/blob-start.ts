import { Writable } from 'node:stream';
import { UNPACKABLE_BYTES } from '../oci/unpackable.ts';
import type { BlobContent } from './ports.ts';

/** The first bytes of verified content, as many as tell what could be unpacked. @throws {UpstreamError} */
export async function startOf(
  content: BlobContent,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      // The sender may use its buffer again.
      chunks.push(Buffer.from(chunk));
      done();
    },
  });
  const end = Math.min(content.size, UNPACKABLE_BYTES);
  if (end > 0) await content.send(sink, { start: 0, end }, signal);
  return Buffer.concat(chunks);
}
