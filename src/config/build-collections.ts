import type { ConfigBuilder } from './build.ts';
import { urlText } from './build.ts';
import type { OwnCollectionConfig, PlaceConfig } from './connection.ts';
import type { ConfigPath } from './path.ts';
import type { CollectionEntry, PlaceEntry } from './schema-collections.ts';

/** Puts together a collection whose entry has passed every check. */
export function buildCollection(
  name: string,
  entry: CollectionEntry,
  builder: ConfigBuilder,
): OwnCollectionConfig {
  const path = ['collections', name];
  const { passphraseFile } = entry;
  return {
    name,
    folder: builder.absolute(entry.dir),
    keyPaths: entry.keys.map((each) => builder.absolute(each)),
    ...(passphraseFile === undefined
      ? {}
      : { passphrase: builder.secretFile([...path, 'passphraseFile'], passphraseFile) }),
    places: entry.publish.map((each, index) =>
      buildPlace([...path, 'publish', index], each, builder),
    ),
  };
}

function buildPlace(path: ConfigPath, entry: PlaceEntry, builder: ConfigBuilder): PlaceConfig {
  const { url: location } = entry;
  if (location.kind !== 'server') return location;
  return {
    kind: 'server',
    url: urlText(location.url),
    ...builder.ca(path, entry.ca),
    ...builder.credentials(path, entry.credentials, location.url),
    proxy: builder.environmentProxy(),
  };
}
