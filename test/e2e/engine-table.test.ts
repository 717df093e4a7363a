import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Component } from './support/components.ts';
import {
  ASKED,
  type EngineOutcomes,
  maskVersions,
  type Outcome,
  renderTables,
  SETUPS,
  type SetupName,
  shownText,
} from './support/engine-table.ts';
import { enterRelease } from './support/releases.ts';
import type { Scratch } from './support/scratch.ts';
import type { Cell, Kind } from './support/stand-in-content.ts';
import { originAsked } from './support/stand-ins.ts';
import { LabSuite } from './support/suite.ts';
import {
  type EnginePlace,
  TableContainerd,
  TableContainers,
  TableDocker,
  type TableEngine,
  versionIn,
} from './support/table-engines.ts';
import { imageOf, TableLab } from './support/table-lab.ts';

/** An engine in one release, and how to start it. */
interface Row {
  readonly id: string;
  readonly release: 'bookworm' | 'trixie' | 'forky';
  readonly program: Component;
  readonly name: (version: string) => string;
  /** The arguments of `pinnace engines`. */
  readonly settings: readonly [engine: string, ...more: string[]];
  readonly start: (scratch: Scratch, at: EnginePlace) => Promise<TableEngine>;
}

const PAGE = join(dirname(fileURLToPath(import.meta.url)), '../../docs/engines.md');
const BEGIN = '<!-- What follows was written by test/e2e/engine-table.test.ts. -->';
const END = '<!-- End of what was written. -->';
const TABLE_TIMEOUT_MS = 380_000;
/** Engines at a time. */
const AT_ONCE = 3;

function docker(
  release: Row['release'],
  id: string,
  what: string,
  options: { readonly store?: 'classic' | 'containerd'; readonly build?: boolean } = {},
): Row {
  // Hosts files are read from 28.0 on, by the newest of the three alone.
  const readsHosts = options.store === 'containerd' && release === 'forky';
  return {
    ...{ id, release, program: 'dockerd' },
    name: (version) => `Docker Engine ${version}, ${what}`,
    settings: readsHosts ? ['docker', '--store', 'containerd'] : ['docker'],
    start: (scratch, at) => TableDocker.start(scratch, at, options),
  };
}

function containerd(release: Row['release'], id: string, kubernetes: boolean): Row {
  return {
    ...{ id, release, program: 'containerd' },
    name: (version) => `containerd ${version}, ${kubernetes ? 'CRI' : '`ctr`'}`,
    settings: ['containerd'],
    start: (scratch, at) => TableContainerd.start(scratch, at, kubernetes),
  };
}

function containers(release: Row['release'], tool: 'podman' | 'buildah' | 'skopeo'): Row {
  return {
    ...{ id: `${tool}-${release}`, release, program: tool },
    name: (version) => `${tool} ${version}`,
    settings: ['podman'],
    start: (scratch, at) => TableContainers.create(scratch, at, tool),
  };
}

const ROWS: readonly Row[] = [
  docker('bookworm', 'docker-bookworm', 'classic store'),
  docker('trixie', 'docker-trixie', 'classic store'),
  docker('forky', 'docker-forky', 'classic store'),
  docker('trixie', 'docker-trixie-containerd', 'containerd store', { store: 'containerd' }),
  docker('forky', 'docker-forky-containerd', 'containerd store', { store: 'containerd' }),
  docker('bookworm', 'buildkit-bookworm', 'BuildKit', { build: true }),
  docker('trixie', 'buildkit-trixie', 'BuildKit', { build: true }),
  docker('forky', 'buildkit-forky', 'BuildKit', { build: true }),
  containerd('bookworm', 'ctr-bookworm', false),
  containerd('bookworm', 'cri-bookworm', true),
  containerd('trixie', 'cri-trixie', true),
  containerd('forky', 'cri-forky', true),
  ...(['podman', 'buildah', 'skopeo'] as const).flatMap((tool) =>
    (['bookworm', 'trixie', 'forky'] as const).map((release) => containers(release, tool)),
  ),
];

function cellOf({ id }: Row, setup: SetupName, kind: Kind): Cell {
  const slug = kind.toLowerCase().replaceAll(' ', '-');
  return { kind, repository: `${setup}-${slug}/${id}` };
}

const CELLS = ROWS.flatMap((row) =>
  SETUPS.flatMap((setup) => ASKED[setup].map((kind) => cellOf(row, setup, kind))),
);

interface World {
  readonly scratch: Scratch;
  readonly lab: TableLab;
}

const NEEDED: readonly Component[] = [
  ...(['docker', 'dockerd', 'containerd', 'ctr', 'podman', 'buildah', 'skopeo'] as const),
  ...(['openssl', 'curl', 'unshare', 'nsenter', 'ip', 'trixie', 'forky'] as const),
];

const suite = new LabSuite<World>('engine-table', NEEDED, async (scratch) => ({
  scratch,
  lab: await TableLab.start(scratch, CELLS),
}));

