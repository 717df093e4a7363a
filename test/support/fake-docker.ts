import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CanaryKind, canaryKindOf, makeCanaryImage } from '../../src/oci/canary.ts';
import { parseImageReference } from '../../src/oci/image-reference.ts';

/**
 * Stands in for the docker client in a process of its own: `pull` and `image inspect|rm` of images that are files in
 * `FAKE_DOCKER`. `FAKE_MODE` says how it behaves:
 *
 * - `held`: the signed canary lands, the others are refused by Pinnace
 * - `open`: as `held`, but every image without a canary's name lands
 * - `imitated`: something else lands under the signed canary's name
 * - `replayed`: the signed canary of another pull does
 * - `swapped`: the tampered canary of the same tag does
 * - `hangs`: a pull lands its image and then does not end
 * - `stuck`: as `open`, and nothing can be removed
 */
const folder = process.env['FAKE_DOCKER'] ?? '';
const mode = process.env['FAKE_MODE'] ?? 'held';
const words = process.argv
  .slice(2)
  .filter((word, at, all) => word !== '-H' && all[at - 1] !== '-H');
const image = words.at(-1) ?? '';
const file = join(folder, `image-${Buffer.from(image).toString('hex')}`);

appendFileSync(join(folder, 'calls'), `${words.join(' ')}\n`);

function fail(text: string): never {
  process.stderr.write(`${text}\n`);
  process.exit(1);
}

function land(kind: CanaryKind | undefined, nonce: string): void {
  const shown = mode === 'replayed' ? '0'.repeat(32) : nonce;
  const made = mode === 'swapped' ? 'tampered' : 'signed';
  const facts = { kind: made, nonce: shown, registry: 'docker.io', listener: 'hub' } as const;
  const canary = makeCanaryImage({ ...facts, refusal: 'hard-stop' });
  const config = canary.blobs[0]?.bytes ?? new Uint8Array();
  const { Labels } = JSON.parse(Buffer.from(config).toString()).config;
  const isGenuine = kind === 'signed' && mode !== 'imitated';
  const digest = isGenuine ? canary.index.digest : `sha256:${'f'.repeat(64)}`;
  const name = image.slice(0, image.lastIndexOf(':'));
  const RepoDigests = [`${name}@${digest}`];
  const inspected = { Id: digest, RepoTags: [image], RepoDigests, Config: { Labels } };
  writeFileSync(file, JSON.stringify([inspected]));
}

function pull(): void {
  const { repository, tag } = parseImageReference(image);
  const kind = canaryKindOf(repository.path);
  const isOpen = mode === 'open' || mode === 'stuck';
  if (kind === 'signed' || (kind === undefined && isOpen) || mode === 'hangs') {
    land(kind, tag ?? '');
    if (mode === 'hangs') setInterval(() => undefined, 1_000);
    return;
  }
  fail(`Error response from daemon: denied: pinnace refused ${image}: it is a canary`);
}

function inspectOrRemove(): void {
  if (!existsSync(file)) fail(`Error: No such image: ${image}`);
  if (words[1] === 'inspect') process.stdout.write(readFileSync(file));
  else if (mode === 'stuck') fail('Error: image is in use');
  else rmSync(file);
}

if (words[0] === 'pull') pull();
else inspectOrRemove();
