import type { BenchResult } from '../results.ts';
import { OWN_NAME } from '../scenario.ts';

/** What sizing needs of all that was measured: medians of Pinnace. */
export interface SizingFigures {
  /** Requests for a second of processor time. */
  readonly tagGetPerCpu: number;
  readonly tagHeadPerCpu: number;
  readonly tagLoggedPerCpu: number;
  readonly smallBlobPerCpu: number;
  readonly recheckPerCpu: number;
  /** MiB for a second of processor time. */
  readonly largeBlobMibPerCpu: number;
  readonly coldBlobMibPerCpu: number;
  /** What came through on this machine. */
  readonly tagGetRate: number;
  readonly tagHeadRate: number;
  readonly tagLoggedRate: number;
  readonly recheckRate: number;
  readonly smallBlobRate: number;
  readonly largeBlobMibRate: number;
  readonly coldBlobMibRate: number;
  /** Memory with the fewest repositories, and for each more. */
  readonly baseMib: number;
  readonly repositoryKib: number;
}

const KIB_IN_MIB = 1024;
const COLD_MIB = 64;

/** Takes the figures for sizing out of a run. @throws {Error} naming what was not measured */
export function sizingFigures(bench: BenchResult): SizingFigures {
  const of = (scenario: string, quantity: string): number => medianOf(bench, scenario, quantity);
  return {
    tagGetPerCpu: of('warm-tag', '32 connections, per CPU second'),
    tagHeadPerCpu: of('warm-tag', 'HEAD, 32 connections, per CPU second'),
    tagLoggedPerCpu: of('warm-tag-logged', '32 connections, per CPU second'),
    smallBlobPerCpu: of('warm-blob', '1 kB, per CPU second') * KIB_IN_MIB,
    recheckPerCpu: of('recheck', '32 connections, per CPU second'),
    largeBlobMibPerCpu: of('warm-blob', '64 MiB, per CPU second'),
    coldBlobMibPerCpu: COLD_MIB / of('cold-blob', 'processor time'),
    tagGetRate: of('warm-tag', '32 connections, rate'),
    tagHeadRate: of('warm-tag', 'HEAD, 32 connections, rate'),
    tagLoggedRate: of('warm-tag-logged', '32 connections, rate'),
    recheckRate: of('recheck', '32 connections, rate'),
    smallBlobRate: of('warm-blob', '1 kB, rate') * KIB_IN_MIB,
    largeBlobMibRate: of('warm-blob', '64 MiB, rate'),
    coldBlobMibRate: COLD_MIB / of('cold-blob', 'whole blob'),
    ...memoryOf(bench),
  };
}

function medianOf({ scenarios }: BenchResult, scenario: string, quantity: string): number {
  const rows = scenarios.find((each) => each.scenario === scenario)?.rows ?? [];
  const row = rows.find((each) => each.quantity === quantity && each.contender === OWN_NAME);
  if (row === undefined) throw new Error(`"${quantity}" of ${scenario} was not measured`);
  return row.measured.median;
}

function memoryOf({ scenarios }: BenchResult): Pick<SizingFigures, 'baseMib' | 'repositoryKib'> {
  const curves = scenarios.find(({ scenario }) => scenario === 'growth-repositories')?.curves ?? [];
  const points = curves.find(({ y }) => y === 'resident memory')?.points ?? [];
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined || first === last) {
    throw new Error('the memory of growth-repositories was not measured');
  }
  const grown = last.y.median - first.y.median;
  const repositoryKib = (Math.max(0, grown) * KIB_IN_MIB) / (last.x - first.x);
  return { baseMib: first.y.median, repositoryKib };
}
