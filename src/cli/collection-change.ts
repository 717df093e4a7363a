import { collectionFolder, keyRingOf } from '../app/collection-desk.ts';
import { type Beginning, concludeBeginning } from '../signing/beginning.ts';
import { conclude, type OpenCollection, openCollection } from '../signing/collection.ts';
import type { ConcludeOptions, Conclusion } from '../signing/conclusion.ts';
import { formatTime } from '../signing/documents.ts';
import type { Draft } from '../signing/draft.ts';
import { endingsOf } from '../signing/endings.ts';
import type { KeyRing } from '../signing/key-ring.ts';
import type { Repository } from '../signing/repository.ts';
import { signDraft } from '../signing/sign-draft.ts';
import { plain } from '../signing/words.ts';
import {
  askPassphrase,
  type CollectionIo,
  type CollectionOptions,
  confirm,
} from './collection-io.ts';
import { conclusionText, draftText, waitingText } from './collection-text.ts';
import { EXIT } from './exit-codes.ts';

/** How often somebody at a terminal may mistype a passphrase. */
const MAX_ATTEMPTS = 3;

/** Options and surroundings of one command. */
export interface CommandContext<Options extends CollectionOptions = CollectionOptions> {
  readonly options: Options;
  readonly io: CollectionIo;
}

/** What a draft is signed for. */
export interface SigningTask {
  /** What is in effect; undefined while the collection has not begun. */
  readonly repository: Repository | undefined;
  /** Brings the signed draft into effect or keeps it waiting. */
  conclude(draft: Draft, options: ConcludeOptions): Promise<Conclusion>;
}

/** A change of a collection that has begun. */
export function changeOf(open: OpenCollection): SigningTask {
  const { repository } = open;
  return { repository, conclude: (draft, options) => conclude(open, draft, options) };
}

/** The beginning of a collection. */
export function beginningOf(beginning: Beginning): SigningTask {
  return {
    repository: undefined,
    conclude: (draft, options) => concludeBeginning(beginning, draft, options),
  };
}

/**
 * Carries a change through: reads the collection, makes the draft, says in words what is about to be signed, asks, signs, and
 * brings it into effect or keeps it waiting for further signatures.
 *
 * @param edit - what the draft is to be; it may print what led to it
 * @returns 0 when the change is in effect or there was nothing to sign, 2 when it waits
 * @throws {SigningError}
 */
export async function changeCollection(
  context: CommandContext,
  edit: (open: OpenCollection, now: number) => Draft | Promise<Draft>,
): Promise<number> {
  const { options, io } = context;
  const open = await openCollection(collectionFolder(options.dir, io.clock));
  warnOfEndings(open, io);
  const draft = await edit(open, io.clock.now());
  if (draft === open.pending || (draft.size === 0 && open.pending.size === 0)) {
    io.stdout.write('Nothing to sign.\n');
    if (open.pending.size > 0) io.stdout.write(waitingText(open.repository, open.pending));
    return open.pending.size > 0 ? EXIT.inconclusive : EXIT.ok;
  }
  return await signAndConclude(context, changeOf(open), draft);
}

/** The same for a draft that is there already. */
export async function signAndConclude(
  context: CommandContext,
  task: SigningTask,
  draft: Draft,
): Promise<number> {
  const { options, io } = context;
  const { repository } = task;
  io.stdout.write(draftText(repository, draft));
  await confirm('Sign this?', context);
  const ring = await openKeyRing(context);
  const signed = await signDraft(repository, draft, ring);
  const conclusion = await task.conclude(signed, { ring, clock: io.clock });
  io.stdout.write(conclusionText(repository, signed, { conclusion, dir: options.dir }));
  return conclusion === 'in-effect' ? EXIT.ok : EXIT.inconclusive;
}

/** The keys that the command line names. */
export async function openKeyRing(context: CommandContext): Promise<KeyRing> {
  const { dir, key = [] } = context.options;
  return await keyRingOf(dir, key, {
    ask: async (path, file, attempt) => {
      if (attempt > 1) context.io.stderr.write('That was not it.\n');
      return await askPassphrase(path, file, context);
    },
    attempts: context.io.terminal.isInteractive ? MAX_ATTEMPTS : 1,
  });
}

/** Says on `stderr` which roles end soon. */
export function warnOfEndings(open: OpenCollection, io: CollectionIo): void {
  const now = io.clock.now();
  for (const { role, expiresAt } of endingsOf(open.repository, open.settings, now)) {
    const days = Math.floor((expiresAt - now) / 86_400_000);
    const when = expiresAt <= now ? 'has ended' : `ends in ${days} ${days === 1 ? 'day' : 'days'}`;
    io.stderr.write(
      `warning: ${plain(role)} ${when} (${formatTime(expiresAt)}): pinnace collection extend ${plain(role)}\n`,
    );
  }
}
