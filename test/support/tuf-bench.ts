import type { CollectionRules } from '../../src/metadata/rules.ts';
import { tuf10 } from '../../src/trust/dialect/tuf-1.0.ts';
import { namedConvention } from '../../src/trust/target-search.ts';
import { TrustBench } from './trust-bench.ts';
import type { TufRepository } from './tuf-repository.ts';

/** A TUF 1.0 repository, published, and a client that begins with its first root. Tags are targets as they stand. */
export function tufBench(
  repository: TufRepository,
  rules: Partial<CollectionRules> = {},
): TrustBench {
  const files = repository.publish();
  const bench = new TrustBench({
    gun: 'app',
    anchor: { kind: 'root-file', bytes: repository.firstRoot },
    rules: { dialect: tuf10, convention: namedConvention({ prefix: '', suffix: '' }), ...rules },
  });
  bench.serve(files);
  return bench;
}

/** The names of the files asked for since the last call. */
export function filesAsked(bench: TrustBench): readonly string[] {
  return bench.source.asked.splice(0).map((line) => line.slice(line.indexOf(' ') + 1));
}
