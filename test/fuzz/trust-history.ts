import assert from 'node:assert/strict';
import fc from 'fast-check';
import { TrustServerError } from '../../src/metadata/errors.ts';
import { TrustError } from '../../src/trust/errors.ts';
import type { NotaryRepository } from '../support/notary-repository.ts';
import { NotaryRepository as Publisher } from '../support/notary-repository.ts';
import type { RoleEdit } from '../support/publication.ts';
import { TrustBench } from '../support/trust-bench.ts';

type Files = ReadonlyMap<string, Uint8Array>;

/** One thing that happens to a collection. */
type Move =
  | { readonly kind: 'publish' }
  | {
      readonly kind: 'rotate';
      readonly role: 'root' | 'timestamp' | 'snapshot' | 'targets' | typeof RELEASES;
    }
  | { readonly kind: 'replay'; readonly state: number }
  | { readonly kind: 'mix'; readonly state: number; readonly role: string }
  | { readonly kind: 'resign'; readonly role: string; readonly back: number }
  | { readonly kind: 'flip'; readonly file: number; readonly bit: number }
  | { readonly kind: 'drop'; readonly file: number }
  | { readonly kind: 'down'; readonly what: RegExp }
  | { readonly kind: 'repair' }
  | { readonly kind: 'restart' }
  | { readonly kind: 'pass'; readonly hours: number }
  | { readonly kind: 'backward'; readonly hours: number };

const RELEASES = 'targets/releases';
const TAG = 'v1';
const GUN = 'registry.example.test/app';
const HOUR_MS = 3_600_000;
const ROLES = ['timestamp', 'snapshot', 'targets', RELEASES] as const;

const move: fc.Arbitrary<Move> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Move>({ kind: 'publish' }) },
  fc.record({
    kind: fc.constant('rotate'),
    role: fc.constantFrom('root', 'timestamp', 'snapshot', 'targets', RELEASES),
  }),
  fc.record({ kind: fc.constant('replay'), state: fc.nat(20) }),
  fc.record({ kind: fc.constant('mix'), state: fc.nat(20), role: fc.constantFrom(...ROLES) }),
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('resign'),
      role: fc.constantFrom('snapshot', 'targets', RELEASES, RELEASES),
      back: fc.nat(3),
    }),
  },
  fc.record({ kind: fc.constant('flip'), file: fc.nat(50), bit: fc.nat(20_000) }),
  fc.record({ kind: fc.constant('drop'), file: fc.nat(50) }),
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('down'),
      what: fc.constantFrom(/./, /timestamp|root/, /snapshot/, /releases/),
    }),
  },
  { weight: 2, arbitrary: fc.constant<Move>({ kind: 'repair' }) },
  { weight: 3, arbitrary: fc.constant<Move>({ kind: 'restart' }) },
  fc.record({ kind: fc.constant('pass'), hours: fc.oneof(fc.nat(3), fc.nat(20 * 24)) }),
  fc.record({ kind: fc.constant('backward'), hours: fc.nat(30 * 24) }),
);

/** A publisher, a server that may be hostile, and a verifier; and what the publisher knows to be true. */
class History {
  readonly #repository: NotaryRepository = new Publisher({ gun: GUN });
  readonly #bench: TrustBench;
  /** What the server served after each publication. */
  readonly #states: Files[] = [];
  /** For each version of releases, the number of the publication that signed it. */
  readonly #releases: Uint8Array[] = [];
  #served: Files = new Map();
  #published = 0;
  /** The newest publication that the verifier has given out. */
  #accepted = 0;

  constructor(maxAgeMs: number, outageGraceMs: number) {
    this.#bench = new TrustBench({ gun: GUN, rules: { maxAgeMs, outageGraceMs } });
    this.#repository.addDelegation(RELEASES);
    this.#publish();
  }

  async play(next: Move): Promise<void> {
    this.#do(next);
    await this.#pull();
  }

