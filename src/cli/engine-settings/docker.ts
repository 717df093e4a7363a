import { hostsCertificateStep, hostsFile, readabilityWords } from './hosts-file.ts';
import { certificateStep, type EngineSettings, type SettingsRequest } from './settings.ts';

const HUB = 'docker.io';
/** A port that nothing answers on: whatever is sent there fails at once. */
const NOWHERE = 'http://127.0.0.1:1';

/** Settings of Docker Engine, by its image store. */
export function dockerSettings(request: SettingsRequest): EngineSettings {
  return request.store === 'containerd' ? hostsSettings(request) : mirrorSettings(request);
}

/** For every Docker Engine, with either store: Pinnace is the mirror of Docker Hub, and nothing else can be reached. */
function mirrorSettings(request: SettingsRequest): EngineSettings {
  const { address, upstreams } = request;
  const others = upstreams.filter((host) => host !== HUB);
  const example = `${address.host}/${others[0] ?? 'registry.example.com'}/NAME:TAG`;
  return {
    files: [
      {
        path: '/etc/docker/daemon.json',
        text: `${JSON.stringify({ 'registry-mirrors': [address.origin] }, undefined, 2)}\n`,
      },
      onlyPinnace(request),
    ],
    additions: [],
    steps: [
      'If there is a daemon.json already, add registry-mirrors to it instead.',
      ...certificateStep(request, '/etc/docker/certs.d'),
      'Restart the engine: systemctl daemon-reload && systemctl restart docker.',
      'With the classic store, check: docker info lists the mirror. docker info | grep io.containerd.snapshotter.v1 finds something where images are kept by containerd; from Docker 28 on use --store containerd there.',
    ],
    leavesOpen: [
      ...refusalWords(request),
      `Mirrors are for Docker Hub only. With the drop-in, images of other registries cannot be pulled by their own names any more: write ${example}.`,
      'What the drop-in closes, it closes with the words of the missing proxy: a refused digest, and any pull while Pinnace is down, print "proxyconnect tcp"; the reason is in the log of Pinnace.',
      'The drop-in is for the engine. docker manifest inspect, docker login and plugins of the client run as the person who types, and go to the registry themselves.',
      'Without the drop-in a refused digest is taken from Docker Hub, every pull while Pinnace is down is, and an image with an altered layer is unless the listener has completeFirst. "proxies" in daemon.json (from Docker 23.0 on) wins over the drop-in.',
      'Docker Engine older than 20.10.22 goes round the hard stop, too.',
    ],
  };
}

/** For Docker 28 and newer with containerd's store: Pinnace in the place of every registry. */
function hostsSettings(request: SettingsRequest): EngineSettings {
  return {
    files: [
      ...[...request.upstreams, '_default'].map((host) =>
        hostsFile(`/etc/docker/certs.d/${host}/hosts.toml`, request),
      ),
    ],
    additions: [],
    steps: [
      'Check first: docker info | grep io.containerd.snapshotter.v1 has to find something, and the engine has to be 28.0 or newer. Anything else reads no such files, and pulls go to the registries.',
      'Take registry-mirrors out of daemon.json: the engine would ask those first. Then restart it.',
      ...hostsCertificateStep(request),
      'Changes of the files need no restart. Pull something unsigned after each: a file with a mistake in it is dropped without a word.',
    ],
    leavesOpen: [
      'A folder of a registry that is not in the list above wins over _default: look for leftovers in /etc/docker/certs.d.',
      'A change of the store, as by reinstalling the engine with old data, makes it forget these files: the classic store asks the registries.',
      'docker manifest inspect and plugins of the client go to the registry themselves.',
      ...readabilityWords(request),
    ],
  };
}

function onlyPinnace({ address }: SettingsRequest): EngineSettings['files'][number] {
  return {
    path: '/etc/systemd/system/docker.service.d/only-pinnace.conf',
    text: [
      '# Whatever is not for Pinnace goes to a proxy that does not exist: the engine has no second place to ask.',
      '[Service]',
      `Environment=HTTP_PROXY=${NOWHERE}`,
      `Environment=HTTPS_PROXY=${NOWHERE}`,
      `Environment=NO_PROXY=${address.hostname.replace(/^\[|\]$/g, '')}`,
      '',
    ].join('\n'),
  };
}

function refusalWords({ refusal, defaultRegistry }: SettingsRequest): readonly string[] {
  const words: string[] = [];
  if (refusal === 'deny') {
    words.push(
      'This listener has refusal: deny. The engine takes that as "ask Docker Hub", and the drop-in is all that keeps it from there: the sentence of a refusal is not printed. Use a listener with refusal: hard-stop.',
    );
  }
  if (defaultRegistry !== HUB) {
    words.push(
      `This listener does not have defaultRegistry: ${HUB}. The engine with its classic store does not say which registry it means, so it is refused everything.`,
    );
  }
  return words;
}
