import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hashSync } from 'bcryptjs';
import { parseHtpasswd } from '../../../src/config/htpasswd.ts';
import { keySetOf, makeTokenKey } from '../../support/token-maker.ts';
import { issueServerCertificate, makeTestCa } from '../../support/x509.ts';
import { configOf, GOOD, problemsOf, warningPaths } from './loading.ts';

const HASH = hashSync('wonderland', 4);
const CA = makeTestCa();
const SERVER = issueServerCertificate(CA, ['localhost']);
const files = {
  '/etc/users': `alice:${HASH}\n`,
  '/etc/ca.pem': CA.certPem,
  '/etc/tls.crt': SERVER.certPem,
  '/etc/tls.key': SERVER.keyPem,
};
const TLS = 'tls: { cert: /etc/tls.crt, key: /etc/tls.key }';
const STAFF = 'staff: { kind: basic, htpasswd: /etc/users }';
const NODES = 'nodes: { kind: mtls, clientCa: /etc/ca.pem }';

/** The good configuration with these clients, more in its listener, and `clients` in its rule. */
function withClients(parts: { clients?: string; listener?: string; rule?: string }): string {
  const { clients = STAFF, listener = 'clients: staff', rule = '' } = parts;
  return GOOD.replace('127.0.0.1:5000 }', `127.0.0.1:5000, ${listener} }`)
    .replace('trust: corp }', `trust: corp${rule} }`)
    .replace('upstreams:', `clients:\n  ${clients}\nupstreams:`);
}

