import type { Config, ListenerConfig } from '../config/config.ts';
import type { ConfigProblem } from '../config/errors.ts';
import { formatAddress } from '../config/values.ts';

const FIX = 'restart Pinnace for that, or put it back';

/** What of the settings in force a running process cannot change to `next`; empty when all can be taken over. */
export function settingsThatLast(current: Config, next: Config): readonly ConfigProblem[] {
  return [
    ...differing('data', current.dataFolder, next.dataFolder),
    ...differing('state', current.state, next.state),
    ...differing('cache', current.cache, next.cache),
    ...differing('workers', current.workers, next.workers),
    ...differing('limits.idleTimeout', current.limits.idleTimeoutMs, next.limits.idleTimeoutMs),
    ...differing('limits.minRate', current.limits.minRate, next.limits.minRate),
    ...differing('admin.address', current.admin.address, next.admin.address),
    ...listenerProblems(current.listeners, next.listeners),
    ...certificateProblems(current, next),
  ];
}

function differing(path: string, current: unknown, next: unknown): readonly ConfigProblem[] {
  if (JSON.stringify(current) === JSON.stringify(next)) return [];
  return [{ path, problem: 'cannot change while Pinnace runs', fix: FIX }];
}

/** Whether a server asks for certificates is settled when it is made; by which CA is not. */
function certificateProblems(current: Config, next: Config): readonly ConfigProblem[] {
  const wanted = new Map(next.listeners.map(({ name, clients }) => [name, clients]));
  return current.listeners
    .filter(({ name, clients }) => asks(current, clients) !== asks(next, wanted.get(name)))
    .map(({ name }) => ({
      path: `listeners.${name}.clients`,
      problem: 'cannot begin or cease to ask for certificates while Pinnace runs',
      fix: FIX,
    }));
}

function asks({ clients }: Config, name: string | undefined): boolean {
  return clients.get(name ?? '')?.kind === 'mtls';
}

function listenerProblems(
  current: readonly ListenerConfig[],
  next: readonly ListenerConfig[],
): readonly ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const byName = new Map(next.map((listener) => [listener.name, listener]));
  for (const listener of current) {
    const path = `listeners.${listener.name}`;
    const wanted = byName.get(listener.name);
    byName.delete(listener.name);
    if (wanted === undefined) {
      problems.push({ path, problem: 'cannot be removed while Pinnace runs', fix: FIX });
      continue;
    }
    if (formatAddress(listener.address) !== formatAddress(wanted.address)) {
      const problem = `is bound to ${formatAddress(listener.address)} and cannot move while Pinnace runs`;
      problems.push({ path: `${path}.address`, problem, fix: FIX });
    }
    if ((listener.tls === undefined) !== (wanted.tls === undefined)) {
      const problem = 'cannot begin or cease to be spoken while Pinnace runs';
      problems.push({ path: `${path}.tls`, problem, fix: FIX });
    }
  }
  for (const name of byName.keys()) {
    const path = `listeners.${name}`;
    problems.push({ path, problem: 'cannot be added while Pinnace runs', fix: FIX });
  }
  return problems;
}
