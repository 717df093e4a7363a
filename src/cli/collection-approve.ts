import { readFile } from 'node:fs/promises';
import { type ImageFacts, ImageSource } from '../app/collection-images.ts';
import { notaryPins } from '../app/collection-notary.ts';
import { CodedError } from '../base/coded-error.ts';
import { VERSION } from '../base/version.ts';
import type { Config } from '../config/config.ts';
import { proxyEnvironment } from '../config/env.ts';
import { loadConfig } from '../config/load.ts';
import { parseDigest } from '../oci/digest.ts';
import { type ImageReference, parseImageReference } from '../oci/image-reference.ts';
import { parseRepositoryName, parseTag, repositoryName, type Tag } from '../oci/names.ts';
import {
  type Approval,
  approve,
  type FoundEntry,
  findEntry,
  promote,
  revoke,
} from '../signing/approvals.ts';
import type { OpenCollection } from '../signing/collection.ts';
import type { Draft } from '../signing/draft.ts';
import { SigningError } from '../signing/errors.ts';
import { type ApprovalEnd, isApproved, targetEntryOf } from '../signing/image-approval.ts';
import { describeTarget, plain } from '../signing/words.ts';
import { type CommandContext, changeCollection } from './collection-change.ts';
import { type CollectionOptions, formatBytes } from './collection-io.ts';
import { EXIT } from './exit-codes.ts';

/** What `collection approve` works with. */
export interface ApproveOptions extends CollectionOptions {
  readonly as?: string;
  readonly role?: string;
  /** How long the approval is good for in milliseconds, or `never` ending. */
  readonly expires?: number | 'never';
  /** A file with an image per line. */
  readonly file?: string;
  /** A collection of a Notary v1 server whose signed tags are to be taken over. */
  readonly fromNotary?: string;
  readonly config?: string;
  /** Sign the others when some images cannot be looked at. */
  readonly keepGoing?: boolean;
}

/** What `collection promote` works with. */
export interface PromoteOptions extends CollectionOptions {
  readonly as: string;
}

interface Request {
  readonly image: ImageReference;
  /** The tag under which it is approved. */
  readonly tag: Tag;
  readonly takenFrom?: string;
}

interface Inspected extends Request {
  readonly facts: ImageFacts;
}

const AT_ONCE = 4;

/** Approves images as they are at their upstreams now. @throws {SigningError} */
export async function approveImages(
  images: readonly string[],
  context: CommandContext<ApproveOptions>,
): Promise<number> {
  const { options, io } = context;
  const loaded =
    options.config === undefined ? undefined : await loadConfig(options.config, { env: io.env });
  let failures = 0;
  const result = await changeCollection(context, async (open, now) => {
    const requests = await requestsOf(images, context, loaded?.config);
    const inspected = await inspectAll(requests, context, loaded?.config);
    failures = requests.length - inspected.length;
    if (failures > 0 && options.keepGoing !== true) {
      throw new SigningError(
        'image_unusable',
        `${failures} of ${requests.length} images cannot be approved, so nothing was signed; --keep-going signs the others`,
      );
    }
    return draftOf(inspected, { open, now, context });
  });
  return failures > 0 ? EXIT.refused : result;
}

/** Approves an approved image under one more tag. @throws {SigningError} */
export async function promoteImage(
  image: string,
  context: CommandContext<PromoteOptions>,
): Promise<number> {
  const { repository, tag } = parseImageReference(image);
  return await changeCollection(context, (open, now) => {
    const { template } = open.settings;
    const from = template.nameOf(repository, tag ?? '');
    const to = template.nameOf(repository, parseTag(context.options.as));
    return promote({ open, now }, { from, to });
  });
}

/** Takes an approval back. @throws {SigningError} */
export async function revokeImage(image: string, context: CommandContext): Promise<number> {
  const { repository, tag } = parseImageReference(image);
  return await changeCollection(context, (open, now) =>
    revoke({ open, now }, open.settings.template.nameOf(repository, tag ?? '')),
  );
}

function draftOf(
  inspected: readonly Inspected[],
  {
    open,
    now,
    context: { options, io },
  }: {
    readonly open: OpenCollection;
    readonly now: number;
    readonly context: CommandContext<ApproveOptions>;
  },
): Draft {
  const end = endOf(options, now);
  const approvals: Approval[] = [];
  for (const { image, tag, facts, takenFrom } of inspected) {
    const name = open.settings.template.nameOf(image.repository, tag);
    const today = findEntry(open, name);
    const isDone = isApproved(today?.entry, facts.digest, { end, now });
    io.stdout.write(imageText(name, facts, { today, isDone }));
    if (isDone) continue;
    const source = sourceOf(image, facts);
    const approved = { source, ...facts, ...(takenFrom === undefined ? {} : { takenFrom }) };
    const expiresAt = typeof end === 'number' ? end : undefined;
    const entry = targetEntryOf(approved, { approvedAt: now, expiresAt });
    approvals.push({ name, entry, ...(options.role === undefined ? {} : { role: options.role }) });
  }
  return approve({ open, now }, approvals);
}

