import assert from 'node:assert/strict';
import { join } from 'node:path';
import { CertificateAuthority } from './support/certificates.ts';
import type { Component } from './support/components.ts';
import { DockerEngine } from './support/docker-engine.ts';
import type { Image } from './support/image.ts';
import { BASE_COMPONENTS, Lab } from './support/lab.ts';
import { Pinnace } from './support/pinnace.ts';
import { freePort } from './support/port.ts';
import type { Scratch } from './support/scratch.ts';
import { LabSuite } from './support/suite.ts';
import { TrustTools } from './support/trust-tools.ts';

/** Pinnace in the place of a registry, under the registry's name: what is signed is called by that name. */
interface World {
  readonly scratch: Scratch;
  readonly lab: Lab;
  readonly pinnace: Pinnace;
  /** Pinnace's host and port, which are the registry's name. */
  readonly name: string;
  /** Tools that know Pinnace as their trust server, and no other. */
  readonly reader: TrustTools;
  readonly image: Image;
}

const DOCKER: readonly Component[] = ['docker', 'dockerd'];
const NO_KEY = '0'.repeat(64);

const suite = new LabSuite<World>('content trust', BASE_COMPONENTS, async (scratch) => {
  const lab = await Lab.start(scratch);
  const name = `127.0.0.1:${await freePort()}`;
  const image = await lab.pushSigned('team/app:1.0', { registry: name });
  await lab.pushSigned('other/app:1.0', { registry: name });
  await lab.push('team/app:unsigned');
  await lab.publisher.delegate(`${name}/team/app`, 'alice', 'targets/alice', 'targets/releases');
  await lab.publisher.sign(`${name}/team/app`, '2.0', image, 'targets/alice', 'targets/releases');
  const authority = await CertificateAuthority.create(scratch.folder('listener'));
  const { certificate, key } = await authority.issue('pinnace', ['IP:127.0.0.1']);
  const strict = await lab.trust({ anchors: [{ gun: '*/**', rootKeys: [NO_KEY] }] });
  const pinnace = await Pinnace.start(scratch, lab.place, {
    listeners: {
      registry: { address: name, defaultRegistry: name, tls: { cert: certificate, key } },
    },
    upstreams: { [name]: { url: lab.registry.url } },
    trust: { lab: await lab.trust({ maxAge: '0s' }), strict },
    policy: [
      { match: `${name}/team/**`, trust: 'lab' },
      { match: `${name}/other/**`, trust: 'strict' },
    ],
  });
  const server = { place: lab.place, host: name, url: `https://${name}`, caFile: authority.file };
  const reader = await TrustTools.create(scratch, server, 'reader');
  return { scratch, lab, pinnace, name, reader, image };
});

suite.test(
  'the notary client lists and looks up through Pinnace what the Notary server has, delegations too',
  [],
  async ({ lab, name, reader, image }, told) => {
    const gun = `${name}/team/app`;
    const listed = await reader.notary('list', gun);
    assert.equal(listed, await lab.publisher.notary('list', gun));
    assert.match(listed, new RegExp(`1\\.0 +${image.digest.slice(7)} .* targets\\n`));
    assert.match(listed, /2\.0 .* targets\/alice\n/);
    const released = await reader.notary('list', gun, '-r', 'targets/releases');
    assert.match(released, /2\.0 .* targets\/releases\n/);
    const found = await reader.notary('lookup', gun, '2.0');
    assert.ok(found.includes(image.digest.slice(7)), found);
    told.diagnostic(listed.trim().split('\n').slice(2).join('; '));
  },
);

suite.test(
  'the notary client goes on through Pinnace after three rotations of the root that it missed',
  [],
  async ({ lab, name, reader }) => {
    const gun = `${name}/team/app`;
    await reader.notary('list', gun);
    for (let rotation = 0; rotation < 3; rotation += 1) await lab.publisher.rotate(gun, 'root');
    assert.match(await reader.notary('list', gun), /1\.0 /);
  },
);

suite.test(
  'the notary client prints why Pinnace refuses a collection',
  [],
  async ({ name, reader }, told) => {
    const done = await reader.tryNotary('list', `${name}/other/app`);
    assert.notEqual(done.code, 0);
    assert.ok(done.output.includes(`pinnace refused ${name}/other/app: `), done.output);
    assert.ok(done.output.includes('(reason pin_mismatch, decision '), done.output);
    told.diagnostic(done.output.trim());
    const unknown = await reader.tryNotary('list', `${name}/team/never-signed`);
    assert.match(unknown.output, /does not have trust data for/);
  },
);

suite.test(
  'docker trust inspect and docker pull with content trust work with Pinnace as trust server and registry',
  DOCKER,
  async ({ scratch, lab, name, reader, image }, told) => {
    const engine = await DockerEngine.start(scratch, lab.place);
    const inspected = await reader.dockerTrustOk(engine, 'inspect', `${name}/team/app`);
    const [{ SignedTags: tags }] = JSON.parse(inspected);
    assert.deepEqual(
      tags.map((tag: { readonly SignedTag: string }) => tag.SignedTag),
      ['1.0', '2.0'],
    );
    const pulled = await reader.docker(engine, 'pull', `${name}/team/app:1.0`);
    assert.equal(pulled.code, 0, pulled.output);
    assert.ok(pulled.output.includes(`${name}/team/app@${image.digest}`), pulled.output);
    told.diagnostic(pulled.output.trim().split('\n').slice(-2).join('; '));
    const unsigned = await reader.docker(engine, 'pull', `${name}/team/app:unsigned`);
    assert.notEqual(unsigned.code, 0);
    assert.match(unsigned.output, /No valid trust data for unsigned/);
  },
);

suite.test(
  'with the Notary server gone, both still work on what was verified',
  DOCKER,
  async ({ scratch, lab, pinnace, name, image }) => {
    const authority = join(scratch.folder('listener'), 'ca.crt');
    const server = { place: lab.place, host: name, url: `https://${name}`, caFile: authority };
    const newcomer = await TrustTools.create(scratch, server, 'newcomer');
    await lab.notary.stop();
    await pinnace.restart();
    const listed = await newcomer.notary('list', `${name}/team/app`);
    assert.ok(listed.includes(image.digest.slice(7)), listed);
    const engine = await DockerEngine.start(scratch, lab.place);
    const pulled = await newcomer.docker(engine, 'pull', `${name}/team/app:2.0`);
    assert.equal(pulled.code, 0, pulled.output);
  },
);
