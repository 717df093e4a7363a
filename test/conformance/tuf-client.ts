/**
 * A TUF client that speaks the command-line protocol of the public suite theupdateframework/tuf-conformance, built on the code
 * that the proxy runs: `npm run --silent tuf-client -- --metadata-dir DIR --metadata-url URL refresh`.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '../../src/base/clock.ts';
import { Collection } from '../../src/metadata/collection.ts';
import type { MetadataSource } from '../../src/metadata/ports.ts';
import { TrustedMetadata } from '../../src/metadata/trusted-metadata.ts';
import { tuf10 } from '../../src/trust/dialect/tuf-1.0.ts';
import { TrustError } from '../../src/trust/errors.ts';
import type { Target } from '../../src/trust/model.ts';
import { findTarget, namedConvention } from '../../src/trust/target-search.ts';
import { MetadataServer } from '../../src/upstream/metadata-server.ts';
import { tufLocation } from '../../src/upstream/metadata-url.ts';
import { SILENT_EVENTS } from '../support/trust-bench.ts';
import { FolderState } from './tuf-folder-state.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'metadata-dir': { type: 'string' },
    'metadata-url': { type: 'string' },
    'target-name': { type: 'string', multiple: true },
    'target-base-url': { type: 'string' },
    'target-dir': { type: 'string' },
  },
});
type Option = Exclude<keyof typeof values, 'target-name'>;

function required(name: Option): string {
  return values[name] ?? fail(`--${name} is missing`);
}

function fail(message: string): never {
  throw new Error(message);
}

async function openCollection(): Promise<{
  readonly collection: Collection;
  readonly source: MetadataSource;
}> {
  const store = new FolderState(required('metadata-dir'));
  const stored = await store.load();
  if (stored === undefined) fail('there is no trusted root: run init first');
  const source = new MetadataServer({
    locate: tufLocation,
    url: required('metadata-url'),
    version: 'conformance',
    retry: { tries: 1, baseDelayMs: 1 },
  });
  const key = { source: 'conformance', gun: 'conformance' };
  const clock = systemClock;
  const metadata = new TrustedMetadata({
    key,
    rules: {
      dialect: tuf10,
      anchor: { kind: 'root-file', bytes: stored.record.root },
      weak: { rsaPkcs1v15: false, p224: false },
      clockSkewMs: 0,
      maxAgeMs: 3_600_000,
      outageGraceMs: 0,
    },
    source,
    store,
    clock,
    events: SILENT_EVENTS,
  });
  const convention = namedConvention({ prefix: '', suffix: '' });
  const collection = new Collection({ key, convention, metadata, clock });
  return { collection, source };
}

async function download(): Promise<void> {
  const { collection, source } = await openCollection();
  try {
    await collection.refreshNow();
    for (const name of values['target-name'] ?? []) {
      const { value } = await collection.draw(() => findTarget(name));
      await downloadTarget(name, value.target, collection);
    }
  } finally {
    await source.close();
  }
}

async function downloadTarget(name: string, target: Target, collection: Collection): Promise<void> {
  const folder = required('target-dir');
  await mkdir(folder, { recursive: true });
  const path = join(folder, encodeURIComponent(name));
  const known = await readFile(path).catch(() => undefined);
  if (known !== undefined && isTarget(known, target)) return;
  const isConsistent = collection.state?.root.body.consistentSnapshot ?? false;
  const response = await fetch(targetUrl(name, target, isConsistent), { redirect: 'error' });
  if (!response.ok) fail(`${name}: status ${response.status}`);
  const bytes = Buffer.from(await response.arrayBuffer());
  if (!isTarget(bytes, target)) fail(`${name} is not what was signed`);
  await writeFile(`${path}.new`, bytes);
  await rename(`${path}.new`, path);
}

/** @source TUF 1.0.34 §5.7.3 (#fetch-target): with consistent snapshots the file's own name starts with a hash */
function targetUrl(name: string, { sha256, sha512 }: Target, isConsistent: boolean): string {
  const parts = name.split('/').map(encodeURIComponent);
  const file = parts.pop() ?? '';
  const hash = sha256 ?? sha512 ?? fail(`${name} has no hash that can be checked`);
  const base = required('target-base-url').replace(/\/$/, '');
  return [base, ...parts, isConsistent ? `${hash}.${file}` : file].join('/');
}

function isTarget(bytes: Uint8Array, { length, sha256, sha512 }: Target): boolean {
  if (sha256 === undefined && sha512 === undefined) return false;
  return (
    bytes.length === length &&
    (sha256 === undefined || hashOf('sha256', bytes) === sha256) &&
    (sha512 === undefined || hashOf('sha512', bytes) === sha512)
  );
}

function hashOf(algorithm: string, bytes: Uint8Array): string {
  return createHash(algorithm).update(bytes).digest('hex');
}

async function run(command: string | undefined): Promise<void> {
  switch (command) {
    case 'init':
      await new FolderState(required('metadata-dir')).begin(
        await readFile(positionals[1] ?? fail('init needs the trusted root')),
      );
      return;
    case 'refresh': {
      const { collection, source } = await openCollection();
      await collection.refreshNow().finally(() => source.close());
      return;
    }
    case 'download':
      await download();
      return;
    default:
      fail('the command is one of init, refresh, download');
  }
}

try {
  await run(positionals[0]);
} catch (error) {
  const code = error instanceof TrustError ? `${error.code}: ` : '';
  process.stderr.write(`${code}${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
