import type { CanaryFacts } from '../oci/canary.ts';
import { looksLikeHost } from '../oci/image-name.ts';
import type { EngineFacts, EngineKind, EngineRoute } from './doctor-engine.ts';
import { dockerSettings } from './engine-settings/docker.ts';
import { hostsFile } from './engine-settings/hosts-file.ts';
import type { SettingsFile, SettingsRequest } from './engine-settings/settings.ts';

/** An engine, a registry, and the way between them. */
export interface SettingsSubject {
  readonly engine: EngineKind;
  readonly facts: EngineFacts;
  readonly registry: string;
  readonly route: EngineRoute;
  /** The listener that the signed canary came through, if it came. */
  readonly through: Pick<CanaryFacts, 'refusal'> | undefined;
}

const HUB = 'docker.io';

/** The command that prints the settings which leave an engine no second place to ask. */
export function settingsCommand(subject: SettingsSubject): string {
  const { engine, registry, facts } = subject;
  const address = pinnaceAddress(subject)?.origin ?? 'https://NAME:PORT';
  const store = facts.store === 'containerd' ? ' --store containerd' : '';
  return `pinnace engines ${engine} --upstream ${upstreamOf(registry)} --address ${address}${store}`;
}

/**
 * The files, whole, that leave an engine no second place to ask for a registry; none where Pinnace's address is not known. For
 * podman the command alone is named, since its file is about all registries at once.
 */
export function exactSettings(subject: SettingsSubject): readonly SettingsFile[] {
  const { engine, facts, registry, route, through } = subject;
  const address = pinnaceAddress(subject);
  if (address === undefined || through === undefined) return [];
  const upstream = upstreamOf(registry);
  const request: SettingsRequest = {
    address,
    upstreams: [upstream],
    refusal: through.refusal,
    defaultRegistry: upstream === HUB ? HUB : undefined,
    store: facts.store === 'containerd' ? 'containerd' : 'classic',
  };
  switch (engine) {
    case 'docker':
      return dockerSettings(request).files;
    case 'containerd':
      return [
        hostsFile(route.settings ?? `/etc/containerd/certs.d/${upstream}/hosts.toml`, request),
      ];
    case 'podman':
      return [];
  }
}

/** Where the engine reaches Pinnace: the first place it asks, once the signed canary has shown that this is Pinnace. */
function pinnaceAddress({ route, through }: SettingsSubject): URL | undefined {
  const [first = ''] = route.endpoints;
  if (through === undefined || !/^https?:\/\//.test(first) || !URL.canParse(first))
    return undefined;
  return new URL(first);
}

/** The registry itself, where engines come by Pinnace's own name with the registry in the path. */
function upstreamOf(registry: string): string {
  const last = registry.slice(registry.lastIndexOf('/') + 1);
  return looksLikeHost(last) ? last : registry;
}
