import { dirname, join } from 'node:path/posix';
import type { ImportFact } from './source-facts.ts';

/** Files by path with what they import. */
export type ImportsByFile = ReadonlyMap<string, { readonly imports: readonly ImportFact[] }>;

interface Search {
  readonly graph: ReadonlyMap<string, readonly string[]>;
  readonly order: Map<string, number>;
  readonly lowest: Map<string, number>;
  readonly stack: string[];
  readonly groups: string[][];
}

/**
 * Finds groups of files that import each other in a circle, whether at run time or for types only.
 *
 * @returns each group once, its files sorted; empty when there is no circle
 */
export function importCycles(files: ImportsByFile): readonly (readonly string[])[] {
  const graph = new Map<string, readonly string[]>();
  for (const [path, { imports }] of files) {
    const targets = imports
      .filter(({ specifier }) => specifier.startsWith('.'))
      .map(({ specifier }) => join(dirname(path), specifier))
      .filter((target) => files.has(target));
    graph.set(path, targets);
  }
  const search: Search = {
    graph,
    order: new Map(),
    lowest: new Map(),
    stack: [],
    groups: [],
  };
  for (const path of graph.keys()) {
    if (!search.order.has(path)) follow(path, search);
  }
  return search.groups;
}

/** One step of Tarjan's search for strongly connected parts of a graph. */
function follow(path: string, search: Search): void {
  const { graph, order, lowest, stack } = search;
  const own = order.size;
  order.set(path, own);
  stack.push(path);
  let low = own;
  const targets = graph.get(path) ?? [];
  for (const target of targets) {
    if (!order.has(target)) {
      follow(target, search);
      low = Math.min(low, lowest.get(target) ?? low);
    } else if (stack.includes(target)) {
      low = Math.min(low, order.get(target) ?? low);
    }
  }
  lowest.set(path, low);
  if (low !== own) return;
  const group = stack.splice(stack.indexOf(path)).sort();
  if (group.length > 1 || targets.includes(path)) search.groups.push(group);
}
