import type { Engine, EngineSettings, SettingsRequest } from './settings.ts';
import { certificateStep } from './settings.ts';

const DROP_IN = '/etc/containers/registries.conf.d/999-pinnace.conf';

/** Registries in wide use; those that Pinnace does not stand for are blocked. */
const WELL_KNOWN = [
  'docker.io',
  'gcr.io',
  'ghcr.io',
  'lscr.io',
  'mcr.microsoft.com',
  'nvcr.io',
  'public.ecr.aws',
  'quay.io',
  'registry.access.redhat.com',
  'registry.fedoraproject.org',
  'registry.gitlab.com',
  'registry.k8s.io',
  'registry.redhat.io',
] as const;

/** Settings of everything that is built on containers/image: podman, buildah, skopeo, CRI-O. */
export function containersSettings(request: SettingsRequest, engine: Engine): EngineSettings {
  const blocked = WELL_KNOWN.filter((host) => !request.upstreams.includes(host));
  const text = [
    '# The names of these registries are fetched from Pinnace; the registries themselves do not occur any more.',
    `unqualified-search-registries = [${request.upstreams.includes('docker.io') ? '"docker.io"' : ''}]`,
    ...request.upstreams.flatMap((host) => rewritten(host, request)),
    ...(blocked.length === 0
      ? []
      : ['', '# Pinnace does not stand for these: nothing is pulled from them.']),
    ...blocked.flatMap((host) => ['', '[[registry]]', `location = "${host}"`, 'blocked = true']),
    '',
  ].join('\n');
  return {
    files: [{ path: DROP_IN, text }],
    additions: [],
    steps: [
      ...certificateStep(request, '/etc/containers/certs.d'),
      ...(engine === 'crio'
        ? [
            'Have CRI-O read it: systemctl reload crio. CRI-O itself has not been measured, only podman, buildah and skopeo, which read these files by the same code.',
          ]
        : [
            'It holds for podman, buildah and skopeo, rootless too, from the next pull on. A user with a registries.conf in ~/.config/containers does not get it.',
          ]),
    ],
    leavesOpen: [
      'A registry that is not in the file is asked directly. Add a table with blocked = true for each you know of.',
      'Only the table with the longest matching prefix counts: look in registries.conf and registries.conf.d for more specific ones.',
      'Users can choose another file: CONTAINERS_REGISTRIES_CONF, --registries-conf.',
      'skopeo inspect and skopeo list-tags list the tags at the registry itself; use --no-tags, or name the image by Pinnace.',
      ...(request.refusal === 'hard-stop'
        ? [
            'This listener has refusal: hard-stop, which podman before 5 prints as 403 (Forbidden) alone. Use a listener with refusal: deny: these settings leave no second place to ask, and the sentence is printed.',
          ]
        : []),
    ],
  };
}

function rewritten(host: string, { address }: SettingsRequest): readonly string[] {
  return [
    '',
    '[[registry]]',
    `prefix = "${host}"`,
    `location = "${address.host}/${host}"`,
    ...(address.protocol === 'http:' ? ['insecure = true'] : []),
  ];
}
