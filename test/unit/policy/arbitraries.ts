import fc from 'fast-check';
import { parseRegistryHost, parseRepositoryPath, type Repository } from '../../../src/oci/names.ts';

/** The repository of a full name. */
export function repository(name: string): Repository {
  const slash = name.indexOf('/');
  return {
    registry: parseRegistryHost(name.slice(0, slash)),
    path: parseRepositoryPath(name.slice(slash + 1)),
  };
}

/** Repositories over so few words that patterns often cover them. */
export function repositories(): fc.Arbitrary<Repository> {
  return fc
    .tuple(
      hosts('a', 'b'),
      fc.array(fc.constantFrom('a', 'b', 'ab', 'aab'), { minLength: 1, maxLength: 4 }),
    )
    .map(([host, path]) => repository(`${host}/${path.join('/')}`));
}

/** Patterns over the same words. */
export function patternTexts(): fc.Arbitrary<string> {
  const component = fc.constantFrom('a', 'b', 'ab', '*', 'a*', '*b', 'a*b', '*a*', 'a*a*b');
  const path = fc.array(component, { maxLength: 3 });
  return fc
    .tuple(fc.oneof(hosts('a', '*'), fc.constant('*')), path, fc.boolean())
    .map(([host, parts, isOpen]) => {
      const all = isOpen || parts.length === 0 ? [...parts, '**'] : parts;
      return `${host}/${all.join('/')}`;
    });
}

/** Two different patterns of which the second covers all that the first does, and more. */
export function narrowerAndWider(): fc.Arbitrary<readonly [string, string]> {
  return fc
    .tuple(patternTexts(), fc.nat(), fc.constantFrom('host', 'label', 'component', 'piece', 'tail'))
    .map(([text, place, how]): readonly [string, string] => [text, widen(text, place, how)])
    .filter(([narrower, wider]) => narrower !== wider);
}

function widen(text: string, place: number, how: string): string {
  const [host = '', ...parts] = text.split('/');
  const at = place % parts.length;
  const part = parts[at] ?? '';
  switch (how) {
    case 'host':
      return ['*', ...parts].join('/');
    case 'label':
      return [host.replace(/^[a-z]+\./, '*.'), ...parts].join('/');
    case 'component':
      return part === '**' ? text : [host, ...parts.with(at, '*')].join('/');
    case 'piece':
      return part.includes('*') ? text : [host, ...parts.with(at, `${part}*`)].join('/');
    default:
      return [host, ...parts.slice(0, at), '**'].join('/');
  }
}

function hosts(...labels: readonly string[]): fc.Arbitrary<string> {
  return fc
    .array(fc.constantFrom(...labels), { minLength: 0, maxLength: 2 })
    .map((parts) => [...parts, 'io'].join('.'));
}