  async #pull(): Promise<void> {
    const { collection, clock } = this.#bench;
    let pinned: { readonly sha256: string; readonly freshUntil: number };
    try {
      pinned = (await collection.pin(TAG, [])).value;
    } catch (error) {
      assert.ok(error instanceof TrustError || error instanceof TrustServerError, String(error));
      return;
    }
    const publication = Number.parseInt(pinned.sha256, 16);
    assert.ok(publication >= 1 && publication <= this.#published, 'never signed');
    assert.ok(publication >= this.#accepted, `went back from ${this.#accepted} to ${publication}`);
    assert.ok(pinned.freshUntil > clock.now(), 'past a signed expiry');
    this.#accepted = publication;
  }

  #do(next: Move): void {
    const { clock, source } = this.#bench;
    switch (next.kind) {
      case 'publish':
        this.#publish();
        break;
      case 'rotate':
        if (next.role === 'root') this.#repository.rotateRoot();
        else this.#repository.rotateKey(next.role);
        this.#publish();
        break;
      case 'replay':
        this.#serve(this.#stateAt(next.state));
        break;
      case 'mix':
        this.#serve(new Map([...this.#served, ...filesOf(this.#stateAt(next.state), next.role)]));
        break;
      case 'resign':
        this.#resign(next.role, next.back);
        break;
      case 'flip':
        this.#change(next.file, (bytes) => flip(bytes, next.bit));
        break;
      case 'drop':
        this.#change(next.file, () => undefined);
        break;
      case 'down':
        source.inject(next.what, 'trust_server_unreachable');
        break;
      case 'repair':
        source.clearFaults();
        this.#publish();
        break;
      case 'restart':
        this.#bench.restart();
        break;
      case 'pass':
        clock.advance(next.hours * HOUR_MS);
        break;
      case 'backward':
        clock.setWallTime(new Date(clock.now() - next.hours * HOUR_MS));
        break;
    }
  }

  #publish(edits: ReadonlyMap<string, RoleEdit> = new Map()): void {
    this.#repository.now = new Date(this.#bench.clock.now());
    if (edits.size === 0) {
      this.#published += 1;
      const sha256 = this.#published.toString(16).padStart(64, '0');
      this.#repository.sign(TAG, { sha256, length: 9 }, RELEASES);
    }
    this.#states.push(this.#repository.publish(edits));
    if (edits.size === 0) this.#releases.push(this.#repository.bytes(RELEASES));
    this.#serve(this.#states.at(-1) ?? new Map());
  }

  /** A compromised server that holds the keys of snapshot and timestamp names an older file in a new snapshot. */
  #resign(role: string, back: number): void {
    const states = this.#states;
    const state = states[Math.max(0, states.length - 1 - back)];
    const old = state?.get(`${role}.json`);
    if (old === undefined) return;
    this.#publish(new Map([[role, { bytes: () => Buffer.from(old) }]]));
    // The publisher itself goes on from its own newest file.
    states.pop();
  }

  #change(file: number, change: (bytes: Uint8Array) => Uint8Array | undefined): void {
    const names = [...this.#served.keys()];
    const name = names[file % names.length] ?? '';
    const files = new Map(this.#served);
    const changed = change(files.get(name) ?? Buffer.of());
    if (changed === undefined) files.delete(name);
    else files.set(name, changed);
    this.#serve(files);
  }

  #serve(files: Files): void {
    this.#served = files;
    this.#bench.serve(files);
  }

  #stateAt(index: number): Files {
    return this.#states[index % this.#states.length] ?? new Map();
  }
}

/**
 * No sequence of publications, rotations, replays, mixtures, damages, outages, restarts and clock moves yields a pin that the
 * publisher did not sign, that is older than one given out before, or that is past a signed expiry.
 */
export async function checkHistories(numRuns: number): Promise<void> {
  const rules = fc.record({
    maxAgeMs: fc.constantFrom(0, HOUR_MS),
    outageGraceMs: fc.constantFrom(0, 1000 * HOUR_MS),
  });
  const property = fc.asyncProperty(
    rules,
    fc.array(move, { minLength: 1, maxLength: 25 }),
    async ({ maxAgeMs, outageGraceMs }, moves) => {
      const history = new History(maxAgeMs, outageGraceMs);
      for (const next of moves) await history.play(next);
    },
  );
  await fc.assert(property, { numRuns });
}

function filesOf(files: Files, role: string): Map<string, Uint8Array> {
  return new Map([...files].filter(([name]) => name === `${role}.json`));
}

function flip(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = Buffer.from(bytes);
  const at = bit % Math.max(1, copy.length * 8);
  copy[at >> 3] = (copy[at >> 3] ?? 0) ^ (1 << (at & 7));
  return copy;
}
