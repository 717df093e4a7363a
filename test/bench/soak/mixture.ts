import type { Agent } from 'node:http';
import { type Answered, type Asking, askOver } from '../ask.ts';
import { MANIFEST_ACCEPT } from '../engine.ts';
import { digestOf } from '../site.ts';
import type { SoakKind } from './result.ts';
import type { Signed, SoakWorld } from './world.ts';

/** How one request of the mixture ended; `excused` is a refusal that an interrupted upstream explains. */
export type Ending = 'right' | 'excused' | 'nothing-to-ask';

/** An answer that must not be. */
export class WrongAnswer extends Error {}

/** Shares of the mixture, in thousandths. */
export const SHARES: Readonly<Record<SoakKind, number>> = {
  'tag-get': 330,
  'tag-head': 270,
  manifest: 150,
  'not-modified': 60,
  'blob-4-kib': 90,
  range: 45,
  refused: 25,
  'moved-tag': 11,
  'hang-up': 8,
  'blob-8-mib': 7,
  'slow-client': 2,
  'cold-image': 2,
};

const REFUSED = [
  { path: 'soak/unsigned/manifests/other', reason: 'tag_not_signed' },
  { path: 'soak/expired/manifests/1.0', reason: 'timestamp_expired' },
] as const;
const MIB = 1024 ** 2;
const ACCEPT = { accept: MANIFEST_ACCEPT };

