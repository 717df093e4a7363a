import {
  MAX_NAME_LENGTH,
  parseRegistryHost,
  parseRepositoryPath,
  type Repository,
} from '../oci/names.ts';
import { SigningError } from './errors.ts';

/** How a collection names its targets after images. */
export interface TargetTemplate {
  /** As written, with `{registry}`, `{repository}` and `{tag}`. */
  readonly text: string;
  nameOf(repository: Repository, tag: string): string;
}

/** The template of a new collection. */
export const DEFAULT_TEMPLATE = '{registry}/{repository}:{tag}';

/** How many path components below a delegated prefix are covered; a pattern's `*` never crosses a slash. */
const MAX_DEPTH = 8;
const PLACEHOLDERS = ['{registry}', '{repository}', '{tag}'] as const;
const FIXED_TEXT = /^[A-Za-z0-9._:@/+-]*$/;
/** Something between two placeholders that none of what they stand for has at its edges. */
const SEPARATED = /\}[A-Za-z0-9._-]*[:@/+][A-Za-z0-9._:@/+-]*\{/;

/**
 * Reads a template: `{repository}` and `{tag}` once each, `{registry}` at most once, a separator such as `/` or `:` between
 * them, and no characters that mean something in path patterns. Registries are written in lower case.
 *
 * @throws {SigningError} `name_unfit`
 */
export function parseTargetTemplate(text: string): TargetTemplate {
  const count = (placeholder: string): number => text.split(placeholder).length - 1;
  const fixed = PLACEHOLDERS.reduce((rest, placeholder) => rest.replaceAll(placeholder, ''), text);
  const isUsable =
    count('{repository}') === 1 &&
    count('{tag}') === 1 &&
    count('{registry}') <= 1 &&
    text
      .split(/(?<=\})(?=[^{]*\{)/)
      .slice(1)
      .every((rest) => SEPARATED.test(`}${rest}`)) &&
    !text.startsWith('/') &&
    text.length <= MAX_NAME_LENGTH &&
    FIXED_TEXT.test(fixed);
  if (!isUsable) {
    throw new SigningError(
      'name_unfit',
      `${JSON.stringify(text)} is not a target template: write {repository} and {tag} once each, as in "${DEFAULT_TEMPLATE}"`,
    );
  }
  const nameOf = ({ registry, path }: Repository, tag: string): string =>
    fill(text, { registry, repository: path, tag });
  return { text, nameOf };
}

/**
 * The path patterns for all images of one repository (`registry/path`), or of all repositories below a prefix (`registry/path/`
 * or `registry/`).
 *
 * @throws {SigningError} `name_unfit`
 * @source TUF 1.0.34 §4.5 (PATHPATTERN)
 */
export function patternsFor(template: TargetTemplate, prefix: string): readonly string[] {
  const slash = prefix.indexOf('/');
  const isWhole = prefix.endsWith('/');
  const isRegistry = slash === prefix.length - 1;
  const path = isRegistry ? '' : prefix.slice(slash + 1, isWhole ? -1 : undefined);
  try {
    if (slash < 1) throw new Error('there is no registry in it');
    const registry = parseRegistryHost(prefix.slice(0, slash)).replaceAll('[', '[[]');
    if (!isRegistry) parseRepositoryPath(path);
    if (!isWhole) return [fill(template.text, { registry, repository: path, tag: '*' })];
    return Array.from({ length: MAX_DEPTH }, (_, depth) => {
      const below = Array.from({ length: depth + 1 }, () => '*');
      const repository = [...(path === '' ? [] : [path]), ...below].join('/');
      return fill(template.text, { registry, repository, tag: '*' });
    });
  } catch (cause) {
    throw new SigningError(
      'name_unfit',
      `${JSON.stringify(prefix)} is not a prefix: write registry/team/ for all below it, or registry/team/app for one repository`,
      { cause },
    );
  }
}

interface NameParts {
  readonly registry: string;
  readonly repository: string;
  readonly tag: string;
}

function fill(template: string, { registry, repository, tag }: NameParts): string {
  const values = new Map([
    ['{registry}', registry.toLowerCase()],
    ['{repository}', repository],
    ['{tag}', tag],
  ]);
  return template.replaceAll(/\{[a-z]+\}/g, (placeholder) => values.get(placeholder) ?? '');
}
