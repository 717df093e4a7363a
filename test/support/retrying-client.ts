import assert from 'node:assert/strict';
import type { Image } from './images.ts';
import { type PartialAnswer, takeWhatComes } from './running-pinnace.ts';

/** The most tries of one object; engines make five. */
const MAX_TRIES = 5;

/**
 * Pulls a tag and all it refers to as engines do: what was cut is asked for again, what came whole has to be right.
 *
 * @throws {AssertionError} for content that came whole and is wrong, and when trying again did not help
 */
export async function pullUntilRight(
  port: number,
  repository: string,
  { tag, image }: { readonly tag: string; readonly image: Image },
): Promise<void> {
  const { manifest, config, layers } = image;
  const objects = [
    { path: `manifests/${tag}`, bytes: manifest.bytes },
    ...[config, ...layers].map(({ digest, bytes }) => ({ path: `blobs/${digest}`, bytes })),
  ];
  for (const { path, bytes } of objects) {
    const got = await getUntilWhole(port, `/v2/${repository}/${path}`);
    assert.equal(got.status, 200, path);
    assert.ok(got.body.equals(bytes), path);
  }
}

async function getUntilWhole(port: number, path: string): Promise<PartialAnswer> {
  for (let turn = 1; turn <= MAX_TRIES; turn += 1) {
    const got = await takeWhatComes(port, path).catch((error: unknown) => {
      if (!isCut(error)) throw error;
      return undefined;
    });
    if (got?.isComplete === true) return got;
  }
  throw new Error(`${path} did not come whole in ${MAX_TRIES} tries`);
}

/** Whether an error means that the connection was gone, rather than that something was wrong. */
function isCut(error: unknown): boolean {
  return error instanceof Error && 'code' in error && /^E(?!RR_ASSERTION)/.test(String(error.code));
}