describe('clients', () => {
  it('are read with their files', async () => {
    const yaml = withClients({
      clients: `${STAFF}\n  ${NODES}`,
      listener: `clients: nodes, ${TLS}`,
      rule: ', clients: [staff/alice, nodes/@web, "nodes/*"]',
    });
    const config = await configOf(yaml, { files });
    const staff = config.clients.get('staff');
    assert.deepEqual(staff?.kind === 'basic' && staff.users, new Map([['alice', HASH]]));
    assert.equal(config.listeners[0]?.clients, 'nodes');
    assert.deepEqual(config.rules[0]?.clients, ['staff/alice', 'nodes/@web', 'nodes/*']);
    assert.deepEqual(await warningPaths(yaml, { files }), ['policy[0].clients[0]']);
  });

  const problems: readonly {
    name: string;
    yaml: string;
    paths: readonly string[];
    says?: RegExp;
  }[] = [
    {
      name: 'a listener with clients that are not there',
      yaml: withClients({ listener: 'clients: stafff' }),
      paths: ['listeners.registry.clients'],
      says: /did you mean staff/,
    },
    {
      name: 'logins in plain text',
      yaml: withClients({}).replace('127.0.0.1:5000', '0.0.0.0:5000'),
      paths: ['listeners.registry.clients'],
      says: /allowPlaintextLogin/,
    },
    {
      name: 'allowPlaintextLogin without clients',
      yaml: GOOD.replace('127.0.0.1:5000 }', '127.0.0.1:5000, allowPlaintextLogin: true }'),
      paths: ['listeners.registry.allowPlaintextLogin'],
    },
    {
      name: 'certificates without TLS',
      yaml: withClients({ clients: NODES, listener: 'clients: nodes' }),
      paths: ['listeners.registry.clients'],
      says: /tls/,
    },
    {
      name: 'a kind without what it needs',
      yaml: withClients({ clients: 'staff: { kind: basic }' }),
      paths: ['clients.staff.htpasswd'],
    },
    {
      name: 'a key of another kind',
      yaml: withClients({
        clients: 'staff: { kind: basic, htpasswd: /etc/users, clientCa: /etc/ca.pem }',
      }),
      paths: ['clients.staff.clientCa'],
    },
    {
      name: 'a file that is not there',
      yaml: withClients({ clients: 'staff: { kind: basic, htpasswd: /etc/none }' }),
      paths: ['clients.staff.htpasswd'],
      says: /does not exist/,
    },
    {
      name: 'a rule for callers of no entry',
      yaml: withClients({ rule: ', clients: [stuff/alice]' }),
      paths: ['policy[0].clients[0]'],
      says: /did you mean staff/,
    },
    {
      name: 'a rule for a name without its entry',
      yaml: withClients({ rule: ', clients: [alice]' }),
      paths: ['policy[0].clients[0]'],
      says: /CLIENTS\/NAME/,
    },
    {
      name: 'a rule for nobody',
      yaml: withClients({ rule: ', clients: []' }),
      paths: ['policy[0].clients'],
    },
  ];
  for (const { name, yaml, paths, says } of problems) {
    it(`refuses ${name}`, async () => {
      const found = await problemsOf(yaml, { files });
      assert.deepEqual(
        found.map((problem) => problem.path),
        paths,
      );
      const text = `${found[0]?.problem} ${found[0]?.fix}`;
      if (says !== undefined) assert.match(text, says);
      assert.equal(text.includes(HASH), false);
    });
  }

  const TOKENS = 'kind: token, realm: "https://auth.example.com/t", service: p, issuer: i';
  const OIDC = 'issuer: i, audience: p, jwks: /etc/jwks.json';
  const tokenProblems: readonly { name: string; clients: string; paths: readonly string[] }[] = [
    { name: 'no keys', clients: TOKENS, paths: ['clients.staff'] },
    {
      name: 'keys in two places',
      clients: `${TOKENS}, jwks: /etc/jwks.json, jwksUrl: "https://auth.example.com/k"`,
      paths: ['clients.staff'],
    },
    {
      name: 'keys over plain HTTP',
      clients: `${TOKENS}, jwksUrl: "http://auth.example.com/k"`,
      paths: ['clients.staff.jwksUrl'],
    },
    {
      name: 'a CA for a file',
      clients: `${TOKENS}, jwks: /etc/jwks.json, ca: /etc/ca.pem`,
      paths: ['clients.staff.ca'],
    },
    {
      name: 'a realm over plain HTTP',
      clients: `${TOKENS.replace('https:', 'http:')}, jwks: /etc/jwks.json`,
      paths: ['clients.staff.realm'],
    },
    {
      name: 'a file with private keys',
      clients: `${TOKENS}, jwks: /etc/private.json`,
      paths: ['clients.staff.jwks'],
    },
    {
      name: 'algorithms with shared secrets',
      clients: `${TOKENS}, jwks: /etc/jwks.json, algorithms: [HS256]`,
      paths: ['clients.staff.algorithms[0]'],
    },
    {
      name: 'a service that would break out of a header',
      clients: `${TOKENS.replace('service: p', 'service: "a\\"b"')}, jwks: /etc/jwks.json`,
      paths: ['clients.staff.service'],
    },
    {
      name: 'an endpoint for nobody',
      clients: 'kind: token-endpoint, service: p',
      paths: ['clients.staff'],
    },
    {
      name: 'an endpoint for two kinds of users',
      clients: `kind: token-endpoint, service: p, htpasswd: /etc/users, oidc: { ${OIDC} }`,
      paths: ['clients.staff'],
    },
    {
      name: 'a provider without keys',
      clients: 'kind: token-endpoint, service: p, oidc: { issuer: i, audience: p }',
      paths: ['clients.staff.oidc'],
    },
    {
      name: 'tokens that live for too long',
      clients: 'kind: token-endpoint, service: p, htpasswd: /etc/users, lifetime: 2d',
      paths: ['clients.staff.lifetime'],
    },
  ];
  const KEY = makeTokenKey('ES256');
  const keyFiles = {
    ...files,
    '/etc/jwks.json': keySetOf(KEY),
    '/etc/private.json': JSON.stringify({ keys: [{ ...KEY.jwk, d: 'AAAA' }] }),
  };
  for (const { name, clients, paths } of tokenProblems) {
    it(`refuses ${name}`, async () => {
      const yaml = withClients({ clients: `staff: { ${clients} }` });
      const found = await problemsOf(yaml, { files: keyFiles });
      assert.deepEqual(
        found.map((problem) => problem.path),
        paths,
      );
    });
  }

  it('refuses to send engines to plain HTTP with a password', async () => {
    const clients = 'kind: token-endpoint, service: p, htpasswd: /etc/users';
    const listener = 'clients: staff, allowPlaintextLogin: true';
    const yaml = withClients({ clients: `staff: { ${clients} }`, listener });
    const found = await problemsOf(yaml, { files });
    assert.deepEqual(
      found.map((problem) => problem.path),
      ['clients.staff.realm'],
    );
    const realm = `${clients}, realm: "https://p.example/token"`;
    const good = withClients({ clients: `staff: { ${realm} }`, listener });
    assert.deepEqual(await warningPaths(good, { files }), []);
  });

  it('that show tokens are read with their keys', async () => {
    const yaml = withClients({ clients: `staff: { ${TOKENS}, jwks: /etc/jwks.json }` });
    const staff = (await configOf(yaml, { files: keyFiles })).clients.get('staff');
    assert.ok(staff?.kind === 'token');
    const { audience, algorithms, clockSkewMs, keys } = staff.check;
    assert.deepEqual([audience, algorithms, clockSkewMs], ['p', ['RS256', 'ES256'], 30_000]);
    assert.equal(keys.kind === 'known' && keys.keys.keys.length, 1);
    assert.equal(staff.realm, 'https://auth.example.com/t');
  });

  it('warns of logins where engines would go elsewhere without one', async () => {
    const yaml = withClients({ listener: 'clients: staff, refusal: hard-stop' });
    assert.deepEqual(await warningPaths(yaml, { files }), ['listeners.registry.clients']);
    const plain = withClients({ listener: 'clients: staff, allowPlaintextLogin: true' });
    const open = plain.replace('127.0.0.1:5000', '0.0.0.0:5000');
    assert.deepEqual(await warningPaths(open, { files }), []);
  });
});

