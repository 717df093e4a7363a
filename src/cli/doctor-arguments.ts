import { InvalidArgumentError } from 'commander';
import { parseDuration, UnitError } from '../base/units.ts';
import { CANARY_FOLDER, CANARY_KINDS } from '../oci/canary.ts';
import { OciError } from '../oci/errors.ts';
import { parseImageReference } from '../oci/image-reference.ts';
import { repositoryName } from '../oci/names.ts';
import type { NamedImage } from './doctor-check.ts';

/** What is to be pulled, as it stands on the command line. */
export interface DoctorImages {
  /** Registries, with a path where engines come by Pinnace's own name: `pinnace.example:5000/docker.io`. */
  readonly registry: readonly string[];
  readonly signed: readonly string[];
  readonly unsigned: readonly string[];
  readonly tampered: readonly string[];
}

/**
 * The registries to look at: those asked for, else those of the engine's settings; those of images that were named come in any
 * case.
 */
export function registriesFor(
  settings: readonly string[],
  options: DoctorImages,
): readonly string[] {
  const chosen = options.registry.length > 0 ? options.registry : settings.filter(isRegistry);
  const others = CANARY_KINDS.flatMap((kind) => options[kind])
    .filter((image) => !chosen.some((registry) => belongs(image, registry)))
    .map((image) => parseImageReference(image).repository.registry);
  return [...new Set([...chosen, ...others])];
}

/** The images of a registry that the operator named. */
export function namedFor(registry: string, options: DoctorImages): readonly NamedImage[] {
  return CANARY_KINDS.flatMap((canary) =>
    options[canary].filter((image) => belongs(image, registry)).map((image) => ({ canary, image })),
  );
}

/** Adds a registry of the command line to the earlier ones. @throws {InvalidArgumentError} */
export function collectRegistry(text: string, earlier: readonly string[]): readonly string[] {
  if (!isRegistry(text)) {
    throw new InvalidArgumentError('Write it as in docker.io or registry.example.com:5000.');
  }
  return [...earlier, text];
}

/** Adds an image of the command line, made complete so that every engine understands the same. @throws {InvalidArgumentError} */
export function collectImage(text: string, earlier: readonly string[]): readonly string[] {
  try {
    const { repository, tag, digest } = parseImageReference(text);
    const reference = digest === undefined ? `:${tag}` : `@${digest}`;
    return [...earlier, `${repositoryName(repository)}${reference}`];
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
    throw new InvalidArgumentError(`It is not an image reference: ${error.message}.`);
  }
}

/** A duration of the command line, in milliseconds. @throws {InvalidArgumentError} */
export function parseTimeout(text: string): number {
  try {
    return parseDuration(text);
  } catch (error) {
    if (!(error instanceof UnitError)) throw error;
    throw new InvalidArgumentError('Write it as in 90s or 5m.');
  }
}

function belongs(image: string, registry: string): boolean {
  return image.startsWith(`${registry}/`);
}

/** Whether canaries can be named under it: it becomes an argument of the engine's client. */
function isRegistry(text: string): boolean {
  const name = `${text}/${CANARY_FOLDER}/signed`;
  try {
    return repositoryName(parseImageReference(`${name}:0`).repository) === name;
  } catch (error) {
    if (error instanceof OciError) return false;
    throw error;
  }
}
