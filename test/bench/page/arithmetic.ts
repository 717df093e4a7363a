import { linesOf, shown } from '../report.ts';
import type { SizingFigures } from './measured-figures.ts';

/** A cluster, as an operator would describe it. */
export interface Cluster {
  readonly nodes: number;
  readonly imagesPerNode: number;
  /** How often a node checks each of its images. */
  readonly checkSeconds: number;
  /** Repositories in use, over all nodes. */
  readonly repositories: number;
  readonly maxAgeSeconds: number;
  /** An image that all nodes pull. */
  readonly rolloutSeconds: number;
  readonly imageMib: number;
  readonly layers: number;
  /** What the link of one Pinnace carries. */
  readonly linkGbits: number;
}

/** The cluster of the documentation. */
export const TEN_THOUSAND: Cluster = {
  nodes: 10_000,
  imagesPerNode: 30,
  checkSeconds: 600,
  repositories: 500,
  maxAgeSeconds: 60,
  rolloutSeconds: 300,
  imageMib: 200,
  layers: 5,
  linkGbits: 10,
};

/** One step of the arithmetic. */
export interface Step {
  readonly what: string;
  readonly formula: string;
  readonly value: number;
  readonly unit: string;
}

const BITS_IN_MIB = 8 * 1024 ** 2;
const MIB_IN_TIB = 1024 ** 2;
const KIB_IN_MIB = 1024;

/** What a cluster asks of Pinnace, and what that takes, from measured figures. */
export function stepsOf(cluster: Cluster, figures: SizingFigures): readonly Step[] {
  return [...checks(cluster, figures), ...rollout(cluster, figures), ...upkeep(cluster, figures)];
}

function checks(cluster: Cluster, figures: SizingFigures): readonly Step[] {
  const { nodes, imagesPerNode, checkSeconds } = cluster;
  const perSecond = (nodes * imagesPerNode) / checkSeconds;
  return [
    {
      what: 'checks of tags (HEAD)',
      formula: 'nodes × images ÷ interval',
      value: perSecond,
      unit: 'requests/s',
    },
    {
      what: 'processor for them',
      formula: `÷ ${shown(figures.tagHeadPerCpu)} for a CPU second`,
      value: perSecond / figures.tagHeadPerCpu,
      unit: 'cores',
    },
  ];
}

function rollout(cluster: Cluster, figures: SizingFigures): readonly Step[] {
  const { nodes, rolloutSeconds, layers, imageMib, linkGbits } = cluster;
  const tags = (2 * nodes) / rolloutSeconds;
  const parts = ((layers + 2) * nodes) / rolloutSeconds;
  const mib = nodes * imageMib;
  const requestCpu = tags / figures.tagGetPerCpu + parts / figures.smallBlobPerCpu;
  const linkSeconds = (mib * BITS_IN_MIB) / (linkGbits * 1e9);
  return [
    {
      what: 'roll-out: requests by tag',
      formula: '2 (HEAD and GET) × nodes ÷ time',
      value: tags,
      unit: 'requests/s',
    },
    {
      what: 'roll-out: requests by digest',
      formula: '(layers + config + manifest of the platform) × nodes ÷ time',
      value: parts,
      unit: 'requests/s',
    },
    {
      what: 'processor for those requests',
      formula: `÷ ${shown(figures.tagGetPerCpu)} and ÷ ${shown(figures.smallBlobPerCpu)} for a CPU second`,
      value: requestCpu,
      unit: 'cores',
    },
    { what: 'roll-out: bytes', formula: 'nodes × image', value: mib / MIB_IN_TIB, unit: 'TiB' },
    {
      what: 'the link alone takes',
      formula: 'bytes ÷ link of one Pinnace',
      value: linkSeconds / 60,
      unit: 'minutes',
    },
    {
      what: 'Pinnaces or mirrors for the time wanted',
      formula: 'bytes ÷ link ÷ time, rounded up',
      value: Math.ceil(linkSeconds / rolloutSeconds),
      unit: '',
    },
    {
      what: 'processor for the bytes, all of them together',
      formula: `bytes ÷ time ÷ ${shown(figures.largeBlobMibPerCpu)} MiB for a CPU second`,
      value: mib / rolloutSeconds / figures.largeBlobMibPerCpu,
      unit: 'cores',
    },
    {
      what: 'read from the registry',
      formula: 'image, once for each Pinnace',
      value: imageMib,
      unit: 'MiB',
    },
  ];
}

function upkeep(cluster: Cluster, figures: SizingFigures): readonly Step[] {
  const { repositories, maxAgeSeconds } = cluster;
  const memory = figures.baseMib + (repositories * figures.repositoryKib) / KIB_IN_MIB;
  return [
    {
      what: 'requests to trust servers, for each Pinnace',
      formula: 'repositories ÷ maxAge, however many nodes',
      value: repositories / maxAgeSeconds,
      unit: 'requests/s',
    },
    {
      what: 'memory for the collections and all else',
      formula: `${shown(figures.baseMib)} MiB + repositories × ${shown(figures.repositoryKib)} KiB`,
      value: memory,
      unit: 'MiB',
    },
  ];
}

/** The arithmetic as a table. */
export function arithmeticBlock(cluster: Cluster, figures: SizingFigures): string {
  const lines = stepsOf(cluster, figures).map(({ what, formula, value, unit }) => [
    what,
    formula,
    `${Number.isInteger(value) ? String(value) : shown(value)} ${unit}`.trimEnd(),
  ]);
  return linesOf(['What', 'How', 'Comes to'], lines);
}

/** What one core carries, and what came through on this machine. */
export function carriesBlock(figures: SizingFigures): string {
  const lines: readonly (readonly [string, number, number, string])[] = [
    ['tag, warm, GET', figures.tagGetPerCpu, figures.tagGetRate, 'requests'],
    ['tag, warm, HEAD', figures.tagHeadPerCpu, figures.tagHeadRate, 'requests'],
    [
      'tag, warm, GET, with the request log',
      figures.tagLoggedPerCpu,
      figures.tagLoggedRate,
      'requests',
    ],
    [
      'tag, its trust server asked each time',
      figures.recheckPerCpu,
      figures.recheckRate,
      'requests',
    ],
    ['blob of 1 kB, warm', figures.smallBlobPerCpu, figures.smallBlobRate, 'requests'],
    ['blob of 64 MiB, warm', figures.largeBlobMibPerCpu, figures.largeBlobMibRate, 'MiB'],
    ['blob of 64 MiB, cold', figures.coldBlobMibPerCpu, figures.coldBlobMibRate, 'MiB'],
  ];
  return linesOf(
    ['Path', 'For a second of processor time', 'Came through in a second'],
    lines.map(([path, perCpu, rate, unit]) => [
      path,
      `${shown(perCpu)} ${unit}`,
      `${shown(rate)} ${unit}`,
    ]),
  );
}
