import type { Contender } from './contender.ts';
import type { Figure } from './figure.ts';
import { reasonOf } from './peers.ts';
import { type BenchContext, OWN_NAME } from './scenario.ts';
import { inOrderOf } from './turns.ts';

/** What one look at one contender gave, by quantity; what it does not name is not known of this contender. */
export type Look = Readonly<Record<string, number>>;

/** A quantity that is looked at once a round. */
export interface Quantity {
  readonly name: string;
  readonly unit: string;
  /** Default false: most are times. */
  readonly isMoreBetter?: boolean;
}

type Looked = Pick<Contender, 'name' | 'url'>;

/**
 * Looks at every contender once a round, in another order each time, and makes figures of what was seen. A peer that fails
 * is left out from then on.
 *
 * @throws {Error} when looking at Pinnace fails
 */
export async function lookInTurns(
  context: BenchContext,
  contenders: readonly Looked[],
  options: {
    readonly quantities: readonly Quantity[];
    /** Prepares one round for all, before anybody's turn. */
    readonly prepare?: (round: number) => Promise<void>;
    readonly look: (contender: Looked, round: number) => Promise<Look>;
  },
): Promise<readonly Figure[]> {
  const looks = new Map<Looked, Look[]>(contenders.map((each) => [each, []]));
  for (let round = 0; round < context.rounds; round += 1) {
    await options.prepare?.(round);
    for (const contender of inOrderOf(round, [...looks.keys()])) {
      try {
        looks.get(contender)?.push(await options.look(contender, round));
      } catch (error) {
        if (contender.name === OWN_NAME) throw error;
        looks.delete(contender);
        context.leaveOut(contender.name, `round ${round + 1}: ${reasonOf(error)}`);
      }
    }
  }
  return [...looks].flatMap(([{ name: contender }, seen]) =>
    options.quantities.flatMap(({ name, unit, isMoreBetter = false }) => {
      const samples = seen.flatMap((look) => look[name] ?? []);
      const figure = { contender, quantity: name, unit, isMoreBetter, samples };
      return samples.length === seen.length ? [figure] : [];
    }),
  );
}
