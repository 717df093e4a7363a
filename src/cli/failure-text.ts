/** A failure of the operating system as one sentence, or undefined for any other error. */
export function systemFailureText(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('syscall' in error)) return undefined;
  const code = 'code' in error ? error.code : undefined;
  const why = typeof code === 'string' ? LISTEN_FAILURES.get(code) : undefined;
  const isListening = error.syscall === 'listen' || error.syscall === 'getaddrinfo';
  if (!isListening || why === undefined) return error.message;
  return `cannot listen on ${addressOf(error)}: ${why}`;
}

const LISTEN_FAILURES: ReadonlyMap<string, string> = new Map([
  ['EADDRINUSE', 'another program uses that address, perhaps a Pinnace that still runs'],
  ['EADDRNOTAVAIL', 'this machine does not have that address'],
  ['EACCES', 'this user may not; ports below 1024 need CAP_NET_BIND_SERVICE'],
  ['ENOTFOUND', 'no address is known for that host name'],
]);

function addressOf(error: object): string {
  const { address, port, hostname } = {
    address: undefined,
    port: undefined,
    hostname: undefined,
    ...error,
  };
  const host = String(address ?? hostname ?? '');
  const named = host.includes(':') ? `[${host}]` : host;
  return port === undefined ? named : `${named}:${String(port)}`;
}
