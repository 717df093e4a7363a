import type { Repository } from '../oci/names.ts';
import { nearestName } from './nearest-name.ts';
import type { Parsed } from './values.ts';

const PLACEHOLDERS = ['registry', 'repository', 'tag'] as const;
type Placeholder = (typeof PLACEHOLDERS)[number];

/** How tags of repositories are written as names of TUF targets: fixed text and what is to be filled in, in order. */
export type TargetTemplate = readonly (
  | { readonly text: string }
  | { readonly placeholder: Placeholder }
)[];

/** What stands before and behind the tag in the names of one repository's targets. */
export interface TargetAffixes {
  readonly prefix: string;
  readonly suffix: string;
}

const MAX_LENGTH = 512;
const PIECE = /\{([^{}]*)\}|[^{}]+|[{}]/g;
const UNUSABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
/** Some character that neither registries nor repository names nor tags have at their edges. */
const SEPARATOR = /[^A-Za-z0-9._-]/;

/** Reads a template such as `{registry}/{repository}:{tag}`. */
export function parseTargetTemplate(text: string): Parsed<TargetTemplate> {
  if (text.length > MAX_LENGTH) {
    return { ok: false, problem: `is longer than ${MAX_LENGTH} characters` };
  }
  if (UNUSABLE.test(text)) return { ok: false, problem: 'has a character that cannot be seen' };
  const pieces = [...text.matchAll(PIECE)].map(([whole, name]) => ({ whole, name }));
  const template: TargetTemplate[number][] = [];
  for (const { whole, name } of pieces) {
    if (whole === '{' || whole === '}') {
      return { ok: false, problem: 'has a brace that is not closed or not opened' };
    }
    const placeholder = PLACEHOLDERS.find((each) => each === name);
    if (name !== undefined && placeholder === undefined) return unknownPlaceholder(name);
    template.push(placeholder === undefined ? { text: whole } : { placeholder });
  }
  const problem = problemOf(template);
  return problem ?? { ok: true, value: template };
}

function unknownPlaceholder(name: string): Parsed<TargetTemplate> {
  const meant = nearestName(name, PLACEHOLDERS);
  const fix =
    meant === undefined
      ? 'known here: {registry}, {repository} and {tag}'
      : `did you mean {${meant}}?`;
  return { ok: false, problem: `has {${name}}, which stands for nothing`, fix };
}

function problemOf(
  template: TargetTemplate,
): Extract<Parsed<TargetTemplate>, { ok: false }> | undefined {
  const names = template.flatMap((piece) => ('placeholder' in piece ? [piece.placeholder] : []));
  if (!names.includes('tag')) {
    return {
      ok: false,
      problem: 'does not have {tag}: all tags of a repository would mean the same',
      fix: 'write {tag} where the tag belongs, as in {registry}/{repository}:{tag}',
    };
  }
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined) {
    return { ok: false, problem: `has {${repeated}} twice`, fix: 'write it once' };
  }
  const isBlurred = template.some((piece, index) => {
    const before = template.slice(0, index).some((each) => 'placeholder' in each);
    return before && 'placeholder' in piece && !isSeparated(template, index);
  });
  if (!isBlurred) return undefined;
  return {
    ok: false,
    problem: 'lets two images have the same name: nothing marks where one part ends',
    fix: 'put a / or a : between the placeholders',
  };
}

/** Whether a placeholder is told apart from the one before it, whatever both stand for. */
function isSeparated(template: TargetTemplate, index: number): boolean {
  const between = template[index - 1];
  return between !== undefined && 'text' in between && SEPARATOR.test(between.text);
}

/** The affixes of a repository's target names. */
export function targetAffixes(template: TargetTemplate, repository: Repository): TargetAffixes {
  const texts = template.map((piece) => {
    if ('text' in piece) return piece.text;
    if (piece.placeholder === 'registry') return repository.registry.toLowerCase();
    return piece.placeholder === 'repository' ? repository.path : '';
  });
  const tag = template.findIndex((piece) => 'placeholder' in piece && piece.placeholder === 'tag');
  return { prefix: texts.slice(0, tag).join(''), suffix: texts.slice(tag + 1).join('') };
}
