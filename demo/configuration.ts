import { pathToFileURL } from 'node:url';
import { stringify } from 'yaml';
import type { OwnCollection } from './own-collection.ts';
import { DEMO_REGISTRY, OWN_PATHS, type Servers, type Stage } from './stage.ts';

/** What differs from run to run in the demo's configuration file. */
export interface ConfigurationFacts {
  readonly dataFolder: string;
  readonly registryPort: number;
  readonly adminPort: number;
  readonly servers: Servers;
  readonly stages: readonly Stage[];
  readonly collection: OwnCollection;
}

/** Writes the configuration of the Pinnace that the demo starts. */
export function demoConfiguration(facts: ConfigurationFacts): string {
  const { servers, stages, collection } = facts;
  const head = '# Written by the demo. Keys and ports are new at every run.\n';
  const document = {
    data: facts.dataFolder,
    listeners: {
      registry: {
        address: `127.0.0.1:${facts.registryPort}`,
        defaultRegistry: DEMO_REGISTRY,
      },
    },
    admin: { address: `127.0.0.1:${facts.adminPort}` },
    upstreams: { [DEMO_REGISTRY]: { url: servers.registry.url } },
    trust: {
      demo: {
        kind: 'notary',
        url: servers.notary.url,
        anchors: stages.map((stage) => ({
          gun: stage.gun,
          rootKeys: [...stage.publisher.rootKeyIds],
        })),
        maxAge: '0s',
      },
      vetted: {
        kind: 'tuf',
        url: pathToFileURL(collection.published).href,
        root: collection.rootFile,
        maxAge: '0s',
      },
    },
    policy: [
      { match: `${DEMO_REGISTRY}/${OWN_PATHS}/**`, trust: 'vetted' },
      { match: `${DEMO_REGISTRY}/**`, trust: 'demo' },
    ],
  };
  return `${head}${stringify(document)}`;
}
