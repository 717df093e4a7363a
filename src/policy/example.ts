import { type Glob, isLiteral } from './glob.ts';
import type { HostPattern, NamePattern } from './name-pattern.ts';
import type { TagPattern } from './tag-pattern.ts';

/** What is put in the place of a wildcard. */
const FILLING = 'x';

/** An image that two patterns which can meet both cover, for the eyes of a person. */
export function exampleOfBoth(
  a: { readonly pattern: NamePattern; readonly tags?: TagPattern },
  b: { readonly pattern: NamePattern; readonly tags?: TagPattern },
): string {
  const host = exampleHost(a.pattern.host, b.pattern.host);
  const components = a.pattern.components.map((glob, index) =>
    exampleText(glob, b.pattern.components[index] ?? glob),
  );
  const path = [...components, ...(a.pattern.isOpen ? [FILLING] : [])].join('/');
  const tags = a.tags ?? b.tags;
  if (tags === undefined) return `${host}/${path}`;
  return `${host}/${path}:${exampleText(tags.glob, (b.tags ?? tags).glob)}`;
}

/** A text that both globs match, where there is one. @param filling - what stands for wildcards */
export function exampleText(a: Glob, b: Glob, filling: string = FILLING): string {
  if (isLiteral(a)) return a.join('');
  if (isLiteral(b)) return b.join('');
  const longer = (x = '', y = ''): string => (x.length >= y.length ? x : y);
  const head = longer(a[0], b[0]);
  const tail = longer(a.at(-1), b.at(-1));
  // Between the longer beginning and the longer end, the stars of each take in the middle of the other.
  const middle = [...a.slice(1, -1), ...b.slice(1, -1)].filter((piece) => piece !== '');
  return `${head}${[filling, ...middle.map((piece) => `${piece}${filling}`)].join('')}${tail}`;
}

function exampleHost(a: HostPattern, b: HostPattern): string {
  if (a.kind === 'any') return b.kind === 'any' ? 'registry.example.com' : textOf(b, b);
  return textOf(a, b.kind === 'any' ? a : b);
}

type Labelled = Extract<HostPattern, { kind: 'labels' }>;

function textOf(a: Labelled, b: Labelled): string {
  const labels = a.labels.map((label, index) => label ?? b.labels[index] ?? FILLING);
  return `${labels.join('.')}${a.port}`;
}