/** One engine on its way through the setups; what it printed is kept by cell. */
class Walk {
  readonly row: Row;
  readonly printed = new Map<string, { readonly code: number; readonly shown: string }>();
  readonly #lab: TableLab;
  readonly #engine: TableEngine;
  readonly #version: string;

  private constructor(row: Row, lab: TableLab, running: { engine: TableEngine; version: string }) {
    this.row = row;
    this.#lab = lab;
    this.#engine = running.engine;
    this.#version = running.version;
  }

  static async begin(row: Row, { scratch, lab }: World): Promise<Walk> {
    const { place } = lab.namespace;
    const { release, id } = row;
    const at =
      release === 'bookworm'
        ? { place }
        : await enterRelease(scratch, place, { release, name: id });
    const engine = await row.start(scratch, at);
    return new Walk(row, lab, { engine, version: await versionIn(at, row.program) });
  }

  async setUp(setup: SetupName): Promise<void> {
    if (setup !== 'printed') {
      await this.#engine.setUp({ kind: 'mirror', url: this.#lab.url(setup) });
      return;
    }
    const settings = await this.#lab.printed(...this.row.settings);
    await this.#engine.setUp({ kind: 'printed', settings });
  }

  async pull(setup: SetupName, kind: Kind): Promise<void> {
    const cell = cellOf(this.row, setup, kind);
    const { code, output } = await this.#engine.pull(imageOf(cell));
    this.printed.set(cell.repository, { code, shown: shownText(output) });
  }

  async outcomes(): Promise<EngineOutcomes> {
    const seen = await this.#lab.standIns.seen();
    const names = await this.#engine.names();
    const bySetup = SETUPS.map((setup) => {
      const byKind = ASKED[setup].map((kind): [Kind, Outcome] => {
        const cell = cellOf(this.row, setup, kind);
        const { code = 1, shown = '' } = this.printed.get(cell.repository) ?? {};
        // Some engines keep an image although they say that the pull failed; that would be worse than any text.
        if (code !== 0) assert.ok(!names.includes(cell.repository), `${cell.repository} landed`);
        return [kind, { isPulled: code === 0, origin: originAsked(cell, seen), shown }];
      });
      return [setup, new Map(byKind)] as const;
    });
    return { name: this.row.name(this.#version), outcomes: new Map(bySetup) };
  }
}

/** Does something for every item, a few at a time. */
async function each<Item>(
  items: readonly Item[],
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const waiting = items.values();
  const worker = async (): Promise<void> => {
    for (const item of waiting) await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

async function walkAll(world: World): Promise<readonly EngineOutcomes[]> {
  const walks = new Map<Row, Walk>();
  await each(ROWS, async (row) => {
    const walk = await Walk.begin(row, world);
    walks.set(row, walk);
    for (const setup of SETUPS) {
      await walk.setUp(setup);
      for (const kind of ASKED[setup]) if (kind !== 'Pinnace away') await walk.pull(setup, kind);
    }
  });
  await world.lab.pinnace.stop();
  await each([...walks.values()], async (walk) => {
    await walk.pull('printed', 'Pinnace away');
    await walk.setUp('complete');
    await walk.pull('complete', 'Pinnace away');
  });
  const outcomes: EngineOutcomes[] = [];
  for (const row of ROWS) {
    const walk = walks.get(row);
    if (walk !== undefined) outcomes.push(await walk.outcomes());
  }
  return outcomes;
}

suite.test(
  'every engine, every kind of refusal, every setup: what is promised holds, and docs/engines.md says what is seen',
  [],
  async (world, told) => {
    const engines = await walkAll(world);
    const written = renderTables(engines);
    told.diagnostic(`${CELLS.length} pulls by ${engines.length} engines`);
    const page = await readFile(PAGE, 'utf8');
    const [before = '', rest = ''] = page.split(BEGIN);
    const [committed = '', after = ''] = rest.split(END);
    if (process.env['PINNACE_WRITE_DOCS'] === '1') {
      await writeFile(PAGE, `${before}${BEGIN}\n\n${written}\n\n${END}${after}`);
    }
    for (const { name, outcomes } of engines) {
      for (const setup of ['complete', 'printed'] as const) {
        for (const [kind, { isPulled, origin, shown }] of outcomes.get(setup) ?? []) {
          const isOpen = setup === 'complete' && OPEN_FOR_MIRRORS.has(kind);
          if (isOpen) continue;
          const where = `${name}, ${setup}, ${kind}: ${shown}`;
          assert.equal(isPulled, kind === 'signed', where);
          assert.notEqual(origin, 'served', where);
        }
      }
    }
    if (process.env['PINNACE_WRITE_DOCS'] === '1') return;
    assert.equal(
      maskVersions(committed.trim()),
      maskVersions(written),
      'docs/engines.md is not what this run saw: PINNACE_WRITE_DOCS=1 writes it',
    );
  },
  { timeoutMs: TABLE_TIMEOUT_MS },
);

/** What no mirror can stop; the documents say so. */
const OPEN_FOR_MIRRORS: ReadonlySet<Kind> = new Set(['by digest', 'Pinnace away']);
