import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { OciError, type OciRequestCode } from '../../../src/oci/errors.ts';
import { locateRepository } from '../../../src/oci/image-name.ts';
import { parseRegistryHost, repositoryName } from '../../../src/oci/names.ts';
import { throwsWithCode } from '../../support/reject-with-code.ts';

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
  readonly host?: string;
  readonly defaultRegistry?: string;
  readonly upstreams?: ReadonlySet<string>;
}

function located({ name, ns, host, defaultRegistry, upstreams = UPSTREAMS }: Asked): string {
  const listener = {
    ...(defaultRegistry === undefined
      ? {}
      : { defaultRegistry: parseRegistryHost(defaultRegistry) }),
    ...(host === undefined ? {} : { hostRegistry: parseRegistryHost(host) }),
  };
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
      'dots in a path, behind a prefix',
      { name: 'registry.example.com/my.team/x', defaultRegistry: 'registry.example.com' },
      'registry.example.com/my.team/x',
    ],
    ['a name by host', { name: 'a/b', host: 'registry.example.com' }, 'registry.example.com/a/b'],
    [
      'a name by host, not by default',
      { name: 'a/b', host: 'registry.example.com', ...hub },
      'registry.example.com/a/b',
    ],
    ['a short name by host', { name: 'alpine', host: 'docker.io' }, 'docker.io/library/alpine'],
    [
      'host, prefix and ns that agree',
      { name: 'docker.io/alpine', host: 'docker.io', ns: 'index.docker.io' },
      'docker.io/library/alpine',
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
    [
      'a first component like a host, on another default',
      'NAME_UNKNOWN',
      { name: 'ghcr.io/a/b', defaultRegistry: 'registry.example.com' },
    ],
    [
      'localhost on another default',
      'NAME_UNKNOWN',
      { name: 'localhost/a', defaultRegistry: 'registry.example.com' },
    ],
    [
      'a first component like a host, by host',
      'NAME_UNKNOWN',
      { name: 'ghcr.io/a/b', host: 'registry.example.com' },
    ],
    [
      'host and prefix that differ',
      'NAME_INVALID',
      { name: 'docker.io/a/b', host: 'registry.example.com' },
    ],
    [
      'host and ns that differ',
      'NAME_INVALID',
      { name: 'a/b', host: 'registry.example.com', ns: 'docker.io' },
    ],
    [
      'a host that is not configured',
      'NAME_UNKNOWN',
      { name: 'a/b', host: 'evil.example', ...hub },
    ],
    [
      'ns of Docker Hub and a path that begins with another host',
      'NAME_INVALID',
      { name: 'ghcr.io/a/b', ns: 'docker.io' },
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

it('locateRepository names the registry that is not configured, and how a path like it is asked for', () => {
  const messageOf = (asked: Asked): string =>
    throwsWithCode(() => located(asked), OciError, 'NAME_UNKNOWN').message;
  assert.match(messageOf({ name: 'ghcr.io/a' }), /^ghcr\.io is not a registry .* another name$/);
  const message = messageOf({ name: 'my.team/a', defaultRegistry: 'registry.example.com' });
  assert.match(message, /put registry\.example\.com\/ in front of it$/);
});

/** Registries as the property below writes them: in the path, as `ns`, by host and by default. */
interface Mention {
  readonly prefix?: string;
  readonly ns?: string;
  readonly host?: string;
  readonly defaultRegistry?: string;
  readonly path: string;
}

/** The one spelling of a registry. */
function meant(name: string): string {
  return name.toLowerCase().replace(/^(?:index|registry-1)\.docker\.io$/, 'docker.io');
}

/** What the first component comes to: a registry that was named, or a part of the path because `ns` says so. */
function requireOneReading({ prefix, path, ...more }: Mention, found: string): void {
  const slash = found.indexOf('/');
  const registry = found.slice(0, slash);
  assert.ok(UPSTREAMS.has(registry));
  for (const said of [more.ns, more.host]) assert.equal(meant(said ?? registry), registry);
  const isPath = prefix !== undefined && meant(prefix) !== registry;
  if (isPath) assert.ok(more.ns !== undefined && registry !== 'docker.io');
  const isSilent = (more.ns ?? more.host ?? prefix) === undefined;
  if (isSilent) assert.equal(registry, more.defaultRegistry);
  const written = isPath ? `${prefix}/${path}` : path;
  const isOfficial = registry === 'docker.io' && !written.includes('/');
  assert.equal(found.slice(slash + 1), isOfficial ? `library/${written}` : written);
}

describe('locateRepository', () => {
  const names = ['docker.io', 'index.docker.io', 'DOCKER.IO', 'registry.example.com'];
  const others = [
    'ghcr.io',
    'localhost',
    'evil.example:1',
    '127.0.0.1:5000',
    'REGISTRY.example.com',
  ];
  const host = fc.constantFrom(...names, ...others);
  const own = fc.constantFrom('docker.io', 'registry.example.com', '127.0.0.1:5000');
  const path = fc.constantFrom(
    'alpine',
    'library/alpine',
    'team/app',
    'my.team/x',
    'a/docker.io/b',
  );
  const mention: fc.Arbitrary<Mention> = fc.record(
    { prefix: host, ns: host, host: own, defaultRegistry: own, path },
    { requiredKeys: ['path'] },
  );

  it('never reads a request in two ways', () => {
    let count = 0;
    const check = (asked: Mention): void => {
      const { prefix, path: rest, ...more } = asked;
      const name = prefix === undefined ? rest : `${prefix}/${rest}`;
      try {
        requireOneReading(asked, located({ name, ...more }));
        count += 1;
      } catch (error) {
        if (!(error instanceof OciError)) throw error;
      }
    };
    fc.assert(fc.property(mention, check), { numRuns: 3000 });
    assert.ok(count > 300, `only ${count} of the requests meant anything`);
  });
});
