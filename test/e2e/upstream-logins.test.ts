import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CredentialHelpers } from '../support/credential-helpers.ts';
import { binary } from './support/components.ts';
import { type Image, partOf } from './support/image.ts';
import { BASE_COMPONENTS, Lab } from './support/lab.ts';
import { Pinnace, type PinnaceSettings } from './support/pinnace.ts';
import { Registry, type RegistryUser } from './support/registry.ts';
import type { Scratch } from './support/scratch.ts';
import { LabSuite } from './support/suite.ts';

/** A registry that lets in one user by a htpasswd file, over the content of one that lets in everybody. */
interface World {
  readonly scratch: Scratch;
  readonly lab: Lab;
  readonly guarded: Registry;
}

const USER: RegistryUser = { username: 'AWS', password: 'the password of the lab' };

const suite = new LabSuite<World>(
  'upstream-logins',
  [...BASE_COMPONENTS, 'htpasswd'],
  async (scratch) => {
    const lab = await Lab.start(scratch);
    await lab.pushSigned('team/first:1.0'); // so that there is a root key to anchor
    const guarded = await Registry.start(scratch, lab.place, {
      name: 'guarded',
      user: USER,
      contentOf: lab.registry,
    });
    return { scratch, lab, guarded };
  },
);

/** Starts a Pinnace whose upstream is the guarded registry. */
async function pinnaceOf(
  { scratch, lab, guarded }: World,
  name: string,
  { env, ...upstream }: Readonly<Record<string, unknown>> & Pick<PinnaceSettings, 'env'>,
): Promise<Pinnace> {
  const settings = await lab.settings({
    name,
    upstreams: { [lab.registry.host]: { url: guarded.url, ...upstream } },
    ...(env === undefined ? {} : { env }),
  });
  return await Pinnace.start(scratch, lab.place, settings);
}

/** Pulls all of an image through Pinnace with skopeo. */
async function pull({ scratch, lab }: World, pinnace: Pinnace, name: string): Promise<void> {
  const folder = scratch.folder('pulled', name.replaceAll(/[/:]/g, '-'));
  await lab.place.runOk([
    binary('skopeo'),
    ...['--insecure-policy', 'copy', '-q', '--src-tls-verify=false'],
    ...[`docker://${pinnace.host()}/${name}`, `dir:${folder}`],
  ]);
}

async function pullSigned(world: World, pinnace: Pinnace, name: string): Promise<Image> {
  const image = await world.lab.pushSigned(`${name}:1.0`);
  assert.equal(await pinnace.verdict(name, '1.0'), image.digest);
  await pull(world, pinnace, `${name}:1.0`);
  return image;
}

/** What the guarded registry's access log says of an image: whether it was asked, and with what status it answered. */
async function statuses({ guarded }: World, image: Image): Promise<readonly number[]> {
  const { manifest, config, layer } = partOf(image);
  const lines = await Promise.all(
    [manifest, config, layer].map((each) => guarded.requestsFor(each)),
  );
  return lines.flat().map((line) => Number(/" (\d{3}) /.exec(line)?.[1]));
}

suite.test('without a login the registry refuses, and the refusal says so', [], async (world) => {
  const pinnace = await pinnaceOf(world, 'anonymous', {});
  await world.lab.pushSigned('team/anonymous:1.0');
  assert.equal(await pinnace.verdict('team/anonymous', '1.0'), 'upstream_denied');
});

suite.test(
  'username and passwordFile: a changed password is taken up without a restart',
  [],
  async (world, told) => {
    const file = join(world.scratch.folder('secrets'), 'password');
    await writeFile(file, `${USER.password}\n`);
    const credentials = { username: USER.username, passwordFile: file };
    const pinnace = await pinnaceOf(world, 'password', { credentials });
    const image = await pullSigned(world, pinnace, 'team/password');
    const seen = await statuses(world, image);
    assert.ok(seen.includes(200) && !seen.includes(403), seen.join(' '));
    told.diagnostic(`the registry answered ${seen.join(' ')}`);

    const changed = { ...USER, password: 'another one' };
    await world.guarded.letIn(changed);
    try {
      await world.lab.pushSigned('team/changed:1.0');
      assert.equal(await pinnace.verdict('team/changed', '1.0'), 'upstream_denied');
      await writeFile(file, `${changed.password}\n`);
      await pullSigned(world, pinnace, 'team/changed-too');
      const host = world.lab.registry.host;
      const denied = `pinnace_upstream_logins_total{upstream="${host}",outcome="denied"}`;
      assert.equal(await pinnace.metric(denied), 1);
    } finally {
      await world.guarded.letIn(USER);
    }
  },
);

suite.test('dockerConfig: the file that skopeo login writes', [], async (world) => {
  const file = join(world.scratch.folder('secrets'), 'auth.json');
  await world.lab.place.runOk([
    binary('skopeo'),
    ...['login', '--authfile', file, '--tls-verify=false'],
    ...['-u', USER.username, '-p', USER.password, world.guarded.host],
  ]);
  const pinnace = await pinnaceOf(world, 'docker-config', { credentials: { dockerConfig: file } });
  await pullSigned(world, pinnace, 'team/docker-config');
});

suite.test('helper: a program on the PATH has the login', [], async (world) => {
  const helpers = new CredentialHelpers(world.scratch.folder('helpers'));
  await helpers.writeEcr(USER.password);
  const pinnace = await pinnaceOf(world, 'helper', {
    credentials: { helper: 'ecr-login' },
    env: helpers.environment,
  });
  await pullSigned(world, pinnace, 'team/helper');
  await pullSigned(world, pinnace, 'team/helper-again');
  assert.deepEqual(await helpers.runs('ecr-login'), [`1 get ${world.guarded.host}`]);
});

suite.test(
  'fallback: with the registry gone, the guarded one gives what is signed, by its own login',
  [],
  async (world, told) => {
    const file = join(world.scratch.folder('secrets'), 'fallback');
    await writeFile(file, USER.password);
    const gone = await Registry.start(world.scratch, world.lab.place, {
      name: 'gone',
      contentOf: world.lab.registry,
    });
    const pinnace = await pinnaceOf(world, 'fallback', {
      url: gone.url,
      fallbacks: [
        { url: world.guarded.url, credentials: { username: USER.username, passwordFile: file } },
      ],
    });
    const before = await pullSigned(world, pinnace, 'team/before');
    assert.deepEqual(await statuses(world, before), []);
    await gone.stop();
    const after = await pullSigned(world, pinnace, 'team/after');
    assert.ok((await statuses(world, after)).includes(200));
    const saved = await pinnace.metric('pinnace_upstream_fallbacks_total');
    assert.equal(saved, 3);
    told.diagnostic(`${saved} contents came from the fallback`);
  },
);
