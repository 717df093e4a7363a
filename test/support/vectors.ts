import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { caAnchor, type RootAnchor } from '../../src/trust/anchor.ts';
import { sha256Hex } from '../../src/trust/verified-file.ts';

/** One expectation of a recorded case. */
export interface VectorExpectation {
  readonly tag: string;
  readonly verdict: string;
  readonly digest?: string;
  readonly role?: string;
  readonly signers?: readonly string[];
}

/** One step of a recorded case: what the server serves, when, and what must come of it. */
export interface VectorStep {
  readonly serve: string;
  readonly at: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly expect: readonly VectorExpectation[];
}

/** One recorded case. */
export interface VectorCase {
  readonly name: string;
  readonly gun: string;
  readonly anchor: RootAnchor;
  readonly rootKeyIds: readonly string[];
  readonly steps: readonly VectorStep[];
}

interface RawPin {
  readonly Certs?: Record<string, readonly string[]>;
  readonly CA?: Record<string, string>;
  readonly DisableTOFU?: boolean;
}
interface RawStep {
  readonly serve: string;
  readonly at?: string;
  readonly expect: readonly VectorExpectation[];
  readonly files?: Record<string, string>;
  readonly wrong_content_for_checksum_name?: Record<string, string>;
}
interface RawCase {
  readonly name: string;
  readonly gun: string;
  readonly at?: string;
  readonly pin?: RawPin;
  readonly root_key_ids?: readonly string[];
  readonly steps: readonly RawStep[];
}

const FIXTURES = fileURLToPath(new URL('../fixtures/notary-v1/', import.meta.url));

/** Reads a JSON file of the recorded vectors; the caller knows its shape from the vectors' README. */
export function readVectorJson<Shape>(path: string): Shape {
  return JSON.parse(readFileSync(join(FIXTURES, path), 'utf8')) as Shape;
}

/** The cases made with the public tools. */
export function toolMadeCases(): readonly VectorCase[] {
  return readdirSync(FIXTURES)
    .filter((name) => statSync(join(FIXTURES, name)).isDirectory())
    .flatMap((name) => {
      const folder = join(FIXTURES, name);
      if (!readdirSync(folder).includes('case.json')) return [];
      const raw = readVectorJson<RawCase>(`${name}/case.json`);
      return [toCase(raw, (step) => folderFiles(join(folder, step.serve)), folder)];
    });
}

/** The cases signed by hand. */
export function handSignedCases(): readonly VectorCase[] {
  const blobs = new Map(
    Object.entries(readVectorJson<Record<string, string>>('hand-signed/blobs.json')),
  );
  const bytesOf = (hash: string): Uint8Array => Buffer.from(blobs.get(hash) ?? '', 'utf8');
  return readVectorJson<readonly RawCase[]>('hand-signed/cases.json').map((raw) => {
    const byServe = new Map(raw.steps.map((step) => [step.serve, step]));
    return toCase(raw, (step) => {
      const source = step.files === undefined ? byServe.get(step.serve) : step;
      const files = new Map(
        Object.entries(source?.files ?? {}).map(([name, hash]) => [name, bytesOf(hash)]),
      );
      const published = withChecksumNames(files);
      for (const [file, hash] of Object.entries(source?.wrong_content_for_checksum_name ?? {})) {
        for (const name of namedByParents(files, file.replace(/\.json$/, '')))
          published.set(name, bytesOf(hash));
      }
      return published;
    });
  });
}

function toCase(
  raw: RawCase,
  filesOf: (step: RawStep) => ReadonlyMap<string, Uint8Array>,
  folder = '',
): VectorCase {
  return {
    name: raw.name,
    gun: raw.gun,
    anchor: toAnchor(raw.gun, raw.pin, folder),
    rootKeyIds: raw.root_key_ids ?? [],
    steps: raw.steps.map((step) => ({
      serve: step.serve,
      at: step.at ?? raw.at ?? '2026-11-23T00:00:00Z',
      files: filesOf(step),
      expect: step.expect,
    })),
  };
}

/** The pin that the stock client's configuration would choose for the GUN, as one of our anchors. */
function toAnchor(gun: string, pin: RawPin | undefined, folder: string): RootAnchor {
  const certs = Object.entries(pin?.Certs ?? {})
    .filter(([key]) => (key.endsWith('*') ? gun.startsWith(key.slice(0, -1)) : key === gun))
    .sort(([a], [b]) => Number(a.endsWith('*')) - Number(b.endsWith('*')) || b.length - a.length);
  const ids = certs[0]?.[1];
  if (ids !== undefined) {
    return { kind: 'keys', certificateKeyIds: new Set(ids), publicKeyIds: new Set() };
  }
  const ca = Object.entries(pin?.CA ?? {}).find(([prefix]) => gun.startsWith(prefix))?.[1];
  if (ca !== undefined) {
    return caAnchor(ca.startsWith('-----') ? Buffer.from(ca) : readFileSync(join(folder, ca)));
  }
  return pin?.DisableTOFU === true ? { kind: 'none' } : { kind: 'first-use' };
}

/** The files of a state folder by the names under which a server serves them. */
export function folderFiles(folder: string): ReadonlyMap<string, Uint8Array> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const files = new Map(
    names
      .filter((name) => name.endsWith('.json'))
      .map((name) => [name, readFileSync(join(folder, name))] as const),
  );
  return withChecksumNames(files);
}

function withChecksumNames(files: ReadonlyMap<string, Uint8Array>): Map<string, Uint8Array> {
  const published = new Map(files);
  for (const [name, bytes] of files) {
    if (/^\d+\.root\.json$/.test(name)) continue;
    published.set(name.replace(/json$/, `${sha256Hex(bytes)}.json`), bytes);
  }
  return published;
}

/** Every checksum name under which some file of the state refers to `role`. */
function namedByParents(files: ReadonlyMap<string, Uint8Array>, role: string): readonly string[] {
  const names: string[] = [];
  for (const parent of ['timestamp.json', 'snapshot.json']) {
    const bytes = files.get(parent);
    if (bytes === undefined) continue;
    const { signed } = JSON.parse(Buffer.from(bytes).toString('utf8')) as {
      signed: { meta?: Record<string, { hashes: { sha256: string } }> };
    };
    const hash = signed.meta?.[role]?.hashes.sha256;
    if (hash !== undefined)
      names.push(`${role}.${Buffer.from(hash, 'base64').toString('hex')}.json`);
  }
  return names;
}
