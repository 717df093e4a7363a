import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import type { TestContext } from 'node:test';
import { type Digest, sha256Digest } from '../../src/oci/digest.ts';
import { parseRegistryHost, parseRepositoryPath, type Repository } from '../../src/oci/names.ts';
import type { FetchedBlob, FetchedManifest, UpstreamContent } from '../../src/resolve/ports.ts';

/** Content with its digest. */
export interface Sample {
  readonly bytes: Buffer;
  readonly digest: Digest;
  readonly size: number;
}

/** Random content of `size` bytes. */
export function sampleOf(size: number): Sample {
  const bytes = randomBytes(size);
  return { bytes, digest: sha256Digest(bytes), size };
}

/** A repository of one registry. */
export function repositoryOf(path: string): Repository {
  return { registry: parseRegistryHost('registry.example'), path: parseRepositoryPath(path) };
}

/** What has to end before a test's folder can be removed; the runner calls its own hooks in the other order. */
const CLOSERS = new WeakMap<TestContext, (() => Promise<void>)[]>();

/** A folder that is removed when the test ends. */
export async function temporaryFolder(context: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'pinnace-test-'));
  const closers: (() => Promise<void>)[] = [];
  CLOSERS.set(context, closers);
  context.after(async () => {
    for (const close of closers) await close();
    await rm(folder, { recursive: true, force: true });
  });
  return folder;
}

/** Calls `close` when the test ends, before its `temporaryFolder` is removed. */
export function beforeRemoval(context: TestContext, close: () => Promise<void>): void {
  const closers = CLOSERS.get(context);
  if (closers === undefined) context.after(close);
  else closers.push(close);
}

/** One upstream reply whose body the test feeds by hand. */
export class ScriptedReply {
  readonly repository: Repository;
  readonly signal: AbortSignal | undefined;
  /** Set when the body's reader stopped, for whatever reason. */
  isClosed = false;
  /** Bytes that were taken from the body. */
  takenBytes = 0;
  readonly #steps: (Uint8Array | Error | 'end')[] = [];
  #wake: (() => void) | undefined;

  constructor(repository: Repository, signal: AbortSignal | undefined) {
    this.repository = repository;
    this.signal = signal;
    signal?.addEventListener('abort', () => this.#wake?.());
  }

  push(...steps: readonly (Uint8Array | Error | 'end')[]): void {
    this.#steps.push(...steps);
    this.#wake?.();
  }

  async *body(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        this.signal?.throwIfAborted();
        const step = this.#steps.shift();
        if (step === 'end') return;
        if (step instanceof Error) throw step;
        if (step === undefined) await this.#more();
        else {
          this.takenBytes += step.length;
          yield step;
        }
      }
    } finally {
      this.isClosed = true;
    }
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

/** An upstream that gives `ScriptedReply`s; `onFetch` may fill them, or throw. */
export class ScriptedUpstream implements UpstreamContent {
  readonly replies: ScriptedReply[] = [];
  /** What the replies announce as their size. */
  announced: number | undefined;
  readonly #onFetch: (reply: ScriptedReply) => void;
  #awaited: (() => void)[] = [];

  constructor(onFetch: (reply: ScriptedReply) => void = () => undefined) {
    this.#onFetch = onFetch;
  }

  fetchManifest(): Promise<FetchedManifest> {
    return Promise.reject(new Error('no manifests here'));
  }

  async fetchBlob(
    repository: Repository,
    _digest: Digest,
    options: { readonly signal?: AbortSignal },
  ): Promise<FetchedBlob> {
    options.signal?.throwIfAborted();
    const reply = new ScriptedReply(repository, options.signal);
    this.replies.push(reply);
    this.#onFetch(reply);
    for (const resolve of this.#awaited.splice(0)) resolve();
    return { size: this.announced, body: reply.body() };
  }

  /** The reply to request number `index`, once that has come. */
  async reply(index: number): Promise<ScriptedReply> {
    for (;;) {
      const reply = this.replies[index];
      if (reply !== undefined) return reply;
      await new Promise<void>((resolve) => this.#awaited.push(resolve));
    }
  }
}

/** A client that hashes what it gets, and takes it only while `isOpen`. */
export class TestSink extends Writable {
  receivedBytes = 0;
  isOpen: boolean;
  readonly #hash = createHash('sha256');
  #held: (() => void) | undefined;
  #awaited: { readonly bytes: number; resolve(): void }[] = [];

  constructor(options: { readonly isOpen?: boolean; readonly highWaterMark?: number } = {}) {
    super({ highWaterMark: options.highWaterMark ?? 16 * 1024 });
    this.isOpen = options.isOpen ?? true;
  }

  /** The digest of all received so far; ends the hashing. */
  digest(): string {
    return `sha256:${this.#hash.digest('hex')}`;
  }

  /** Takes what was held back and everything after. */
  open(): void {
    this.isOpen = true;
    this.#held?.();
  }

  /** Resolves when at least `bytes` bytes have come. */
  async received(bytes: number): Promise<void> {
    if (this.receivedBytes >= bytes) return;
    await new Promise<void>((resolve) => this.#awaited.push({ bytes, resolve }));
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    const take = (): void => {
      this.#held = undefined;
      // Late on purpose: a buffer that is reused too early shows as a wrong digest.
      setImmediate(() => {
        this.#hash.update(chunk);
        this.receivedBytes += chunk.length;
        for (const wait of this.#awaited) if (this.receivedBytes >= wait.bytes) wait.resolve();
        done();
      });
    };
    if (this.isOpen) take();
    else this.#held = take;
  }
}

/** Cuts `bytes` into chunks of `size` bytes. */
export function chunksOf(bytes: Uint8Array, size: number): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let start = 0; start < bytes.length; start += size) {
    chunks.push(bytes.subarray(start, start + size));
  }
  return chunks;
}
