/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The proxies that the environment asks for, as curl and the engines read them. */
export interface ProxyEnvironment {
  /** `http_proxy` or `HTTP_PROXY`. */
  readonly httpProxy?: string;
  /** `https_proxy` or `HTTPS_PROXY`. */
  readonly httpsProxy?: string;
  /** `no_proxy` or `NO_PROXY`: hosts that are reached directly. */
  readonly noProxy?: string;
}

/** The environment of this process. This is the only place that reads it. */
export function processEnvironment(): Environment {
  return process.env;
}

/** Picks the proxy settings from the environment; the lower-case name wins, an empty value counts as unset. */
export function proxyEnvironment(env: Environment): ProxyEnvironment {
  const httpProxy = firstSet(env['http_proxy'], env['HTTP_PROXY']);
  const httpsProxy = firstSet(env['https_proxy'], env['HTTPS_PROXY']);
  const noProxy = firstSet(env['no_proxy'], env['NO_PROXY']);
  return {
    ...(httpProxy === undefined ? {} : { httpProxy }),
    ...(httpsProxy === undefined ? {} : { httpsProxy }),
    ...(noProxy === undefined ? {} : { noProxy }),
  };
}

function firstSet(...values: readonly (string | undefined)[]): string | undefined {
  return values.find((value) => value !== undefined && value !== '');
}
