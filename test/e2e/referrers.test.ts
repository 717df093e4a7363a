import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Containerd } from './support/containerd.ts';
import { Podman, Skopeo } from './support/containers-tools.ts';
import { DockerEngine } from './support/docker-engine.ts';
import { type Image, partOf } from './support/image.ts';
import { BASE_COMPONENTS, Lab } from './support/lab.ts';
import { Pinnace } from './support/pinnace.ts';
import type { Scratch } from './support/scratch.ts';
import { LabSuite } from './support/suite.ts';

/** A real registry, which keeps no lists of referrers, with a signed image and what is attached to it. */
interface World {
  readonly scratch: Scratch;
  readonly lab: Lab;
  readonly pinnace: Pinnace;
  readonly signed: Image;
}

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const CONFIG = 'application/vnd.oci.image.config.v1+json';
const COSIGN = 'application/vnd.dev.cosign.simplesigning.v1+json';
const NAME = 'team/app';

const suite = new LabSuite<World>('referrers', BASE_COMPONENTS, async (scratch) => {
  const lab = await Lab.start(scratch);
  const signed = await lab.pushSigned(`${NAME}:1.0`);
  const pinnace = await Pinnace.start(scratch, lab.place, await lab.settings());
  return { scratch, lab, pinnace, signed };
});

/** Uploads something to the registry, as whoever may push can. */
async function put(lab: Lab, path: string, bytes: Buffer, mediaType: string): Promise<void> {
  const answer = await fetch(`${lab.registry.url}/v2/${NAME}/${path}`, {
    method: 'PUT',
    headers: { 'content-type': mediaType },
    body: new Uint8Array(bytes),
  });
  assert.equal(answer.status, 201, await answer.text());
}

async function putBlob(lab: Lab, bytes: Buffer): Promise<{ digest: string; size: number }> {
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  const begun = await fetch(`${lab.registry.url}/v2/${NAME}/blobs/uploads/`, { method: 'POST' });
  const place = new URL(begun.headers.get('location') ?? '', lab.registry.url);
  place.searchParams.set('digest', digest);
  const path = `${place.pathname}${place.search}`.replace(`/v2/${NAME}/`, '');
  await put(lab, path, bytes, 'application/octet-stream');
  return { digest, size: bytes.length };
}

async function putManifest(lab: Lab, reference: string, content: object): Promise<Buffer> {
  const mediaType = 'manifests' in content ? INDEX : MANIFEST;
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...content }));
  await put(lab, `manifests/${reference}`, bytes, mediaType);
  return bytes;
}

function tagOf(image: Image, ending = ''): string {
  return `${image.digest.replace(':', '-')}${ending}`;
}

/** What every engine makes of an image's name, and whether anything of it landed. */
async function engines(
  { scratch, lab }: World,
  image: string,
): Promise<ReadonlyMap<string, boolean>> {
  const docker = await DockerEngine.start(scratch, lab.place);
  const containerd = await Containerd.start(scratch, lab.place);
  const podman = await Podman.create(scratch, lab.place);
  await docker.docker('pull', image);
  await containerd.pull(image, '--plain-http');
  await podman.pull(image);
  return new Map([
    ['docker', (await docker.imageIds()).length > 0],
    ['containerd', (await containerd.ctr('images', 'ls', '-q')).stdout.trim() !== ''],
    ['podman', (await podman.digests()).length > 0],
  ]);
}

const ENGINES = ['docker', 'dockerd', 'containerd', 'ctr', 'podman'] as const;
const NOTHING = new Map([
  ['docker', false],
  ['containerd', false],
  ['podman', false],
]);

