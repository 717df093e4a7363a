import { dirname, resolve } from 'node:path';
import { type Clock, systemClock } from '../base/clock.ts';
import { compilePolicy, examineRules } from '../policy/policy.ts';
import { ConfigBuilder } from './build.ts';
import { buildClients } from './build-clients.ts';
import { buildCollection } from './build-collections.ts';
import { buildDeny, buildRule } from './build-policy.ts';
import { buildTrustSource } from './build-trust.ts';
import { checkBreakGlass } from './check-break-glass.ts';
import { checkClients } from './check-clients.ts';
import { checkCollections } from './check-collections.ts';
import { checkCredentials, checkDockerLogins } from './check-credentials.ts';
import { checkListeners, checkUpstreams } from './check-network.ts';
import { checkPolicy } from './check-policy.ts';
import { checkTrustSources } from './check-trust.ts';
import type { Config } from './config.ts';
import { deepFreeze } from './deep-freeze.ts';
import type { Environment } from './env.ts';
import { ConfigError, type ConfigProblem } from './errors.ts';
import { Findings } from './findings.ts';
import { reportIssues } from './issue-text.ts';
import { type NamedFiles, readNamedFiles } from './named-files.ts';
import { type ReadFile, readFromDisk, readLimited } from './read-file.ts';
import { type ConfigFile, configSchema } from './schema.ts';
import { configRoot, type SchemaNode, visitValues } from './schema-node.ts';
import { TolerantReader } from './tolerant.ts';
import { MAX_CONFIG_BYTES, parseConfigDocument } from './yaml-document.ts';

/** What `loadConfig` works with. */
export interface LoadOptions {
  /** Where `passwordEnv` and the proxy settings are looked up; see `processEnvironment`. */
  readonly env: Environment;
  /** How files are read; default: from disk. */
  readonly readFile?: ReadFile;
  /**
   * Whether the files and variables named in the configuration are read and judged; default true. With false their
   * texts are empty, which is good for looking at an example and for nothing else.
   */
  readonly checkFiles?: boolean;
  /** For the dates of certificates; default: the machine's clock. */
  readonly clock?: Clock;
}

/** A usable configuration, and what its author should know about it. */
export interface LoadedConfig {
  readonly config: Config;
  readonly warnings: readonly ConfigProblem[];
}

/**
 * Reads and checks a configuration file and everything it names. Relative names in it start at its own folder.
 *
 * @param path - YAML file of at most 1 MiB
 * @throws {ConfigError} `config_invalid` with every problem found, in the order of the file
 */
export async function loadConfig(path: string, options: LoadOptions): Promise<LoadedConfig> {
  const read = options.readFile ?? readFromDisk;
  const content = await readLimited(read, path, MAX_CONFIG_BYTES);
  if (!content.ok) throw new ConfigError(path, [{ path: '', problem: content.problem }]);
  const findings = new Findings();
  const document = parseConfigDocument(content.bytes, findings);
  if (document.data === undefined) throw new ConfigError(path, findings.problems(document.lineOf));

  const source = { root: configRoot(), data: document.data };
  const folder = dirname(resolve(path));
  const file = checkForm(source, findings);
  checkTogether(source.data, options, findings);
  const now = (options.clock ?? systemClock).now();
  if (file !== undefined) checkExceptions(file, now, findings);
  const files: NamedFiles =
    options.checkFiles === false
      ? new Map()
      : await readNamedFiles(source, { read, folder, now }, findings);
  checkDockerLogins(new TolerantReader(source.data), files, findings);
  sayNotYet(source, findings);

  const problems = findings.problems(document.lineOf);
  if (problems.length > 0 || file === undefined) throw new ConfigError(path, problems);
  const builder = new ConfigBuilder({ files, folder, env: options.env, read });
  return { config: build(file, builder), warnings: findings.warnings(document.lineOf) };
}

interface Source {
  readonly root: SchemaNode;
  readonly data: unknown;
}

function checkForm(source: Source, findings: Findings): ConfigFile | undefined {
  const result = configSchema.safeParse(source.data);
  if (result.success) return result.data;
  reportIssues(result.error.issues, source, findings);
  return undefined;
}

function checkTogether(data: unknown, options: LoadOptions, findings: Findings): void {
  const reader = new TolerantReader(data);
  checkListeners(reader, findings);
  checkUpstreams(reader, findings);
  checkCredentials(reader, options.checkFiles === false ? undefined : options.env, findings);
  checkTrustSources(reader, findings);
  checkCollections(reader, findings);
  checkClients(reader, findings);
  checkPolicy(reader, findings);
}

/** Exceptions are checked against rules, so only once every rule has the right form. */
function checkExceptions(file: ConfigFile, now: number, findings: Findings): void {
  const rules = file.policy.map(buildRule);
  const isUsable = examineRules(rules).problems.length === 0;
  const policy = isUsable ? compilePolicy(rules, buildDeny(file.deny)) : undefined;
  checkBreakGlass(file.breakGlass, { policy, deny: file.deny, now }, findings);
}

/** Lets one sentence stand for all that follows from the use of something that this version does not have. */
function sayNotYet(source: Source, findings: Findings): void {
  visitValues(source.root, source.data, (node, value, path) => {
    const sentence = typeof value === 'string' ? node.notYet.get(value) : undefined;
    if (sentence === undefined) return;
    findings.forget(path.slice(0, -1));
    findings.problem(path, sentence);
  });
}

function build(file: ConfigFile, builder: ConfigBuilder): Config {
  const trust = new Map(
    Object.entries(file.trust).map(([name, entry]) => [
      name,
      buildTrustSource(name, entry, builder),
    ]),
  );
  const collections = Object.entries(file.collections).map(([name, entry]) =>
    buildCollection(name, entry, builder),
  );
  const clients = new Map(
    Object.entries(file.clients).map(([name, entry]) => [name, buildClients(name, entry, builder)]),
  );
  return deepFreeze({ ...builder.build(file), trust, clients, collections });
}
