import { type Figure, spreadOf } from './figure.ts';
import { type Curve, OWN_NAME } from './scenario.ts';

/** Collects what is seen at points of growth curves, several times at each. */
export class Points {
  readonly #x: string;
  readonly #curves = new Map<string, { unit: string; at: Map<number, number[]> }>();

  /** @param x - what grows: `tags` */
  constructor(x: string) {
    this.#x = x;
  }

  /** Notes one sample of a quantity. */
  add(quantity: { readonly name: string; readonly unit: string }, x: number, sample: number): void {
    const { name, unit } = quantity;
    const curve = this.#curves.get(name) ?? { unit, at: new Map<number, number[]>() };
    curve.at.set(x, [...(curve.at.get(x) ?? []), sample]);
    this.#curves.set(name, curve);
  }

  /** Every point as a figure of Pinnace. */
  get figures(): readonly Figure[] {
    return [...this.#curves].flatMap(([name, { unit, at }]) =>
      [...at].map(([x, samples]) => ({
        contender: OWN_NAME,
        quantity: `${name}, ${x.toLocaleString('en').replaceAll(',', ' ')} ${this.#x}`,
        unit,
        isMoreBetter: unit.startsWith('req'),
        samples,
      })),
    );
  }

  /** The curves, one for each quantity. */
  get curves(): readonly Curve[] {
    return [...this.#curves].map(([y, { unit, at }]) => ({
      x: this.#x,
      y,
      unit,
      points: [...at].map(([x, samples]) => ({ x, y: spreadOf(samples) })),
    }));
  }
}
