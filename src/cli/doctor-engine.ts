import { CodedError } from '../base/coded-error.ts';
import type { ProgramEnd } from './doctor-program.ts';

/** The engines that the doctor can pull through. */
export type EngineKind = (typeof ENGINE_KINDS)[number];

/** The engines that the doctor can pull through, in the order in which it looks for them. */
export const ENGINE_KINDS = ['docker', 'containerd', 'podman'] as const;

/**
 * How an engine deals with a refusal: `whole` tries one endpoint after the other and reports the last (classic dockerd);
 * `each` tries them for every object and reports the first (containerd, and Docker with its store); `first` stays with the
 * first endpoint that delivers a manifest and reports all (podman).
 *
 * @source reference: clients.md sections 2, 5, 6
 */
export type EngineFamily = 'whole' | 'each' | 'first';

/** What an engine says of itself. */
export interface EngineFacts {
  readonly version: string;
  readonly family: EngineFamily;
  /** Where images are kept, in the engine's own words: `classic`, `containerd`. */
  readonly store?: string;
}

/** Where an engine's settings send it for the images of a registry. */
export interface EngineRoute {
  /** In order. */
  readonly endpoints: readonly string[];
  /** Whether one is left when the first has refused; undefined when the settings do not say. */
  readonly fallsBack: boolean | undefined;
  /** Where that was read. */
  readonly source: string;
  /** The file that would have to be changed, where there is one for this registry. */
  readonly settings?: string;
  /** What is odd about the settings, in words. */
  readonly oddities: readonly string[];
}

/** An image that the engine has. */
export interface HeldImage {
  /** Digests under which it may be known: of index, manifest, config. */
  readonly digests: readonly string[];
  readonly labels: ReadonlyMap<string, string>;
}

/** One image in the engine's list. */
export interface ListedImage {
  /** What people call it; the id if it has no name. */
  readonly name: string;
  /** Its repositories with the digest it has there: `docker.io/library/alpine@sha256:…`. */
  readonly digests: readonly string[];
}

/** How far a command may go. */
export interface EngineOptions {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** A container engine of this host, as far as the doctor needs it. */
export interface Engine {
  readonly kind: EngineKind;
  /** How it is reached, for people. */
  readonly address: string;
  /** Asks what it is. Undefined: there is none, or it does not answer. */
  facts(options: EngineOptions): Promise<EngineFacts | undefined>;
  /** The registries that its settings name, by the host in image names; at least one. */
  registries(): Promise<readonly string[]>;
  /** What its settings say about a registry. */
  route(registry: string): Promise<EngineRoute>;
  pull(image: string, options: EngineOptions): Promise<ProgramEnd>;
  /** The image of that name; undefined when it does not have it. @throws {EngineError} when it does not say */
  find(image: string, options: EngineOptions): Promise<HeldImage | undefined>;
  /** Forgets a name and what nothing else refers to. @returns whether it did */
  remove(image: string, options: EngineOptions): Promise<boolean>;
  /** All images. @throws {EngineError} when it does not say */
  list(options: EngineOptions): Promise<readonly ListedImage[]>;
}

/** An engine that did not answer a question which it has to answer. */
export class EngineError extends CodedError<'engine_failed'> {}

/** The error of a program that did not do what it was asked. @param what - as in `docker image ls` */
export function engineError(what: string, end: ProgramEnd): EngineError {
  const how = {
    missing: 'there is no such program',
    late: 'it took too long',
    stopped: 'it was stopped',
    ended: `it ended with ${end.code ?? 'a signal'}`,
  }[end.how];
  const why = lastLine(end.stderr);
  return new EngineError('engine_failed', `${what}: ${why === '' ? how : why}`);
}

/** The last line of what a program said that is not empty. */
export function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1)?.trim() ?? '';
}

/** What a program printed, if it succeeded. */
export function succeeded(end: ProgramEnd): string | undefined {
  return end.how === 'ended' && end.code === 0 ? end.stdout : undefined;
}
