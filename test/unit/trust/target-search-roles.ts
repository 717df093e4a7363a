import { createHash } from 'node:crypto';
import type { Delegation, Target, TargetsBody } from '../../../src/trust/model.ts';
import type { Search } from '../../../src/trust/search.ts';

/** Roles in short: what each has, and whom it delegates to with which paths; `!` marks a terminating delegation. */
export type Roles = Readonly<
  Record<
    string,
    { readonly has?: readonly string[]; readonly to?: readonly (readonly [string, string])[] }
  >
>;

/** Content that is another one for every text. */
export function target(of: string): Target {
  return { length: of.length, sha256: createHash('sha256').update(of).digest('hex') };
}

function delegation(name: string, paths: string): Delegation {
  const isTerminating = name.startsWith('!');
  const role = name.replace('!', '');
  const authority = { role, keys: new Map(), threshold: 1 };
  const scope = paths.startsWith('#')
    ? { paths: [], pathHashPrefixes: [paths.slice(1)] }
    : { paths: paths.split(' ') };
  return { name: role, authority, isTerminating, ...scope };
}

function bodiesOf(roles: Roles): ReadonlyMap<string, TargetsBody> {
  return new Map(
    Object.entries(roles).map(([role, { has = [], to = [] }]) => [
      role,
      {
        version: 1,
        expiresAt: 0,
        // Each role has other content for a name, so that it shows whose was taken.
        targets: new Map(has.map((name) => [name, target(`${role} ${name}`)])),
        delegations: to.map(([name, paths]) => delegation(name, paths)),
      },
    ]),
  );
}

/** Drives a search; gives back its result and the roles it asked for. */
export function run<Result>(
  search: Search<Result>,
  roles: Roles,
): { readonly result: Result; readonly asked: readonly string[] } {
  const bodies = bodiesOf(roles);
  const asked: string[] = [];
  let step = search.next();
  while (step.done !== true) {
    asked.push(step.value.role);
    step = search.next(bodies.get(step.value.role));
  }
  return { result: step.value, asked };
}
