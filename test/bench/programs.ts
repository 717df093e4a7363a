import { accessSync, constants } from 'node:fs';

/** Programs from Debian packages, with the name under which a peer takes part and is reported missing. */
export const PEER_PROGRAMS = {
  nginx: { name: 'nginx', path: '/usr/sbin/nginx', package: 'nginx-light' },
  registry: {
    name: 'docker-registry',
    path: '/usr/bin/docker-registry',
    package: 'docker-registry',
  },
  wrk: { name: 'wrk', path: '/usr/bin/wrk', package: 'wrk' },
  skopeo: { name: 'skopeo', path: '/usr/bin/skopeo', package: 'skopeo' },
  curl: { name: 'curl', path: '/usr/bin/curl', package: 'curl' },
} as const;

/** A program that a scenario needs or compares with. */
export type PeerProgram = keyof typeof PEER_PROGRAMS;

/** Why a program cannot take part; undefined when it can. */
export function whyMissing(program: PeerProgram): string | undefined {
  const { path, package: name } = PEER_PROGRAMS[program];
  try {
    accessSync(path, constants.X_OK);
    return undefined;
  } catch {
    return `${path} is not installed (Debian package ${name})`;
  }
}
