import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Config } from '../../../src/config/config.ts';
import { sameSources } from '../../../src/config/same-sources.ts';
import { configOf } from './loading.ts';
import { CERT_A, CERT_B } from './pem-samples.ts';

type Settings = Readonly<Record<string, unknown>>;

const ROLE = { keyids: ['a'], threshold: 1 };
const SIGNED = {
  ...{ _type: 'root', spec_version: '1.0.31', version: 3, expires: '2030-01-01T00:00:00Z' },
  ...{ keys: {}, roles: { root: ROLE, timestamp: ROLE, snapshot: ROLE, targets: ROLE } },
};
const FILES = {
  '/a.pem': CERT_A,
  '/b.pem': CERT_B,
  '/password': 'secret',
  '/other': 'different',
  '/root.json': JSON.stringify({ signed: SIGNED, signatures: [] }),
};
const REGISTRY = 'registry.example.com';
const ANCHOR = { gun: `${REGISTRY}/**`, rootKeys: ['a'.repeat(64)] };
const NOTARY = {
  ...{ kind: 'notary', url: 'https://notary.example.com', ca: '/a.pem' },
  ...{ credentials: { username: 'ci', passwordFile: '/password' }, realmHosts: ['a.example.com'] },
  ...{ anchors: [ANCHOR], maxAge: '60s', outageGrace: '1h' },
};
const TUF = {
  ...{ kind: 'tuf', url: 'https://tuf.example.com', root: '/root.json', target: '{tag}' },
  ...{ credentials: { username: 'ci', passwordFile: '/password' }, maxAge: '60s' },
};

async function withSource(source: Settings, files: Settings = {}): Promise<Config> {
  const document = {
    data: '/var/lib/pinnace',
    listeners: { registry: { address: '127.0.0.1:5000' } },
    upstreams: { [REGISTRY]: { url: `https://${REGISTRY}` } },
    trust: { corp: source },
    policy: [{ match: `${REGISTRY}/a`, trust: 'corp' }],
  };
  return await configOf(JSON.stringify(document), { files: { ...FILES, ...files } });
}

describe('a trust source is the same', () => {
  for (const source of [NOTARY, TUF, { ...TUF, url: 'file:///srv/tuf', credentials: undefined }]) {
    it(`when nothing of it has changed: ${source.kind}, ${source.url}`, async () => {
      const isSame = sameSources(await withSource(source), await withSource(source));
      assert.equal(isSame('corp'), true);
      assert.equal(isSame('other'), false);
    });
  }

  for (const source of [NOTARY, TUF]) {
    it(`when only its login has changed: ${source.kind}`, async () => {
      const credentials = { username: 'other', passwordFile: '/other' };
      const other = await withSource({ ...source, credentials });
      assert.equal(sameSources(await withSource(source), other)('corp'), true);
    });
  }
});

describe('a trust source is not the same', () => {
  for (const [what, changed] of Object.entries<Settings>({
    server: { url: 'https://notary.example.com/other' },
    'certificate authority of its server': { ca: '/b.pem' },
    'token service': { realmHosts: ['b.example.com'] },
    anchor: { anchors: [{ ...ANCHOR, rootKeys: ['b'.repeat(64)] }] },
    'kind of anchor': { anchors: [{ gun: ANCHOR.gun, ca: '/a.pem' }] },
    'pattern of an anchor': { anchors: [{ ...ANCHOR, gun: `${REGISTRY}/*` }] },
    'first use': { trustOnFirstUse: true },
    maxAge: { maxAge: '61s' },
    outageGrace: { outageGrace: '2h' },
    clockSkew: { clockSkew: '1s' },
    'PKCS#1 v1.5': { rsaPkcs1v15: true },
    'P-224': { p224: true },
    'code signing': { codeSigningChains: true },
  })) {
    it(`with another ${what}`, async () => {
      const other = await withSource({ ...NOTARY, ...changed });
      assert.equal(sameSources(await withSource(NOTARY), other)('corp'), false);
    });
  }

  it('when a file that its anchor names has changed', async () => {
    const anchored = { ...NOTARY, anchors: [{ gun: ANCHOR.gun, ca: '/a.pem' }] };
    const other = await withSource(anchored, { '/a.pem': CERT_B });
    assert.equal(sameSources(await withSource(anchored), other)('corp'), false);
  });

  for (const [what, changed] of Object.entries<Settings>({
    server: { url: 'https://tuf.example.com/other' },
    folder: { url: 'file:///srv/tuf', credentials: undefined },
    target: { target: '{tag}.image' },
    maxAge: { maxAge: '61s' },
    kind: { ...NOTARY, root: undefined, target: undefined },
  })) {
    it(`with another ${what}, in TUF 1.0`, async () => {
      const other = await withSource({ ...TUF, ...changed });
      assert.equal(sameSources(await withSource(TUF), other)('corp'), false);
    });
  }

  it('with another root file, byte for byte', async () => {
    const other = await withSource(TUF, { '/root.json': `${FILES['/root.json']}\n` });
    assert.equal(sameSources(await withSource(TUF), other)('corp'), false);
  });

  it('when it is an artifact: where that is, the upstream decides', async () => {
    const artifact = { ...TUF, url: `oci://${REGISTRY}/trust:now`, credentials: undefined };
    const isSame = sameSources(await withSource(artifact), await withSource(artifact));
    assert.equal(isSame('corp'), false);
  });
});
