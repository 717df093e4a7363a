import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

/** A newer Debian release whose engines run in a chroot; `.ci/install-engines` makes their folders. */
export type Release = 'trixie' | 'forky';

/** Where the folder of a release is. */
export function releaseFolder(release: Release): string {
  return join(process.env['PINNACE_ENGINES_FOLDER'] ?? '/var/cache/pinnace-e2e', release);
}

/** Every program the lab uses: where it is, and how a person would call what is missing. */
const COMPONENTS = {
  docker: { path: '/usr/bin/docker', name: 'docker client (docker.io)' },
  dockerd: { path: '/usr/sbin/dockerd', name: 'docker engine (docker.io)' },
  containerd: { path: '/usr/bin/containerd', name: 'containerd (containerd)' },
  ctr: { path: '/usr/bin/ctr', name: 'ctr (containerd)' },
  podman: { path: '/usr/bin/podman', name: 'podman (podman)' },
  buildah: { path: '/usr/bin/buildah', name: 'buildah (buildah)' },
  skopeo: { path: '/usr/bin/skopeo', name: 'skopeo (skopeo)' },
  registry: { path: '/usr/bin/docker-registry', name: 'docker registry (docker-registry)' },
  notary: { path: '/usr/bin/notary', name: 'notary client (notary)' },
  notaryServer: { path: '/usr/bin/notary-server', name: 'notary server (notary)' },
  htpasswd: { path: '/usr/bin/htpasswd', name: 'htpasswd (apache2-utils)' },
  openssl: { path: '/usr/bin/openssl', name: 'openssl (openssl)' },
  curl: { path: '/usr/bin/curl', name: 'curl (curl)' },
  busybox: { path: '/bin/busybox', name: 'static busybox (busybox-static)' },
  unshare: { path: '/usr/bin/unshare', name: 'unshare (util-linux)' },
  nsenter: { path: '/usr/bin/nsenter', name: 'nsenter (util-linux)' },
  ip: { path: '/usr/sbin/ip', name: 'ip (iproute2)' },
  nft: { path: '/usr/sbin/nft', name: 'nft (nftables)' },
  trixie: {
    path: join(releaseFolder('trixie'), 'usr/sbin/dockerd'),
    name: 'the engines of Debian trixie (.ci/install-engines)',
  },
  forky: {
    path: join(releaseFolder('forky'), 'usr/sbin/dockerd'),
    name: 'the engines of Debian forky (.ci/install-engines)',
  },
} as const;

/** A program of the lab. */
export type Component = keyof typeof COMPONENTS;

/** The part of node's test context this module needs. */
export interface Skippable {
  skip(reason?: string): void;
}

/** Where a program is. */
export function binary(component: Component): string {
  return COMPONENTS[component].path;
}

/** Why a lab with these programs cannot run here, or `undefined` when it can. */
export function whyNot(needed: readonly Component[]): string | undefined {
  if (process.getuid?.() !== 0) return 'real engines need root';
  const missing = needed.filter((component) => !isThere(COMPONENTS[component].path));
  if (missing.length === 0) return undefined;
  const names = missing.map((component) => COMPONENTS[component].name);
  return `${names.join(', ')} ${names.length === 1 ? 'is' : 'are'} not installed`;
}

/**
 * Says whether a test may go on; if not, the test is skipped with the name of what is missing.
 *
 * @throws {Error} instead of skipping when the environment says `PINNACE_E2E=required`
 */
export function has(t: Skippable, needed: readonly Component[]): boolean {
  const reason = whyNot(needed);
  if (reason === undefined) return true;
  if (process.env['PINNACE_E2E'] === 'required') throw new Error(`required, but ${reason}`);
  t.skip(reason);
  return false;
}

function isThere(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
