import { binary, type Release, releaseFolder } from './components.ts';
import type { Place } from './place.ts';
import { makeFolder, type Scratch } from './scratch.ts';

/**
 * Every command gets a mount namespace of its own around the release's folder, so that nothing has to be undone and the
 * folder stays as it was made: what engines write outside the lab's own folder goes to memory.
 */
const ENTER = `set -e
root=$1 lab=$2 etc=$3
shift 3
mount --bind "$root" "$root"
mount --rbind /proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
for folder in tmp run root etc/docker etc/containers/certs.d var/lib/containers; do
  mkdir -p "$root/$folder"
  mount -t tmpfs none "$root/$folder"
done
mount --bind "$etc" "$root/etc/docker"
mkdir -p "$root$lab"
mount --bind "$lab" "$root$lab"
mount --bind /etc/hosts "$root/etc/hosts"
mount --bind /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
exec chroot "$root" "$@"
`;

/**
 * A place within `place` (a namespace of its own) where the programs are those of a newer Debian release. Files of the
 * lab have the same names there.
 *
 * @param name - of the folder that is `/etc/docker` there, for one engine each
 */
export async function enterRelease(
  scratch: Scratch,
  place: Place,
  inside: { readonly release: Release; readonly name: string },
): Promise<ReleasePlace> {
  const { release, name } = inside;
  const etcDocker = await makeFolder(scratch.folder('etc-docker'), name);
  const entering = [binary('unshare'), '-m', '--propagation', 'private', 'sh', '-c', ENTER, 'sh'];
  return {
    place: place.within([...entering, releaseFolder(release), scratch.path, etcDocker]),
    etcDocker,
  };
}

/** A place with the programs of another release. */
export interface ReleasePlace {
  readonly place: Place;
  /** What is `/etc/docker` in it. */
  readonly etcDocker: string;
}