suite.test(
  'a runnable image under the tag of a signature is pulled from the registry by every engine, and by none through Pinnace',
  ENGINES,
  async (world, told) => {
    const { lab, pinnace, signed } = world;
    const tag = tagOf(signed, '.sig');
    const evil = await lab.push(`${NAME}:${tag}`);
    const direct = await engines(world, `${lab.registry.host}/${NAME}:${tag}`);
    assert.deepEqual([...direct.values()], [true, true, true]);
    assert.deepEqual(await engines(world, `${pinnace.host()}/${NAME}:${tag}`), NOTHING);
    assert.equal((await pinnace.manifest(NAME, tag)).status, 404);
    assert.equal((await pinnace.manifest(NAME, evil.digest)).status, 403);
    told.diagnostic(`directly: ${JSON.stringify([...direct])}`);
  },
);

suite.test(
  'an image whose layer goes by the media type of a signature lands in no engine through Pinnace',
  ENGINES,
  async (world, told) => {
    const { lab, pinnace, signed } = world;
    const tag = tagOf(signed, '.att');
    const other = await lab.push(`${NAME}:other`);
    const { config, layer } = partOf(other);
    const bytes = async (digest: string): Promise<number> =>
      (await readFile(join(other.folder, digest.slice(7)))).length;
    await putManifest(lab, tag, {
      config: { mediaType: CONFIG, digest: config, size: await bytes(config) },
      layers: [{ mediaType: COSIGN, digest: layer, size: await bytes(layer) }],
    });
    const direct = await engines(world, `${lab.registry.host}/${NAME}:${tag}`);
    told.diagnostic(`directly: ${JSON.stringify([...direct])}`);
    assert.ok([...direct.values()].includes(true), 'some engines do not look at media types');
    assert.deepEqual(await engines(world, `${pinnace.host()}/${NAME}:${tag}`), NOTHING);
    const blob = await lab.place.request(`http://${pinnace.host()}/v2/${NAME}/blobs/${layer}`);
    assert.equal(blob.headers.get('x-pinnace-reason'), 'digest_not_vouched');
  },
);

suite.test(
  'skopeo reads a signature of cosign through Pinnace, and a list of referrers is made of the tag that the registry has for it',
  ['skopeo'],
  async ({ scratch, lab, pinnace, signed }, told) => {
    const payload = await putBlob(lab, Buffer.from('{"critical":{"type":"cosign"}}'));
    const empty = await putBlob(lab, Buffer.from('{}'));
    const layers = [{ mediaType: COSIGN, ...payload }];
    const tag = tagOf(signed, '.sig');
    const config = { mediaType: CONFIG, ...empty };
    const manifest = await putManifest(lab, tag, { config, layers });
    const skopeo = await Skopeo.create(scratch, lab.place);
    const raw = await skopeo.skopeo(
      ...['inspect', '--raw', '--tls-verify=false', `docker://${pinnace.host()}/${NAME}:${tag}`],
    );
    assert.equal(raw.stdout, manifest.toString());
    const blob = await lab.place.request(
      `http://${pinnace.host()}/v2/${NAME}/blobs/${payload.digest}`,
    );
    assert.deepEqual([blob.status, blob.body], [200, '{"critical":{"type":"cosign"}}']);
    assert.match(blob.headers.get('warning') ?? '', /^299 - "pinnace has not verified this/);

    const subject = { mediaType: MANIFEST, digest: signed.digest, size: signed.size };
    const referrer = await putManifest(lab, 'sbom', {
      artifactType: 'application/spdx+json',
      config: { mediaType: 'application/vnd.oci.empty.v1+json', ...empty },
      layers: [{ mediaType: 'application/spdx+json', ...payload }],
      subject,
    });
    const digest = `sha256:${createHash('sha256').update(referrer).digest('hex')}`;
    const entry = { mediaType: MANIFEST, digest, size: referrer.length };
    await putManifest(lab, tagOf(signed), { manifests: [entry] });
    const listed = await lab.place.request(
      `http://${pinnace.host()}/v2/${NAME}/referrers/${signed.digest}`,
    );
    assert.equal(listed.status, 200);
    assert.deepEqual(JSON.parse(listed.body).manifests, [
      { ...entry, artifactType: 'application/spdx+json' },
    ]);
    told.diagnostic(listed.body);
  },
);
