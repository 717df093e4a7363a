import { isCallerName } from '../base/caller.ts';
import type { Parsed } from './values.ts';

/** What `bcrypt` writes: version, cost, 22 characters of salt, 31 of hash. */
const BCRYPT = /^\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}$/;
const MIN_COST = 4;
/** At 15, one login keeps a core busy for more than two seconds. */
const MAX_COST = 14;
const MAX_USERS = 10_000;

/** Reads an htpasswd file: bcrypt hashes by user name; what is wrong with it names the line, never the hash. */
export function parseHtpasswd(text: string): Parsed<ReadonlyMap<string, string>> {
  const users = new Map<string, string>();
  for (const [index, line] of text.split('\n').entries()) {
    const entry = line.replace(/\r$/, '');
    if (entry.trim() === '' || entry.startsWith('#')) continue;
    const problem = addUser(users, entry);
    if (problem !== undefined) {
      return { ok: false, problem: `has a line ${index + 1} that ${problem}`, fix: FIX };
    }
  }
  if (users.size === 0)
    return { ok: false, problem: 'has no user, so nobody could log in', fix: FIX };
  if (users.size > MAX_USERS) return { ok: false, problem: `has more than ${MAX_USERS} users` };
  return { ok: true, value: users };
}

const FIX = 'htpasswd -B -C 10 FILE USER adds a user or renews a password';

function addUser(users: Map<string, string>, line: string): string | undefined {
  const colon = line.indexOf(':');
  const [name, hash] = [line.slice(0, colon), line.slice(colon + 1)];
  if (colon < 0) return 'is not USER:HASH';
  if (!isCallerName(name)) return 'has a user name that cannot be used';
  if (users.has(name)) return `is a second one for ${name}`;
  const cost = Number(BCRYPT.exec(hash)?.[1]);
  if (Number.isNaN(cost)) return `has no bcrypt hash for ${name}`;
  if (cost < MIN_COST || cost > MAX_COST) {
    return `has a bcrypt cost of ${cost} for ${name}; ${MIN_COST} to ${MAX_COST} are possible`;
  }
  users.set(name, hash);
  return undefined;
}
