import { access } from 'node:fs/promises';
import type { Environment } from '../config/env.ts';
import { ContainerdEngine } from './doctor-containerd.ts';
import { DockerEngine } from './doctor-docker.ts';
import { ENGINE_KINDS, type Engine, type EngineFacts, type EngineKind } from './doctor-engine.ts';
import { PodmanEngine } from './doctor-podman.ts';
import type { RunProgram } from './doctor-program.ts';

/** Which engine is meant. */
export interface EngineChoice {
  /** Default: all that are found. */
  readonly engine?: EngineKind;
  readonly address?: string;
  readonly hostsDir?: string;
  readonly namespace?: string;
}

/** An engine that answered. */
export interface FoundEngine {
  readonly engine: Engine;
  readonly facts: EngineFacts;
}

/** What looking for engines needs. */
export interface FindContext {
  readonly env: Environment;
  readonly run: RunProgram;
  readonly signal: AbortSignal;
}

const ANSWER_MS = 30_000;
const HOSTS_FOLDER = '/etc/containerd/certs.d';

/** Finds the engines of this host, or the one that is meant. */
export async function findEngines(
  choice: EngineChoice,
  context: FindContext,
): Promise<{ readonly engines: readonly FoundEngine[]; readonly problems: readonly string[] }> {
  const kinds = choice.engine === undefined ? ENGINE_KINDS : [choice.engine];
  const found: FoundEngine[] = [];
  for (const kind of kinds) {
    const engine = createEngine(kind, choice, context);
    const facts = await engine.facts({ timeoutMs: ANSWER_MS, signal: context.signal });
    if (facts !== undefined) found.push({ engine, facts });
  }
  const engines = choice.engine === undefined ? await meant(found, choice) : found;
  if (engines.length > 0) return { engines, problems: [] };
  const what =
    choice.engine === undefined
      ? 'no Docker engine, containerd or podman answers on this host; name one with --engine and --address, or run this as root'
      : `${choice.engine} does not answer${choice.address === undefined ? '; name its socket with --address, or run this as root' : ` at ${choice.address}`}`;
  return { engines, problems: [what] };
}

/** Where Docker is, containerd is usually its part and pulls nothing by itself: then only hosts files make it meant. */
async function meant(
  found: readonly FoundEngine[],
  { hostsDir = HOSTS_FOLDER }: EngineChoice,
): Promise<readonly FoundEngine[]> {
  const hasDocker = found.some(({ engine }) => engine.kind === 'docker');
  const hasHosts = await access(hostsDir).then(
    () => true,
    () => false,
  );
  return found.filter(({ engine }) => engine.kind !== 'containerd' || hasHosts || !hasDocker);
}

function createEngine(kind: EngineKind, choice: EngineChoice, { env, run }: FindContext): Engine {
  const { address, hostsDir, namespace } = choice;
  const reached = { env, run, ...(address === undefined ? {} : { address }) };
  switch (kind) {
    case 'docker':
      return new DockerEngine(reached);
    case 'podman':
      return new PodmanEngine(reached);
    case 'containerd':
      return new ContainerdEngine({
        ...reached,
        ...(namespace === undefined ? {} : { namespace }),
        ...(hostsDir === undefined ? {} : { hostsFolder: hostsDir }),
      });
  }
}
