import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { OciError, type OciRequestCode } from '../../../src/oci/errors.ts';
import { locateRepository } from '../../../src/oci/image-name.ts';
import { parseRegistryHost, repositoryName } from '../../../src/oci/names.ts';

const UPSTREAMS: ReadonlySet<string> = new Set([
  'docker.io',
  'registry.example.com',
  '127.0.0.1:5000',
  'localhost:5000',
  'Mixed.example',
]);

interface Asked {
  readonly name: string;
  readonly ns?: string;
  readonly defaultRegistry?: string;
  readonly upstreams?: ReadonlySet<string>;
}

function located({ name, ns, defaultRegistry, upstreams = UPSTREAMS }: Asked): string {
  const listener =
    defaultRegistry === undefined ? {} : { defaultRegistry: parseRegistryHost(defaultRegistry) };
  const registry = ns === undefined ? undefined : parseRegistryHost(ns);
  return repositoryName(locateRepository(name, registry, listener, upstreams));
}

const hub = { defaultRegistry: 'docker.io' };

describe('locateRepository finds', () => {
  const rows: readonly (readonly [row: string, asked: Asked, name: string])[] = [
    [
      'an official image on the mirror of Docker Hub',
      { name: 'library/alpine', ...hub },
      'docker.io/library/alpine',
    ],
    ['a short name on it', { name: 'alpine', ...hub }, 'docker.io/library/alpine'],
    ['a name of an organisation on it', { name: 'grafana/loki', ...hub }, 'docker.io/grafana/loki'],
    [
      'a prefix on it, which wins',
      { name: 'registry.example.com/a', ...hub },
      'registry.example.com/a',
    ],
    ['a name by ns', { name: 'library/alpine', ns: 'docker.io' }, 'docker.io/library/alpine'],
    ['a short name by ns', { name: 'alpine', ns: 'docker.io' }, 'docker.io/library/alpine'],
    ['an alias of Docker Hub as ns', { name: 'a/b', ns: 'registry-1.docker.io' }, 'docker.io/a/b'],
    ['another alias of Docker Hub', { name: 'a/b', ns: 'index.docker.io' }, 'docker.io/a/b'],
    ['ns in capitals', { name: 'a/b', ns: 'Registry.Example.COM' }, 'registry.example.com/a/b'],
    [
      'the spelling of the configuration',
      { name: 'a/b', ns: 'mixed.EXAMPLE' },
      'Mixed.example/a/b',
    ],
    ['a name by prefix', { name: 'docker.io/library/alpine' }, 'docker.io/library/alpine'],
    ['a short name by prefix', { name: 'docker.io/alpine' }, 'docker.io/library/alpine'],
    ['an alias as prefix', { name: 'index.docker.io/alpine' }, 'docker.io/library/alpine'],
    ['a prefix in capitals', { name: 'DOCKER.io/alpine' }, 'docker.io/library/alpine'],
    ['a prefix with a port', { name: '127.0.0.1:5000/team/app' }, '127.0.0.1:5000/team/app'],
    ['localhost with a port', { name: 'localhost:5000/x' }, 'localhost:5000/x'],
    ['no library/ elsewhere', { name: 'registry.example.com/x' }, 'registry.example.com/x'],
    [
      'prefix and ns that agree',
      { name: 'docker.io/library/alpine', ns: 'docker.io' },
      'docker.io/library/alpine',
    ],
    [
      'prefix and an alias that agree',
      { name: 'docker.io/alpine', ns: 'registry-1.docker.io' },
      'docker.io/library/alpine',
    ],
    [
      'dots in a path, with ns',
      { name: 'my.team/x', ns: 'registry.example.com' },
      'registry.example.com/my.team/x',
    ],
    [
      'dots in a path, on a default',
      { name: 'my.team/x', defaultRegistry: 'registry.example.com' },
      'registry.example.com/my.team/x',
    ],
    [
      'an alias that is configured itself',
      { name: 'a/b', ns: 'index.docker.io', upstreams: new Set(['index.docker.io']) },
      'index.docker.io/a/b',
    ],
  ];
  for (const [row, asked, name] of rows) it(row, () => assert.equal(located(asked), name));
});

describe('locateRepository refuses', () => {
  const rows: readonly (readonly [row: string, code: OciRequestCode, asked: Asked])[] = [
    ['a name without registry and default', 'NAME_UNKNOWN', { name: 'library/alpine' }],
    ['a short name without default', 'NAME_UNKNOWN', { name: 'alpine' }],
    ['ns that is not configured', 'NAME_UNKNOWN', { name: 'a/b', ns: 'evil.example', ...hub }],
    ['ns of the metadata service', 'NAME_UNKNOWN', { name: 'a/b', ns: '169.254.169.254' }],
    [
      'ns with a port that is not configured',
      'NAME_UNKNOWN',
      { name: 'a/b', ns: 'docker.io:8443' },
    ],
    ['a prefix that is not configured', 'NAME_UNKNOWN', { name: 'ghcr.io/a/b' }],
    [
      'a prefix that is not configured, on the mirror',
      'NAME_UNKNOWN',
      { name: 'ghcr.io/a/b', ...hub },
    ],
    [
      'a port that is not configured',
      'NAME_UNKNOWN',
      { name: 'registry.example.com:1/a', defaultRegistry: 'registry.example.com' },
    ],
    [
      'a default that is not configured',
      'NAME_UNKNOWN',
      { name: 'a', ...hub, upstreams: new Set(['other.example']) },
    ],
    [
      'an alias without Docker Hub',
      'NAME_UNKNOWN',
      { name: 'a/b', ns: 'index.docker.io', upstreams: new Set(['other.example']) },
    ],
    [
      'ns and prefix that differ',
      'NAME_INVALID',
      { name: 'docker.io/a/b', ns: 'registry.example.com' },
    ],
    ['a host behind ns', 'NAME_INVALID', { name: 'evil.example:1/a', ns: 'docker.io' }],
    ['a name that library/ makes too long', 'NAME_INVALID', { name: 'a'.repeat(250), ...hub }],
  ];
  for (const [row, code, asked] of rows) {
    it(row, () => {
      assert.throws(
        () => located(asked),
        (error: unknown) => error instanceof OciError && error.code === code,
      );
    });
  }
});
