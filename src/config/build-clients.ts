import type { ConfigBuilder } from './build.ts';
import type { ClientsConfig } from './clients-config.ts';
import { parseHtpasswd } from './htpasswd.ts';
import type { ClientsEntry } from './schema-clients.ts';

/** Puts together an entry of `clients` that has passed every check. */
export function buildClients(
  name: string,
  entry: ClientsEntry,
  builder: ConfigBuilder,
): ClientsConfig {
  const path = ['clients', name];
  if (entry.kind === 'mtls') {
    const clientCa = builder.fileText([...path, 'clientCa']);
    return { kind: 'mtls', name, clientCa, nameFrom: entry.nameFrom };
  }
  // A file that was not read, or is not good, has been said elsewhere.
  const users = parseHtpasswd(builder.fileText([...path, 'htpasswd']));
  return { kind: 'basic', name, users: users.ok ? users.value : new Map<string, string>() };
}
