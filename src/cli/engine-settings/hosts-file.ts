import type { SettingsFile, SettingsRequest } from './settings.ts';

/**
 * A `hosts.toml` that leaves the engine one place to ask.
 *
 * @source containerd docs/hosts.md
 */
export function hostsFile(path: string, { address }: SettingsRequest): SettingsFile {
  return {
    path,
    text: [
      '# Pinnace and nobody else. containerd 1.x drops a file without the empty table, and asks the registry.',
      `server = "${address.origin}"`,
      '',
      '[host]',
      '',
    ].join('\n'),
  };
}

/** How an engine that reads hosts files comes to know Pinnace's certificate. */
export function hostsCertificateStep({ address }: SettingsRequest): readonly string[] {
  if (address.protocol === 'http:') return [];
  return [
    `If Pinnace's certificate is of a CA of your own, add ca = "/path/to/ca.crt" above [host] in each file.`,
  ];
}

/** What a person reads of a refusal there. */
export function readabilityWords({ refusal }: SettingsRequest): readonly string[] {
  return refusal === 'hard-stop'
    ? []
    : [
        'This listener has refusal: deny. The engine asks for a tag with HEAD, whose answer has no body, and before containerd 2.3.4 it prints 403 Forbidden alone: the reason is in the log of Pinnace and on its status page. A listener with refusal: hard-stop has it printed.',
      ];
}