async function requestsOf(
  images: readonly string[],
  { options, io }: CommandContext<ApproveOptions>,
  config: Config | undefined,
): Promise<readonly Request[]> {
  const { as, file, fromNotary } = options;
  const listed = file === undefined ? [] : parseList(await readFile(file, 'utf8'), file);
  const named = images.map((image) => requestOf(image, as));
  if (fromNotary === undefined) return requireSome([...named, ...listed]);
  if (config === undefined) {
    throw new SigningError('name_unfit', '--from-notary needs --config with the trust source');
  }
  const repository = parseRepositoryName(fromNotary);
  const { source, pins } = await notaryPins(config, repository, io.clock);
  io.stderr.write(`${fromNotary}: ${pins.length} signed tags of trust source "${source}"\n`);
  const taken = pins.map(({ tag, sha256, role }) => ({
    image: { repository, tag: parseTag(tag), digest: parseDigest(`sha256:${sha256}`) },
    tag: parseTag(tag),
    takenFrom: `Notary collection ${fromNotary}, role ${role}`,
  }));
  return requireSome([...named, ...listed, ...taken]);
}

function requestOf(text: string, as: string | undefined): Request {
  const image = parseImageReference(text);
  const tag = as === undefined ? image.tag : parseTag(as);
  if (tag === undefined) {
    throw new SigningError('name_unfit', `${text} has no tag: say under which with --as`);
  }
  return { image, tag };
}

/** A line is an image, or an image and the tag under which it is approved; `#` begins a comment. */
function parseList(text: string, file: string): readonly Request[] {
  return text.split('\n').flatMap((line, index) => {
    const words = line.replace(/#.*$/, '').trim().split(/\s+/);
    const [image = '', as, ...rest] = words;
    if (image === '') return [];
    try {
      if (rest.length > 0) throw new SigningError('name_unfit', 'has more than an image and a tag');
      return [requestOf(image, as)];
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      throw new SigningError('name_unfit', `${file}, line ${index + 1}: ${error.message}`, {
        cause: error,
      });
    }
  });
}

function requireSome(requests: readonly Request[]): readonly Request[] {
  if (requests.length > 0) return requests;
  throw new SigningError(
    'name_unfit',
    'no image is named: write some, or --file, or --from-notary',
  );
}

/** Asks upstreams, a few at a time, with a line of progress each; what fails is printed and left out. */
async function inspectAll(
  requests: readonly Request[],
  { io }: CommandContext,
  config: Config | undefined,
): Promise<readonly Inspected[]> {
  const source = new ImageSource({
    version: VERSION,
    clock: io.clock,
    proxy: proxyEnvironment(io.env),
    registries: requests.map(({ image }) => image.repository.registry),
    ...(config === undefined ? {} : { config }),
  });
  const results = new Map<number, Inspected>();
  const queue = requests.entries();
  let done = 0;
  const worker = async (): Promise<void> => {
    for (const [index, request] of queue) {
      const name = `${repositoryName(request.image.repository)}:${request.tag}`;
      let outcome: string;
      try {
        // With a digest at hand the tag is not asked for: it could have moved since.
        const facts = await source.inspect(request.image);
        results.set(index, { ...request, facts });
        outcome = facts.digest;
      } catch (error) {
        if (!(error instanceof CodedError)) throw error;
        const isMissing = error.code === 'manifest_missing';
        outcome = `FAILED: ${isMissing ? 'its registry has no such image' : error.message}`;
      }
      done += 1;
      io.stderr.write(`[${done}/${requests.length}] ${name} ${outcome}\n`);
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  } finally {
    await source.close();
  }
  return [...results].sort(([a], [b]) => a - b).map(([, inspected]) => inspected);
}

function endOf({ expires }: ApproveOptions, now: number): ApprovalEnd {
  if (expires === undefined) return 'unsaid';
  return expires === 'never' ? 'never' : now + expires;
}

function sourceOf({ repository, tag }: ImageReference, { digest }: ImageFacts): string {
  return `${repositoryName(repository)}${tag === undefined ? '' : `:${tag}`}@${digest}`;
}

function imageText(
  name: string,
  facts: ImageFacts,
  { today, isDone }: { readonly today: FoundEntry | undefined; readonly isDone: boolean },
): string {
  const { digest, platforms, layerBytes, createdAt } = facts;
  const size = layerBytes === undefined ? 'unknown' : `${formatBytes(layerBytes)} of layers`;
  return [
    name,
    `  digest     ${digest}`,
    `  platforms  ${platforms.length === 0 ? 'not said' : platforms.map(plain).join(' ')}`,
    `  size       ${size}${platforms.length > 1 ? ' for one platform' : ''}`,
    `  built      ${plain(createdAt ?? 'not said')}`,
    `  today      ${today === undefined ? 'not approved' : `${describeTarget(today.entry)} (by ${plain(today.role)})`}`,
    ...(isDone ? ['  change     none: approved already'] : []),
    '',
  ].join('\n');
}
