import { parseCallerPattern } from '../policy/callers.ts';
import { checkTokenSettings } from './check-tokens.ts';
import type { Findings } from './findings.ts';
import { nearestName } from './nearest-name.ts';
import type { ConfigPath } from './path.ts';
import { CLIENT_KEYS, type ClientsEntry } from './schema-clients.ts';
import type { TolerantReader } from './tolerant.ts';
import { isLoopback, parseAddress } from './values.ts';

/** Checks the entries of `clients`, the listeners that use them, and the rules that name callers. */
export function checkClients(config: TolerantReader, findings: Findings): void {
  const used = new Set<string>();
  for (const name of config.names('clients')) {
    checkEntry(config, ['clients', name], findings);
    checkTokenSettings(config, ['clients', name], findings);
  }
  for (const listener of config.names('listeners')) {
    const name = config.text('listeners', listener, 'clients');
    if (name !== undefined) used.add(name);
    checkListener(config, { path: ['listeners', listener], clients: name }, findings);
  }
  for (let index = 0; index < config.count('policy'); index += 1) {
    checkRule(config, { path: ['policy', index, 'clients'], used }, findings);
  }
}

function kindOf(config: TolerantReader, name: string): ClientsEntry['kind'] | undefined {
  const kind = config.text('clients', name, 'kind');
  return kind !== undefined && isKind(kind) ? kind : undefined;
}

function isKind(text: string): text is ClientsEntry['kind'] {
  return Object.hasOwn(CLIENT_KEYS, text);
}

function checkEntry(config: TolerantReader, path: ConfigPath, findings: Findings): void {
  const kind = kindOf(config, String(path[1]));
  if (kind === undefined) return;
  const { needs, may } = CLIENT_KEYS[kind];
  for (const key of needs) {
    if (!config.has(...path, key)) {
      findings.problem([...path, key], `is missing: clients of kind ${kind} need it`);
    }
  }
  const foreign = Object.values(CLIENT_KEYS).flatMap((keys) => [...keys.needs, ...keys.may]);
  for (const key of foreign) {
    if (needs.includes(key) || may.includes(key) || !config.has(...path, key)) continue;
    findings.problem([...path, key], `does not belong to clients of kind ${kind}`, 'remove it');
  }
}

function checkListener(
  config: TolerantReader,
  listener: { readonly path: ConfigPath; readonly clients: string | undefined },
  findings: Findings,
): void {
  const { path, clients } = listener;
  const mayBePlain = config.isTrue(...path, 'allowPlaintextLogin');
  if (clients === undefined) {
    if (mayBePlain)
      findings.problem([...path, 'allowPlaintextLogin'], 'is for listeners with clients');
    return;
  }
  const names = config.names('clients');
  if (!names.includes(clients)) {
    const meant = nearestName(clients, names);
    findings.problem(
      [...path, 'clients'],
      `names ${JSON.stringify(clients)}, which is not among the clients`,
      meant === undefined ? `add ${clients} under clients` : `did you mean ${meant}?`,
    );
    return;
  }
  const kind = kindOf(config, clients);
  const hasTls = config.has(...path, 'tls');
  if (kind === 'mtls') {
    if (!hasTls) findings.problem([...path, 'clients'], 'needs tls: certificates are shown in TLS');
    return;
  }
  checkPlaintext(config, { path, mayBePlain: mayBePlain || hasTls }, findings);
  if (kind === 'token-endpoint' && mayBePlain && !config.has('clients', clients, 'realm')) {
    findings.problem(
      ['clients', clients, 'realm'],
      `is missing: listeners.${path[1]} speaks plain HTTP itself, and engines must not be sent there with a password`,
      'add realm: with the https URL of /token as engines reach it',
    );
  }
  if (config.text(...path, 'refusal') === 'hard-stop') {
    findings.warning(
      [...path, 'clients'],
      'asks for a login, and an engine without one then asks the registry itself, which goes round verification',
      'use clients of kind mtls for listeners that engines use as a mirror',
    );
  }
}

function checkPlaintext(
  config: TolerantReader,
  listener: { readonly path: ConfigPath; readonly mayBePlain: boolean },
  findings: Findings,
): void {
  const { path, mayBePlain } = listener;
  const text = config.text(...path, 'address');
  const address = text === undefined ? undefined : parseAddress(text);
  if (mayBePlain || address?.ok !== true || isLoopback(address.value.host)) return;
  findings.problem(
    [...path, 'clients'],
    'asks for logins over plain HTTP, where everyone on the way can read them',
    'add tls:, or allowPlaintextLogin: true when something before Pinnace speaks TLS',
  );
}

function checkRule(
  config: TolerantReader,
  rule: { readonly path: ConfigPath; readonly used: ReadonlySet<string> },
  findings: Findings,
): void {
  const { path, used } = rule;
  const sources = config.names('clients');
  for (let index = 0; index < config.count(...path); index += 1) {
    const text = config.text(...path, index);
    const pattern = text === undefined ? undefined : parseCallerPattern(text);
    if (pattern === undefined) continue;
    if (sources.includes(pattern.source)) {
      if (used.has(pattern.source)) continue;
      const unused = `names ${pattern.source}, which no listener uses: nobody is known by it`;
      findings.warning([...path, index], unused);
      continue;
    }
    const meant = nearestName(pattern.source, sources);
    findings.problem(
      [...path, index],
      `names ${pattern.source}, which is not among the clients`,
      meant === undefined ? `add ${pattern.source} under clients` : `did you mean ${meant}?`,
    );
  }
}
