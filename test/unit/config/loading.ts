import assert from 'node:assert/strict';
import type { Clock } from '../../../src/base/clock.ts';
import type { Config } from '../../../src/config/config.ts';
import type { NotarySourceConfig } from '../../../src/config/connection.ts';
import type { Environment } from '../../../src/config/env.ts';
import { ConfigError, type ConfigProblem } from '../../../src/config/errors.ts';
import { type LoadedConfig, loadConfig } from '../../../src/config/load.ts';
import type { ReadFile } from '../../../src/config/read-file.ts';
import { FakeClock } from '../../support/fake-clock.ts';

/** What surrounds a configuration under test. */
export interface Surroundings {
  /** Files by absolute name. */
  readonly files?: Readonly<Record<string, string>>;
  readonly env?: Environment;
  readonly clock?: Clock;
  readonly checkFiles?: boolean;
}

/** A configuration that has no problem and no warning; tests change one thing of it. */
export const GOOD = `data: /var/lib/pinnace
listeners:
  registry: { address: 127.0.0.1:5000 }
upstreams:
  registry.example.com: { url: https://registry.example.com }
trust:
  corp:
    kind: notary
    url: https://notary.example.com
    anchors:
      - { gun: "registry.example.com/**", trustOnFirstUse: true }
policy:
  - { match: "registry.example.com/**", trust: corp }
`;

/** Loads a configuration text as the file `/etc/pinnace/pinnace.yaml`. */
export function load(yaml: string, around: Surroundings = {}): Promise<LoadedConfig> {
  const files = new Map(Object.entries(around.files ?? {}));
  files.set('/etc/pinnace/pinnace.yaml', yaml);
  const readFile: ReadFile = async (path) => {
    const text = files.get(path);
    if (text === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
    return Buffer.from(text);
  };
  return loadConfig('/etc/pinnace/pinnace.yaml', {
    env: around.env ?? {},
    readFile,
    clock: around.clock ?? new FakeClock(),
    ...(around.checkFiles === undefined ? {} : { checkFiles: around.checkFiles }),
  });
}

/** The configuration, when it loads without a problem. */
export async function configOf(yaml: string, around: Surroundings = {}): Promise<Config> {
  return (await load(yaml, around)).config;
}

/** The trust source `corp` of a configuration, if it is a Notary server. */
export function notaryOf(config: Config): NotarySourceConfig | undefined {
  const source = config.trust.get('corp');
  return source?.kind === 'notary' ? source : undefined;
}

/** The problems, when it does not load. */
export async function problemsOf(
  yaml: string,
  around: Surroundings = {},
): Promise<readonly ConfigProblem[]> {
  try {
    await load(yaml, around);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    assert.equal(error.code, 'config_invalid');
    assert.ok(error.problems.length > 0);
    return error.problems;
  }
  assert.fail('the configuration was accepted');
}

/** The paths of the warnings, when it loads without a problem. */
export async function warningPaths(
  yaml: string,
  around: Surroundings = {},
): Promise<readonly string[]> {
  return (await load(yaml, around)).warnings.map((warning) => warning.path);
}