describe('an htpasswd file', () => {
  it('has users with bcrypt hashes, comments and empty lines', () => {
    const long = HASH.replace('$2b$', '$2y$');
    const users = parseHtpasswd(`# staff\n\nalice:${HASH}\r\nbob:${long}\n`);
    assert.deepEqual(users, {
      ok: true,
      value: new Map([
        ['alice', HASH],
        ['bob', long],
      ]),
    });
  });

  const rows: readonly (readonly [string, string, RegExp])[] = [
    ['nobody', '# none\n', /no user/],
    ['an MD5 hash', `alice:${HASH}\nbob:$apr1$x$y\n`, /line 2 that has no bcrypt hash for bob/],
    ['a password in clear', 'alice:wonderland\n', /line 1 that has no bcrypt hash for alice/],
    ['a user twice', `alice:${HASH}\nalice:${HASH}\n`, /line 2 that is a second one for alice/],
    ['no colon', 'alice\n', /line 1 that is not USER:HASH/],
    ['no name', `:${HASH}\n`, /line 1 that has a user name/],
    ['a name that means a group', `@web:${HASH}\n`, /line 1 that has a user name/],
    ['a cost for days', `alice:${HASH.replace('$04$', '$31$')}\n`, /cost of 31 for alice/],
    ['a cost for nothing', `alice:${HASH.replace('$04$', '$03$')}\n`, /cost of 3 for alice/],
  ];
  for (const [name, text, problem] of rows) {
    it(`is refused with ${name}`, () => {
      const parsed = parseHtpasswd(text);
      assert.ok(!parsed.ok);
      assert.match(parsed.problem, problem);
      assert.doesNotMatch(parsed.problem, /wonderland|apr1/);
    });
  }
});
