/**
 * The origin and the registry behind Pinnace, for the table of engines: started in the lab's namespace as a process of its
 * own, with its options as JSON on the command line. The origin has another image under every tag. Both remember what they
 * were asked and tell it on the control port.
 */
import { readFileSync } from 'node:fs';
import { LoopbackServer } from '../../support/loopback-server.ts';
import { Registry } from '../../support/registry.ts';
import {
  type Cell,
  foreignImage,
  type Seen,
  type StandInOptions,
  signedImage,
} from './stand-in-content.ts';

/** The name of the one tag of every repository. */
const TAG = '1';

function fillUpstream(upstream: Registry, cell: Cell): void {
  const image = signedImage(cell);
  upstream.push(cell.repository, image, TAG);
  const [layer] = image.layers;
  if (layer === undefined) throw new Error('an image without a layer');
  if (cell.kind === 'missing layer') upstream.remove(cell.repository, layer.digest);
  if (cell.kind !== 'altered layer') return;
  const bytes = Buffer.from(layer.bytes);
  const at = bytes.length >> 1;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  upstream.putBlob(cell.repository, { ...layer, bytes });
}

async function main(options: StandInOptions): Promise<void> {
  const origin = new Registry({
    host: options.originHost,
    port: 443,
    tls: {
      certPem: readFileSync(options.certificateFile, 'utf8'),
      keyPem: readFileSync(options.keyFile, 'utf8'),
    },
  });
  const upstream = new Registry({ port: options.upstreamPort });
  for (const cell of options.cells) {
    fillUpstream(upstream, cell);
    origin.push(cell.repository, foreignImage(cell), TAG);
  }
  const control = new LoopbackServer(
    () => {
      const seen = [
        ...origin.requests.map(({ method, path }): Seen => ({ server: 'origin', method, path })),
        ...upstream.requests.map(
          ({ method, path }): Seen => ({ server: 'upstream', method, path }),
        ),
      ];
      return { status: 200, body: Buffer.from(JSON.stringify(seen)) };
    },
    { port: options.controlPort },
  );
  await origin.start();
  await upstream.start();
  await control.start();
}

const parsed: StandInOptions = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'));
await main(parsed);