/** Asks Pinnace as engines do, and holds every answer to what was published. */
export class Mixture {
  readonly #world: SoakWorld;
  readonly #agent: Agent;
  readonly #url: string;
  readonly #asks: Readonly<Record<SoakKind, () => Promise<Ending>>> = {
    'tag-get': () => this.#tag('GET'),
    'tag-head': () => this.#tag('HEAD'),
    manifest: () => this.#manifest(),
    'not-modified': () => this.#notModified(),
    'blob-4-kib': () => this.#blob(one(this.#world.small)),
    'blob-8-mib': () => this.#blob(one(this.#world.large)),
    range: () => this.#range(),
    refused: () => this.#refused(),
    'moved-tag': () => this.#movedTag(),
    'cold-image': () => this.#coldImage(),
    'slow-client': () => this.#blob(one(this.#world.large), { pauseMs: 50 }),
    'hang-up': () => this.#hangUp(),
  };

  constructor(options: { readonly world: SoakWorld; readonly agent: Agent; readonly url: string }) {
    this.#world = options.world;
    this.#agent = options.agent;
    this.#url = options.url;
  }

  /** Makes one request of a kind. @throws {WrongAnswer} for an answer that must not be */
  async ask(kind: SoakKind): Promise<Ending> {
    return await this.#asks[kind]();
  }

  async #tag(method: 'GET' | 'HEAD'): Promise<Ending> {
    const { repository, tag, image } = one(this.#world.small);
    const answer = await this.#get(`${repository}/manifests/${tag}`, { method, headers: ACCEPT });
    const got = method === 'GET' ? answer.digest : answer.header('docker-content-digest');
    return requireContent(answer, got, [image.manifest.digest]);
  }

  async #manifest(): Promise<Ending> {
    const { repository, image } = one(this.#world.small);
    const { digest } = image.manifest;
    const answer = await this.#get(`${repository}/manifests/${digest}`, { headers: ACCEPT });
    return requireContent(answer, answer.digest, [digest]);
  }

  async #notModified(): Promise<Ending> {
    const { repository, tag, image } = one(this.#world.small);
    const headers = { ...ACCEPT, 'if-none-match': `"${image.manifest.digest}"` };
    const answer = await this.#get(`${repository}/manifests/${tag}`, { headers });
    if (answer.status === 304 && answer.bytes === 0) return 'right';
    throw new WrongAnswer(`304 was due, but ${told(answer)}`);
  }

  async #blob({ repository, image }: Signed, reading: Partial<Asking> = {}): Promise<Ending> {
    const digest = image.layers[0]?.digest ?? '';
    const answer = await this.#get(`${repository}/blobs/${digest}`, reading);
    // The cache is too small for everything, and now and then what it has let go of is wanted while the registry is down.
    const reason = answer.header('x-pinnace-reason');
    if (this.#world.isTroubled && reason === 'upstream_unreachable') return 'excused';
    return requireContent(answer, answer.digest, [digest]);
  }

  async #range(): Promise<Ending> {
    const { repository, image } = one(this.#world.large);
    const { digest = '', bytes = Buffer.alloc(0) } = image.layers[0] ?? {};
    const first = Math.floor(Math.random() * 7 * MIB);
    const last = first + 65_535;
    const headers = { range: `bytes=${first}-${last}` };
    const answer = await this.#get(`${repository}/blobs/${digest}`, { headers });
    const part = digestOf(bytes.subarray(first, last + 1));
    if (answer.status === 206 && answer.isComplete && answer.digest === part) return 'right';
    throw new WrongAnswer(`bytes ${first} to ${last} were due, but ${told(answer)}`);
  }

  async #refused(): Promise<Ending> {
    const { path, reason } = one(REFUSED);
    const answer = await this.#get(path, { headers: ACCEPT });
    const got = answer.header('x-pinnace-reason');
    if (answer.status >= 400 && got === reason) return 'right';
    if (answer.status === 503 && this.#world.isTroubled) return 'excused';
    throw new WrongAnswer(`${path} has to be refused for ${reason}, but ${told(answer)}`);
  }

  async #movedTag(): Promise<Ending> {
    const moving = one(this.#world.moving);
    const { before } = moving;
    const mayBe = [moving.digest];
    if (before !== undefined && performance.now() < before.until) mayBe.push(before.digest);
    const path = `${moving.repository}/manifests/live`;
    const answer = await this.#get(path, { headers: ACCEPT });
    // It may have moved while the answer was on its way.
    return requireContent(answer, answer.digest, [...mayBe, moving.digest]);
  }

  async #coldImage(): Promise<Ending> {
    this.#world.publishCold();
    const signed = this.#world.takeCold();
    if (signed === undefined) return 'nothing-to-ask';
    const { repository, tag, image } = signed;
    const parts = [
      { path: `manifests/${tag}`, digest: image.manifest.digest },
      ...[image.config, ...image.layers].map(({ digest }) => ({ path: `blobs/${digest}`, digest })),
    ];
    for (const { path, digest } of parts) {
      const answer = await this.#get(`${repository}/${path}`, { headers: ACCEPT });
      // What is new is not known while the trust server cannot be asked; a download breaks off with the registry.
      const isUnknown = answer.header('x-pinnace-reason') === 'tag_not_signed';
      const isCut = answer.status === 200 && !answer.isComplete;
      const isNotGiven = answer.status === 503 || isUnknown || isCut;
      if (isNotGiven && this.#world.isTroubled) return 'excused';
      requireContent(answer, answer.digest, [digest]);
    }
    return 'right';
  }

  async #hangUp(): Promise<Ending> {
    const { repository, image } = one(this.#world.large);
    const path = `${repository}/blobs/${image.layers[0]?.digest}`;
    const answer = await this.#get(path, { hangUpAfterBytes: 256 * 1024 });
    if (answer.status === 200) return 'right';
    throw new WrongAnswer(`a blob was due, but ${told(answer)}`);
  }

  async #get(path: string, asking: Partial<Asking> = {}): Promise<Answered> {
    return await askOver(this.#agent, { ...asking, url: `${this.#url}/v2/${path}` });
  }
}

/** Content goes out whole, with a digest that was signed, or not at all. */
function requireContent(
  answer: Answered,
  got: string | undefined,
  signed: readonly string[],
): Ending {
  const isRight = answer.status === 200 && answer.isComplete && signed.includes(got ?? '');
  if (isRight) return 'right';
  throw new WrongAnswer(`${signed.join(' or ')} was due, but ${told(answer)}`);
}

function told({ status, header, digest, bytes, isComplete }: Answered): string {
  const reason = header('x-pinnace-reason') ?? 'no reason';
  const end = isComplete ? 'complete' : 'cut off';
  return `came ${status} (${reason}), ${bytes} bytes, ${digest}, ${end}`;
}

function one<T>(of: readonly T[]): T {
  const chosen = of[Math.floor(Math.random() * of.length)];
  if (chosen === undefined) throw new Error('nothing to choose from');
  return chosen;
}
