/** Engines that settings are printed for. */
export const ENGINES = ['docker', 'containerd', 'podman', 'crio'] as const;

/** An engine that settings are printed for. */
export type Engine = (typeof ENGINES)[number];

/** What settings are made from. */
export interface SettingsRequest {
  /** Where engines reach the listener: scheme, name and port. */
  readonly address: URL;
  /** Registries whose names the engine is to resolve through Pinnace, without repetition. */
  readonly upstreams: readonly string[];
  /** How the listener says refusals. */
  readonly refusal: 'deny' | 'hard-stop';
  /** The registry of requests that name none, as with Docker's `registry-mirrors`; undefined: there is none. */
  readonly defaultRegistry: string | undefined;
  /** Docker's image store; only that of containerd, from Docker 28 on, reads hosts files. */
  readonly store: 'classic' | 'containerd';
}

/** A whole file, or lines to be added to one that the engine has already. */
export interface SettingsFile {
  /** Absolute. */
  readonly path: string;
  readonly text: string;
}

/** What has to be installed on a machine for an engine, and what that does not do. */
export interface EngineSettings {
  readonly files: readonly SettingsFile[];
  /** What goes into files that may hold more than this. */
  readonly additions: readonly SettingsFile[];
  /** What to do once the files are there, in order; one sentence each. */
  readonly steps: readonly string[];
  /** Ways round Pinnace that remain, and mistakes that open one; one or two sentences each. */
  readonly leavesOpen: readonly string[];
}

/** Where Pinnace's name has to be resolvable and its certificate known. */
export function certificateStep(request: SettingsRequest, folder: string): readonly string[] {
  if (request.address.protocol === 'http:') return [];
  return [
    `If Pinnace's certificate is of a CA of your own, put that CA at ${folder}/${request.address.host}/ca.crt.`,
  ];
}
