import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readFromDisk, readLimited } from '../config/read-file.ts';

/** What a `hosts.toml` says. */
export interface HostsFile {
  readonly path: string;
  /** Where images are asked for, in order. */
  readonly endpoints: readonly string[];
  /** What of it has an effect that is hardly meant, in words. */
  readonly oddities: readonly string[];
}

const DEFAULT_FOLDER = '_default';
const MAX_LINES = 1_000;
const MAX_FILE_BYTES = 256 * 1024;
const COMMENT = /^\s*(?:#.*)?$/;
const SERVER = /^\s*server\s*=\s*"([^"]*)"\s*(?:#.*)?$/;
const HOST = /^\s*\[\s*host\s*\.\s*"([^"]*)"\s*\]\s*(?:#.*)?$/;
const NO_HOST = /^\s*\[\s*host\s*\]\s*(?:#.*)?$/;
const CAPABILITIES = /^\s*capabilities\s*=\s*\[([^\]]*)\]\s*(?:#.*)?$/;

/**
 * Reads the `hosts.toml` that containerd would use for a registry, or undefined if there is none: that of the registry's own
 * folder, else that of `_default`. Only what decides who is asked is understood.
 *
 * @source containerd docs/hosts.md; reference: clients.md section 7 C
 */
export async function readHostsFile(
  folder: string,
  registry: string,
): Promise<HostsFile | undefined> {
  for (const name of [registry, registry.replace(/:([0-9]+)$/, '_$1_'), DEFAULT_FOLDER]) {
    const path = join(folder, name, 'hosts.toml');
    const text = await settingsText(path);
    if (text !== undefined) return { path, ...parseHosts(text, registry) };
  }
  return undefined;
}

/** The text of an engine's settings; undefined if the file is not there, may not be read, or is longer than 256 KiB. */
export async function settingsText(path: string): Promise<string | undefined> {
  const content = await readLimited(readFromDisk, path, MAX_FILE_BYTES);
  return content.ok ? new TextDecoder().decode(content.bytes) : undefined;
}

/** The registries that have a folder of their own. */
export async function registriesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isDirectory() && entry.name !== DEFAULT_FOLDER)
    .map(({ name }) => name.replace(/_([0-9]+)_$/, ':$1'));
}

/** Says who is asked, in which order, for a registry by this text. */
export function parseHosts(text: string, registry: string): Omit<HostsFile, 'path'> {
  const lines = text.split('\n').slice(0, MAX_LINES);
  const hosts = lines.flatMap((line) => HOST.exec(line)?.[1] ?? []);
  const server = lines.flatMap((line) => SERVER.exec(line)?.[1] ?? [])[0];
  const own = server ?? ownServer(registry);
  const endpoints = [...hosts.filter((host) => host !== own), own];
  const oddities: string[] = [];
  if (hosts.length === 0 && !lines.some((line) => NO_HOST.test(line))) {
    oddities.push('it has no [host] line: containerd 1.x ignores the file and asks the registry');
  }
  for (const line of lines) {
    const capabilities = CAPABILITIES.exec(line)?.[1];
    if (capabilities !== undefined && !capabilities.includes('resolve')) {
      oddities.push('a host without the capability "resolve": tags are resolved at the registry');
    }
  }
  if (lines.every((line) => COMMENT.test(line))) oddities.push('it is empty');
  return { endpoints, oddities };
}

function ownServer(registry: string): string {
  return registry === 'docker.io' ? 'https://registry-1.docker.io' : `https://${registry}`;
}
