import type { SourceFacts } from './source-facts.ts';

/** The hard limits. Exported types are not limited: a port or a model is a vocabulary. */
export const LIMITS = {
  linesPerFile: 400,
  linesPerFunction: 60,
  valuesPerFile: 7,
} as const;

/** One line for each limit that is broken; empty when none is. */
export function brokenLimits(
  files: ReadonlyMap<string, SourceFacts>,
  cycles: readonly (readonly string[])[],
): readonly string[] {
  const broken = cycles.map((group) => `import cycle: ${group.join(', ')}`);
  for (const [path, facts] of files) broken.push(...brokenIn(path, facts));
  return broken;
}

function brokenIn(path: string, facts: SourceFacts): readonly string[] {
  const broken: string[] = [];
  const most = (number: number, limit: number, what: string): void => {
    if (number > limit) broken.push(`${path}: ${number} ${what}, at most ${limit}`);
  };
  most(facts.lines, LIMITS.linesPerFile, 'lines');
  most(facts.anys, 0, 'uses of any');
  most(facts.nonNullAssertions, 0, 'uses of !');
  // A test is a list of calls: it may be long and what it shares is not an interface.
  if (path.startsWith('test/')) return broken;
  most(facts.exportedValues, LIMITS.valuesPerFile, 'exported values');
  for (const { name, line, lines } of facts.functions) {
    most(lines, LIMITS.linesPerFunction, `lines in ${name} (line ${line})`);
  }
  return broken;
}
