import { collectionFolder, keyRingOf } from '../app/collection-desk.ts';
import {
  type Conclusion,
  conclude,
  type OpenCollection,
  openCollection,
} from '../signing/collection.ts';
import { formatTime } from '../signing/documents.ts';
import type { Draft } from '../signing/draft.ts';
import { endingsOf } from '../signing/endings.ts';
import type { KeyRing } from '../signing/key-ring.ts';
import { missingSignatures, signDraft } from '../signing/sign-draft.ts';
import { describeChange, plain, shortKeyId } from '../signing/words.ts';
import {
  askPassphrase,
  type CollectionIo,
  type CollectionOptions,
  confirm,
} from './collection-io.ts';
import { EXIT } from './exit-codes.ts';

/** How often somebody at a terminal may mistype a passphrase. */
const MAX_ATTEMPTS = 3;

/** Options and surroundings of one command. */
export interface CommandContext<Options extends CollectionOptions = CollectionOptions> {
  readonly options: Options;
  readonly io: CollectionIo;
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
    if (open.pending.size > 0) io.stdout.write(waitingText(open, open.pending));
    return open.pending.size > 0 ? EXIT.inconclusive : EXIT.ok;
  }
  return await signAndConclude(context, open, draft);
}

/** The same for a draft that is there already. */
export async function signAndConclude(
  context: CommandContext,
  open: OpenCollection,
  draft: Draft,
): Promise<number> {
  const { options, io } = context;
  io.stdout.write(draftText(open, draft));
  await confirm('Sign this?', context);
  const ring = await openKeyRing(context);
  const signed = await signDraft(open.repository, draft, ring);
  const conclusion = await conclude(open, signed, { ring, clock: io.clock });
  io.stdout.write(conclusionText(open, signed, { conclusion, dir: options.dir }));
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

/** A draft in words, role by role, with who has to sign. */
export function draftText(open: OpenCollection, draft: Draft): string {
  const lines: string[] = [];
  for (const { role, signed } of draft.values()) {
    const before = open.repository.current.get(role)?.signed;
    const version = plain(signed.get('version'));
    lines.push(`${plain(role)} version ${version}${before === undefined ? ' (new)' : ''}:`);
    for (const line of describeChange(before, signed)) lines.push(`  ${line}`);
  }
  const needs = missingSignatures(open.repository, draft).map(
    ({ role, missing, keyIds }) =>
      `${plain(role)} needs ${missing} ${plural(missing, 'signature')} by ${keyIds.map(shortKeyId).join(', ')}`,
  );
  // The old root and the new one may ask for the same keys.
  return `${[...lines, ...new Set(needs)].join('\n')}\n`;
}

/** What a draft still waits for. */
export function waitingText(open: OpenCollection, draft: Draft): string {
  const missing = missingSignatures(open.repository, draft);
  if (missing.length === 0) {
    return 'A change has all its signatures and waits for the online keys: pinnace collection renew brings it into effect.\n';
  }
  const lines = missing.map(
    ({ role, missing: count, keyIds }) =>
      `  ${plain(role)}: ${count} more ${plural(count, 'signature')} by ${keyIds.map(shortKeyId).join(', ')}`,
  );
  return `A change is NOT in effect yet. It waits for\n${[...new Set(lines)].join('\n')}\nEach holder adds theirs with pinnace collection sign.\n`;
}

function conclusionText(
  open: OpenCollection,
  draft: Draft,
  { conclusion, dir }: { readonly conclusion: Conclusion; readonly dir: string },
): string {
  if (conclusion !== 'in-effect') return `Signed.\n${waitingText(open, draft)}`;
  return `Signed, and in effect in ${dir}. Clients see it after pinnace collection publish.\n`;
}

function plural(count: number, noun: string): string {
  return count === 1 ? noun : `${noun}s`;
}
