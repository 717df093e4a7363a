import { OciError } from '../oci/errors.ts';
import { type ImageReference, parseImageReference } from '../oci/image-reference.ts';
import type { CommandIo } from './serve.ts';

/** Reads the image a command is asked about; undefined, with a line on standard error, for what is none. */
export function imageArgument(text: string, { stderr }: CommandIo): ImageReference | undefined {
  try {
    return parseImageReference(text);
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
    stderr.write(`${JSON.stringify(text)} is not an image reference: ${error.message}\n`);
    return undefined;
  }
}
