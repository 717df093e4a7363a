import type { Contender } from './contender.ts';
import type { Figure } from './figure.ts';
import type { BenchContext } from './scenario.ts';

/** What one look at one contender gave, by quantity. */
export type Look = Readonly<Record<string, number>>;

/** A quantity that is looked at once a round. */
export interface Quantity {
  readonly name: string;
  readonly unit: string;
  /** Default false: most are times. */
  readonly isMoreBetter?: boolean;
}

/** Looks at every contender once a round, in another order each time, and makes figures of what was seen. */
export async function lookInTurns(
  context: BenchContext,
  contenders: readonly Pick<Contender, 'name' | 'url'>[],
  options: {
    readonly quantities: readonly Quantity[];
    /** Prepares one round for all, before anybody's turn. */
    readonly prepare?: (round: number) => Promise<void>;
    readonly look: (contender: Pick<Contender, 'name' | 'url'>, round: number) => Promise<Look>;
  },
): Promise<readonly Figure[]> {
  const looks = new Map<string, Look[]>(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round < context.rounds; round += 1) {
    await options.prepare?.(round);
    const shift = round % contenders.length;
    for (const contender of [...contenders.slice(shift), ...contenders.slice(0, shift)]) {
      looks.get(contender.name)?.push(await options.look(contender, round));
    }
  }
  return contenders.flatMap(({ name: contender }) =>
    options.quantities.map(({ name, unit, isMoreBetter = false }) => ({
      contender,
      quantity: name,
      unit,
      isMoreBetter,
      samples: (looks.get(contender) ?? []).map((look) => look[name] ?? 0),
    })),
  );
}
