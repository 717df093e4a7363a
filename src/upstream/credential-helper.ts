import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import { membersOf, parseJson } from '../base/json-members.ts';
import type { Secret } from './credentials.ts';
import { ExchangeError } from './errors.ts';

/** One question to a credential helper. */
export interface HelperQuestion {
  /** What follows `docker-credential-` in the program's name. */
  readonly helper: string;
  /** The server address by which the helper knows the login. */
  readonly server: string;
  /** All of the program's environment; `PATH` is where it is looked for. */
  readonly environment: Readonly<Record<string, string>>;
  readonly clock: Clock;
}

type Program = ChildProcessByStdio<Writable, Readable, null>;

const NAME = /^[A-Za-z0-9._-]{1,64}$/;
const TIMEOUT_MS = 30_000;
const MAX_OUTPUT_BYTES = 256 * 1024;
const NOT_FOUND = 'credentials not found in native keychain';
const IDENTITY_TOKEN_USER = '<token>';
const CONTROL = /\p{Cc}/u;

/**
 * Asks a credential helper for the login of a server: the program `docker-credential-<helper>`, run without a shell, with the
 * one argument `get`, for at most 30 s. What it prints goes into no message.
 *
 * @throws {ExchangeError} `denied` when it has no login or there is no such program, `login_unavailable` when it fails
 * @source github.com/docker/docker-credential-helpers: README.md#development, client/client.go
 */
export async function askHelper(question: HelperQuestion): Promise<Secret> {
  const { helper } = question;
  if (!NAME.test(helper)) {
    throw new ExchangeError('denied', 'the credential helper configured is not a bare name');
  }
  const { status, output } = await run(question);
  if (status !== 0) {
    if (output.trim() === NOT_FOUND) throw noLogin(question);
    throw unavailable(question, `ended with status ${status ?? 'unknown'}`);
  }
  return parseOutput(output, question);
}

/** The program's output; whatever ends the wait early ends the program and all it has started. */
async function run(
  question: HelperQuestion,
): Promise<{ readonly status: number | null; readonly output: string }> {
  const { helper, server, environment, clock } = question;
  const program: Program = spawn(`docker-credential-${helper}`, ['get'], {
    cwd: '/',
    env: environment,
    // A process group of its own, so that all of it can be ended.
    detached: true,
    shell: false,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const chunks: Buffer[] = [];
  let bytes = 0;
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  const timer = clock.after(TIMEOUT_MS, () =>
    reject(unavailable(question, `did not answer within ${TIMEOUT_MS / 1000} s`)),
  );
  program.on('error', (error: Error & { code?: string }) => reject(notStarted(error, question)));
  program.on('close', resolve);
  program.stdout.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MAX_OUTPUT_BYTES) reject(unavailable(question, 'printed too much'));
    else chunks.push(chunk);
  });
  // One that ends without having read the question answers by its status.
  program.stdin.on('error', () => undefined);
  program.stdin.end(server);
  try {
    return { status: await promise, output: Buffer.concat(chunks).toString('utf8') };
  } catch (error) {
    endGroup(program);
    throw error;
  } finally {
    timer.cancel();
  }
}

function endGroup(program: Program): void {
  program.stdout.destroy();
  program.stdin.destroy();
  if (program.pid === undefined) return;
  try {
    process.kill(-program.pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

function parseOutput(output: string, question: HelperQuestion): Secret {
  // No error of the parser gets here: its message would quote what may be a secret.
  const members = membersOf(parseJson(output));
  const username = members.get('Username');
  const secret = members.get('Secret');
  const isUsable =
    typeof username === 'string' &&
    typeof secret === 'string' &&
    !CONTROL.test(username + secret) &&
    !username.includes(':');
  if (!isUsable) throw unavailable(question, 'did not print a login');
  if (secret === '') throw noLogin(question);
  return username === IDENTITY_TOKEN_USER
    ? { kind: 'refresh-token', token: secret }
    : { kind: 'password', username, password: secret };
}

function notStarted(error: { readonly code?: string }, question: HelperQuestion): ExchangeError {
  if (error.code === 'ENOENT') return failure('denied', question, 'is not on the PATH of Pinnace');
  return error.code === 'EACCES'
    ? failure('denied', question, 'may not be run by the user Pinnace runs as')
    : failure('login_unavailable', question, 'cannot be started');
}

function noLogin(question: HelperQuestion): ExchangeError {
  return failure('denied', question, `has no login for ${question.server}${toSee(question)}`);
}

function unavailable(question: HelperQuestion, what: string): ExchangeError {
  return failure('login_unavailable', question, `${what}${toSee(question)}`);
}

function toSee({ helper, server }: HelperQuestion): string {
  return `; see what it says to: echo ${server} | docker-credential-${helper} get`;
}

function failure(
  code: 'denied' | 'login_unavailable',
  { helper, server }: HelperQuestion,
  what: string,
): ExchangeError {
  const message = `the credential helper docker-credential-${helper} ${what}`;
  return new ExchangeError(code, message, { detail: { helper, server } });
}
