import type { Findings } from './findings.ts';
import { nearestName } from './nearest-name.ts';
import { type ConfigPath, formatPath } from './path.ts';
import type { TolerantReader } from './tolerant.ts';
import { type HostPort, isLoopback, parseAddress, parseServerUrl } from './values.ts';

const WILDCARDS: ReadonlySet<string> = new Set(['0.0.0.0', '::']);
const DEFAULT_ADMIN_ADDRESS = '127.0.0.1:9090';

/** Checks what listeners and the admin listener demand of each other and of the upstreams. */
export function checkListeners(config: TolerantReader, findings: Findings): void {
  checkAddresses(config, findings);
  for (const name of config.names('listeners')) {
    checkCompleteFirst(name, config, findings);
    for (const host of config.names('listeners', name, 'hosts')) {
      checkRegistry(config, ['listeners', name, 'hosts', host], findings);
    }
    checkRegistry(config, ['listeners', name, 'defaultRegistry'], findings);
    const registry = config.text('listeners', name, 'defaultRegistry');
    const refusal = config.text('listeners', name, 'refusal') ?? 'deny';
    if (registry === 'docker.io' && refusal === 'deny') {
      findings.warning(
        [
          'listeners',
          name,
          config.has('listeners', name, 'refusal') ? 'refusal' : 'defaultRegistry',
        ],
        'an engine that uses this listener as a mirror of Docker Hub takes an HTTP error as "ask Docker Hub instead", which goes round verification',
        'write refusal: hard-stop unless engines reach this listener by its own name only',
      );
    }
  }
}

function checkRegistry(config: TolerantReader, path: ConfigPath, findings: Findings): void {
  const registry = config.text(...path);
  const upstreams = config.names('upstreams');
  if (registry === undefined || upstreams.includes(registry)) return;
  const meant = nearestName(registry, upstreams);
  findings.problem(
    path,
    `names ${registry}, which is not among the upstreams`,
    meant === undefined ? `add ${registry} under upstreams` : `did you mean ${meant}?`,
  );
}

function checkCompleteFirst(name: string, config: TolerantReader, findings: Findings): void {
  if (!config.isTrue('listeners', name, 'completeFirst')) return;
  if (config.text('listeners', name, 'refusal') === 'hard-stop') return;
  findings.warning(
    ['listeners', name, 'completeFirst'],
    'makes first pulls slower and gains little here: engines that reach this listener by its own name obey a refusal of a layer as well',
    'set refusal: hard-stop if engines use this listener as a mirror, or leave completeFirst out',
  );
}

interface Place {
  readonly path: ConfigPath;
  readonly address: HostPort;
}

function checkAddresses(config: TolerantReader, findings: Findings): void {
  const written: readonly (readonly [ConfigPath, string | undefined])[] = [
    ...config
      .names('listeners')
      .map(
        (name) =>
          [['listeners', name, 'address'], config.text('listeners', name, 'address')] as const,
      ),
    [
      ['admin', 'address'],
      config.has('admin', 'address') ? config.text('admin', 'address') : DEFAULT_ADMIN_ADDRESS,
    ],
  ];
  const places: Place[] = [];
  for (const [path, text] of written) {
    const address = text === undefined ? undefined : parseAddress(text);
    if (address?.ok !== true) continue;
    const place = { path, address: address.value };
    const other = places.find((earlier) => clash(earlier.address, place.address));
    if (other !== undefined) {
      findings.problem(
        path,
        `${text} clashes with ${formatPath(other.path)}`,
        'give each listener a port of its own',
      );
    }
    places.push(place);
  }
}

function clash(a: HostPort, b: HostPort): boolean {
  if (a.port !== b.port || a.port === 0) return false;
  const [hostA, hostB] = [plainHost(a.host), plainHost(b.host)];
  return hostA === hostB || WILDCARDS.has(hostA) || WILDCARDS.has(hostB);
}

function plainHost(host: string): string {
  const lower = host.toLowerCase();
  return lower === 'localhost' ? '127.0.0.1' : lower;
}

/** Checks the upstreams: credentials do not travel in clear text, plain HTTP is pointed out, fallbacks are others. */
export function checkUpstreams(config: TolerantReader, findings: Findings): void {
  for (const host of config.names('upstreams')) {
    const path = ['upstreams', host];
    const isSafe = checkClearText(config, path, findings);
    if (!isSafe && !config.has(...path, 'credentials')) {
      findings.warning(
        [...path, 'url'],
        'is plain http: verified content is safe all the same, but what a rule allows unverified could be altered on the way',
      );
    }
    checkFallbacks(config, path, findings);
  }
}

/** @returns whether nobody on the way can read or alter what goes to the server at `path` */
function checkClearText(config: TolerantReader, path: ConfigPath, findings: Findings): boolean {
  const url = urlAt(config, [...path, 'url']);
  if (url === undefined || url.protocol === 'https:' || isLoopback(url.hostname)) return true;
  if (config.has(...path, 'credentials')) {
    findings.problem(
      [...path, 'url'],
      'is plain http, over which the credentials would travel for everyone to read',
      'write https://',
    );
  }
  return false;
}

function checkFallbacks(config: TolerantReader, path: ConfigPath, findings: Findings): void {
  const seen = new Set([urlAt(config, [...path, 'url'])?.href]);
  for (let index = 0; index < config.count(...path, 'fallbacks'); index += 1) {
    const place = [...path, 'fallbacks', index];
    checkClearText(config, place, findings);
    const href = urlAt(config, [...place, 'url'])?.href;
    if (href === undefined) continue;
    if (seen.has(href)) {
      findings.problem([...place, 'url'], 'is asked already, before this one', 'remove it');
    }
    seen.add(href);
  }
}

/** The URL at `path`, or undefined where none can be read. */
export function urlAt(config: TolerantReader, path: ConfigPath): URL | undefined {
  const text = config.text(...path);
  const url = text === undefined ? undefined : parseServerUrl(text);
  return url?.ok === true ? url.value : undefined;
}
