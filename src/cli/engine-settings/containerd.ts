import { hostsCertificateStep, hostsFile, readabilityWords } from './hosts-file.ts';
import type { EngineSettings, SettingsRequest } from './settings.ts';

const HOSTS_FOLDER = '/etc/containerd/certs.d';

/** Settings of containerd, for Kubernetes' pulls and for those of `ctr` and `nerdctl`. */
export function containerdSettings(request: SettingsRequest): EngineSettings {
  return {
    files: [...request.upstreams, '_default'].map((host) =>
      hostsFile(`${HOSTS_FOLDER}/${host}/hosts.toml`, request),
    ),
    additions: [
      {
        path: '/etc/containerd/config.toml',
        text: [
          'version = 2',
          '',
          '[plugins."io.containerd.grpc.v1.cri".registry]',
          `  config_path = "${HOSTS_FOLDER}"`,
          '',
        ].join('\n'),
      },
    ],
    steps: [
      `See to it that config.toml names the folder (the lines above; in a file with version = 3 the table is [plugins.'io.containerd.cri.v1.images'.registry]) and has no registry.mirrors, then restart containerd once.`,
      ...hostsCertificateStep(request),
      'Changes of the hosts files need no restart. Pull something unsigned after each: a file with a mistake in it is dropped without a word, and pulls go to the registry.',
    ],
    leavesOpen: [
      `A folder of a registry that is not in the list above wins over _default: look for leftovers in ${HOSTS_FOLDER}.`,
      `ctr and nerdctl read these files only with --hosts-dir ${HOSTS_FOLDER}; without it they go to the registry.`,
      'Layers that a manifest says may be had elsewhere (urls) are fetched there first.',
      ...readabilityWords(request),
    ],
  };
}
