import { resolve } from 'node:path';
import { checkArtifact, checkPlainHttp, locationAt } from './check-trust.ts';
import type { Findings } from './findings.ts';
import { type ConfigPath, formatPath } from './path.ts';
import type { TolerantReader } from './tolerant.ts';
import type { TrustLocation } from './trust-url.ts';

/** Checks that no two collections share a folder or a place, and that every place can be reached as it is written. */
export function checkCollections(config: TolerantReader, findings: Findings): void {
  const folders = new Map<string, ConfigPath>();
  const places = new Map<string, ConfigPath>();
  for (const name of config.names('collections')) {
    const path = ['collections', name];
    const dir = config.text(...path, 'dir');
    // Relative names start at one folder, whichever it is.
    if (dir !== undefined)
      requireOnce(folders, { key: resolve(dir), path: [...path, 'dir'] }, findings);
    const count = config.count(...path, 'publish');
    if (count === 0 && config.names(...path).length > 0) {
      findings.warning(
        path,
        'is published nowhere: clients see what is in its folder only',
        'add publish:',
      );
    }
    for (let index = 0; index < count; index += 1) {
      const at = [...path, 'publish', index];
      const location = locationAt(config, [...at, 'url']);
      if (location === undefined) continue;
      requireOnce(places, { key: keyOf(location), path: [...at, 'url'] }, findings);
      checkPlace(config, { path: at, location }, findings);
    }
  }
}

function checkPlace(
  config: TolerantReader,
  place: { readonly path: ConfigPath; readonly location: TrustLocation },
  findings: Findings,
): void {
  const { path, location } = place;
  if (location.kind === 'server') {
    checkPlainHttp(config, [...path, 'url'], findings);
    return;
  }
  for (const key of ['ca', 'credentials']) {
    if (!config.has(...path, key)) continue;
    const fix = location.kind === 'artifact' ? 'the upstream has its own; remove it' : 'remove it';
    findings.problem([...path, key], 'is for places with an https URL only', fix);
  }
  if (location.kind === 'artifact') checkArtifact(config, { path, location }, findings);
}

function requireOnce(
  seen: Map<string, ConfigPath>,
  { key, path }: { readonly key: string; readonly path: ConfigPath },
  findings: Findings,
): void {
  const other = seen.get(key);
  if (other === undefined) seen.set(key, path);
  else
    findings.problem(
      path,
      `is the same as ${formatPath(other)}`,
      'each is for one collection only',
    );
}

function keyOf(location: TrustLocation): string {
  switch (location.kind) {
    case 'server':
      return location.url.href;
    case 'folder':
      return `file://${location.path}`;
    case 'artifact':
      return `oci://${location.repository.registry}/${location.repository.path}:${location.tag}`;
  }
}
