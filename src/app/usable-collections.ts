import type { Clock } from '../base/clock.ts';
import type { Config } from '../config/config.ts';
import type { OwnCollectionConfig } from '../config/connection.ts';
import { ConfigError, type ConfigProblem } from '../config/errors.ts';
import { type OpenCollection, openCollection } from '../signing/collection.ts';
import { formatTime } from '../signing/documents.ts';
import { endingsOf } from '../signing/endings.ts';
import { SigningError } from '../signing/errors.ts';
import { requireOnlineKeys } from '../signing/sign-draft.ts';
import { collectionFolder } from './collection-desk.ts';
import { onlineKeys } from './own-collections.ts';
import { messageOf } from './status.ts';

/**
 * Requires that every configured collection can be renewed as it is configured: its folder holds one and may be written to,
 * and enough online keys are at hand and can be opened. What is wrong with a collection itself is a warning, since it can be
 * mended while Pinnace runs.
 *
 * @returns the warnings
 * @throws {ConfigError} `config_invalid`
 */
export async function requireUsableCollections(
  config: Config,
  clock: Clock,
): Promise<readonly ConfigProblem[]> {
  const found = await Promise.all(config.collections.map((each) => look(each, clock)));
  const problems = found.flatMap((each) => each.problems);
  if (problems.length > 0) throw new ConfigError('the configuration', problems);
  return found.flatMap((each) => each.warnings);
}

interface Found {
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigProblem[];
}

async function look(config: OwnCollectionConfig, clock: Clock): Promise<Found> {
  const path = `collections.${config.name}`;
  const folder = collectionFolder(config.folder, clock);
  let open: OpenCollection;
  try {
    await folder.requireUsable();
    open = await openCollection(folder);
  } catch (error) {
    const finding = [{ path: `${path}.dir`, problem: messageOf(error) }];
    return isOfTheCollection(error)
      ? { problems: [], warnings: finding }
      : { problems: finding, warnings: [] };
  }
  const endings = endingsOf(open.repository, open.settings, clock.now()).map(
    ({ role, expiresAt }) => ({
      path,
      problem: `its ${role} ends ${formatTime(expiresAt)}`,
      fix: `run pinnace collection extend ${role}`,
    }),
  );
  try {
    await requireOnlineKeys(open.repository, await onlineKeys(config));
    return { problems: [], warnings: endings };
  } catch (error) {
    return { problems: [{ path: `${path}.keys`, problem: messageOf(error) }], warnings: endings };
  }
}

/** The folder is the right one; what is in it needs somebody's hand. */
function isOfTheCollection(error: unknown): boolean {
  return error instanceof SigningError && error.code !== 'collection_missing';
}
