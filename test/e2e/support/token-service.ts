import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { argv } from 'node:process';
import { keySetOf, makeTokenKey, signToken } from '../../support/token-maker.ts';

/**
 * A token service of its own, as a registry may have had one before Pinnace: it gives a token for what is asked to who
 * logs in with Basic, and publishes its keys. A program: `token-service.ts CERT KEY ADDRESS PORT USER:PASSWORD SERVICE`.
 *
 * @source distribution: docs/content/spec/auth/token.md
 */
function serve([
  cert = '',
  key = '',
  address = '',
  port = '',
  login = '',
  service = '',
]: readonly string[]): void {
  const signing = makeTokenKey('RS256');
  const expected = `Basic ${Buffer.from(login).toString('base64')}`;
  const identity = { cert: readFileSync(cert), key: readFileSync(key) };
  const server = createServer(identity, (request, response) => {
    const url = new URL(request.url ?? '/', 'https://token.invalid');
    const send = (status: number, body: string): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(body);
    };
    if (url.pathname === '/jwks.json') return send(200, keySetOf(signing));
    // As older services do: engines then ask with GET.
    if (request.method !== 'GET') return send(404, '{}');
    if (request.headers.authorization !== expected) {
      return send(
        401,
        '{"errors":[{"code":"UNAUTHORIZED","message":"the token service says no"}]}',
      );
    }
    const seconds = Math.floor(Date.now() / 1000);
    const access = url.searchParams.getAll('scope').map((scope) => {
      const [type, ...rest] = scope.split(':');
      return { type, name: rest.slice(0, -1).join(':'), actions: rest.at(-1)?.split(',') };
    });
    const claims = {
      ...{ iss: 'lab-tokens', aud: service, sub: login.split(':')[0], access },
      ...{ iat: seconds, nbf: seconds, exp: seconds + 300 },
    };
    return send(200, JSON.stringify({ token: signToken(signing, { claims }), expires_in: 300 }));
  });
  server.listen(Number(port), address);
}

serve(argv.slice(2));
