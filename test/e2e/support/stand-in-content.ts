import { buildImage, type Image } from '../../support/images.ts';

/** What is wrong with an image, or with what is to be asked about it. */
export const KINDS = [
  'signed',
  'unsigned',
  'altered layer',
  'missing layer',
  'expired',
  'trust server away',
  'by digest',
  'Pinnace away',
] as const;

export type Kind = (typeof KINDS)[number];

/** One pull by one engine: its repository is its own, so that every request in a log belongs to one of them. */
export interface Cell {
  readonly kind: Kind;
  readonly repository: string;
}

/** What the stand-ins are told on their command line. */
export interface StandInOptions {
  readonly cells: readonly Cell[];
  readonly originHost: string;
  readonly certificateFile: string;
  readonly keyFile: string;
  readonly upstreamPort: number;
  readonly controlPort: number;
}

/** A request that reached the origin or the registry that Pinnace fetches from. */
export interface Seen {
  readonly server: 'origin' | 'upstream';
  readonly method: string;
  readonly path: string;
}

/** The image that was signed for a cell; the same each time it is made. */
export function signedImage({ repository }: Cell): Image {
  return buildImage({ message: `signed ${repository}` });
}

/** What the origin has under the same tag. */
export function foreignImage({ repository }: Cell): Image {
  return buildImage({ message: `foreign ${repository}` });
}
