import { collectionFolder } from '../app/collection-desk.ts';
import { publishedMetadata } from '../app/publish-places.ts';
import { type OpenCollection, openCollection } from '../signing/collection.ts';
import { formatTime } from '../signing/documents.ts';
import { rawTarget } from '../signing/edits.ts';
import { approvalEnd } from '../signing/image-approval.ts';
import { loadRepository, type Repository } from '../signing/repository.ts';
import { describeChange, describeTarget, plain, shortKeyId } from '../signing/words.ts';
import { type CommandContext, warnOfEndings } from './collection-change.ts';
import type { CollectionOptions } from './collection-io.ts';
import { type ReachOptions, reachOptions } from './collection-publish.ts';
import { draftText, waitingText } from './collection-text.ts';
import { EXIT } from './exit-codes.ts';

/** What `collection list` works with. */
export interface ListOptions extends CollectionOptions {
  readonly json?: boolean;
}

/** What `collection diff` works with. */
export interface DiffOptions extends ReachOptions {
  /** Where the other side is: a folder or a URL. */
  readonly against?: string;
}

interface ListedRole {
  readonly role: string;
  readonly version: number;
  readonly expiresAt: string;
  readonly keys: readonly string[];
  readonly threshold: number;
}

interface ListedImage {
  readonly name: string;
  readonly role: string;
  readonly words: string;
  readonly hasEnded: boolean;
}

/** Lists roles, keys and approved images. @throws {SigningError} */
export async function listCollection(context: CommandContext<ListOptions>): Promise<number> {
  const { options, io } = context;
  const open = await openCollection(collectionFolder(options.dir, io.clock));
  warnOfEndings(open, io);
  const roles = rolesOf(open.repository);
  const images = imagesOf(open.repository, io.clock.now());
  const waiting = open.pending.size > 0 ? waitingText(open.repository, open.pending) : '';
  io.stdout.write(
    options.json === true
      ? `${JSON.stringify({ roles, images, pending: [...open.pending.keys()] }, null, 2)}\n`
      : `${listText(roles, images)}${waiting}`,
  );
  return EXIT.ok;
}

/** Says how the collection differs from what is published, or what waits for signatures. @throws {SigningError} */
export async function diffCollection(context: CommandContext<DiffOptions>): Promise<number> {
  const { options, io } = context;
  const open = await openCollection(collectionFolder(options.dir, io.clock));
  if (options.against === undefined) {
    io.stdout.write(
      open.pending.size === 0
        ? 'Nothing waits for signatures.\n'
        : draftText(open.repository, open.pending),
    );
    return EXIT.ok;
  }
  const other = publishedMetadata(options.against, await reachOptions(context));
  try {
    const published = await loadRepository(other.value, 'ignore-expiry');
    io.stdout.write(differenceText(open, published, options.against));
  } finally {
    await other.close();
  }
  return EXIT.ok;
}

function differenceText(open: OpenCollection, published: Repository, place: string): string {
  const lines: string[] = [];
  const roles = new Set([...published.current.keys(), ...open.repository.current.keys()]);
  for (const role of roles) {
    if (role === 'snapshot' || role === 'timestamp') continue;
    const there = published.current.get(role);
    const here = open.repository.current.get(role);
    if (there?.version === here?.version && isSame(there?.bytes, here?.bytes)) continue;
    lines.push(
      `${plain(role)}: version ${there?.version ?? 'none'} there, ${here?.version ?? 'none'} here`,
    );
    if (here === undefined) continue;
    for (const line of describeChange(there?.signed, here.signed)) lines.push(`  ${line}`);
  }
  if (lines.length === 0) return `${place} says the same as this collection\n`;
  return `What publishing to ${place} would change:\n${lines.join('\n')}\n`;
}

function isSame(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return Buffer.compare(a ?? new Uint8Array(), b ?? new Uint8Array()) === 0;
}

function rolesOf({ root, set, current }: Repository): readonly ListedRole[] {
  const delegations = [...set.targets.values()].flatMap(({ body }) => body.delegations);
  return [...current.values()].map(({ role, version, expiresAt }) => {
    const authority =
      root.body.roles.get(isTopLevel(role) ? role : 'root') ?? root.authority('root');
    const own = isTopLevel(role)
      ? authority
      : (delegations.find(({ name }) => name === role)?.authority ?? authority);
    return {
      role,
      version,
      expiresAt: formatTime(expiresAt),
      keys: [...own.keys.keys()],
      threshold: own.threshold,
    };
  });
}

function isTopLevel(role: string): role is 'root' | 'targets' | 'snapshot' | 'timestamp' {
  return ['root', 'targets', 'snapshot', 'timestamp'].includes(role);
}

function imagesOf({ set, current }: Repository, now: number): readonly ListedImage[] {
  return [...set.targets.keys()].flatMap((role) => {
    const signed = current.get(role)?.signed;
    return [...(set.targets.get(role)?.body.targets.keys() ?? [])].sort().map((name) => {
      const entry = rawTarget(signed, name) ?? new Map();
      const end = approvalEnd(entry);
      const hasEnded = end !== undefined && end <= now;
      return { name, role, words: describeTarget(entry), hasEnded };
    });
  });
}

function listText(roles: readonly ListedRole[], images: readonly ListedImage[]): string {
  const lines = ['roles'];
  for (const { role, version, expiresAt, keys, threshold } of roles) {
    const held = `${threshold} of ${keys.map(shortKeyId).join(', ')}`;
    lines.push(`  ${plain(role)} version ${version}, until ${expiresAt}, signed by ${held}`);
  }
  lines.push(images.length === 0 ? 'no image is approved' : 'approved images');
  for (const { name, role, words, hasEnded } of images) {
    lines.push(`  ${plain(name)}${hasEnded ? ' (ENDED: it is not served)' : ''}`);
    lines.push(`    ${words}${role === 'targets' ? '' : `, by ${plain(role)}`}`);
  }
  return `${lines.join('\n')}\n`;
}
