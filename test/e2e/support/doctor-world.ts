import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Component } from './components.ts';
import { Containerd } from './containerd.ts';
import { DockerEngine, type DockerOptions } from './docker-engine.ts';
import { FakeHub } from './fake-hub.ts';
import { makeImage, publish } from './image.ts';
import { BASE_COMPONENTS, Lab } from './lab.ts';
import { Pinnace } from './pinnace.ts';
import type { Finished } from './process.ts';
import type { Scratch } from './scratch.ts';
import { LabSuite } from './suite.ts';

/** Hosts whose engines are set up rightly and wrongly, with a stand-in for Docker Hub beside Pinnace. */
export interface DoctorWorld {
  readonly scratch: Scratch;
  readonly hub: FakeHub;
  readonly pinnace: Pinnace;
}

const MAIN = join(resolve(dirname(fileURLToPath(import.meta.url)), '../../..'), 'src/cli/main.ts');
const NEEDED: readonly Component[] = [...BASE_COMPONENTS, 'unshare', 'nsenter', 'ip'];

/** The tests of one file about the doctor; `library/app` has tags `signed` and `unsigned`, both also at the stand-in. */
export function doctorSuite(name: string): LabSuite<DoctorWorld> {
  return new LabSuite<DoctorWorld>(name, NEEDED, async (scratch) => {
    const hub = await FakeHub.start(scratch);
    const lab = await Lab.start(scratch, hub.place);
    await lab.pushSigned('library/app:signed', { registry: 'docker.io' });
    const foreign = await makeImage(scratch);
    await publish(foreign, hub.registry, 'library/app:unsigned');
    await publish(foreign, hub.registry, 'library/app:signed');
    const pinnace = await Pinnace.start(scratch, hub.place, {
      listeners: {
        mirror: { defaultRegistry: 'docker.io', refusal: 'hard-stop' },
        complete: { defaultRegistry: 'docker.io', refusal: 'hard-stop', completeFirst: true },
        plain: { defaultRegistry: 'docker.io', refusal: 'deny' },
      },
      upstreams: { 'docker.io': { url: lab.registry.url } },
      trust: { lab: await lab.trust({ maxAge: '0s', outageGrace: '0s' }) },
      policy: [{ match: 'docker.io/library/**', trust: 'lab' }],
    });
    return { scratch, hub, pinnace };
  });
}

/** Runs the doctor where the engines are. */
export async function runDoctor(
  { hub }: DoctorWorld,
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Finished> {
  return await hub.place.run([process.execPath, MAIN, 'doctor', '--json', ...words], {
    env: { PATH: '/usr/bin:/usr/sbin:/bin', ...env },
    timeoutMs: 170_000,
  });
}

/** An engine with a listener as its mirror. */
export async function dockerBehind(
  world: DoctorWorld,
  listener: string,
  options: Pick<DockerOptions, 'environment'> = {},
): Promise<DockerEngine> {
  return await DockerEngine.start(world.scratch, world.hub.place, {
    settings: { 'registry-mirrors': [`http://${world.pinnace.host(listener)}`] },
    ...options,
  });
}

/** How the doctor is told of an engine. */
export function dockerWords(engine: DockerEngine): readonly string[] {
  return ['--engine', 'docker', '--address', `unix://${engine.socket}`];
}

/** Makes a containerd with a hosts file for Docker Hub. */
export async function containerdWith(world: DoctorWorld, hosts: string): Promise<Containerd> {
  const containerd = await Containerd.start(world.scratch, world.hub.place);
  await containerd.setHosts('docker.io', hosts);
  return containerd;
}

/** How the doctor is told of a containerd. */
export function containerdWords({ socket, hostsFolder }: Containerd): readonly string[] {
  return ['--engine', 'containerd', '--address', socket, '--hosts-dir', hostsFolder];
}
