import assert from 'node:assert/strict';
import { Containerd } from './support/containerd.ts';
import { Skopeo } from './support/containers-tools.ts';
import { DockerEngine } from './support/docker-engine.ts';
import { Gate } from './support/gate.ts';
import { partOf, publish } from './support/image.ts';
import { BASE_COMPONENTS, Lab } from './support/lab.ts';
import { Pinnace, reasonOf, sentenceOf } from './support/pinnace.ts';
import type { Scratch } from './support/scratch.ts';
import { LabSuite } from './support/suite.ts';
import { eventually } from './support/wait.ts';

/** What publishers and outages do over time; the Notary server is reached through a gate that can be shut. */
interface World {
  readonly scratch: Scratch;
  readonly lab: Lab;
  readonly gate: Gate;
  readonly pinnace: Pinnace;
}

const BRIEF_AGE_MS = 1_000;
const BRIEF_GRACE_MS = 5_000;

const suite = new LabSuite<World>('lifecycle', BASE_COMPONENTS, async (scratch) => {
  const lab = await Lab.start(scratch);
  const gate = await Gate.open(scratch, lab.notary.host);
  await lab.pushSigned('team/first:1.0'); // so that there is a root key to anchor
  const registry = lab.registry.host;
  const source = async (maxAge: string, outageGrace: string): Promise<Record<string, unknown>> =>
    await lab.trust({ url: `https://${gate.host}`, maxAge, outageGrace });
  const pinnace = await Pinnace.start(scratch, lab.place, {
    listeners: { registry: { defaultRegistry: registry } },
    upstreams: { [registry]: { url: lab.registry.url } },
    trust: {
      always: await source('0s', '0s'),
      brief: await source(`${BRIEF_AGE_MS}ms`, `${BRIEF_GRACE_MS}ms`),
      slow: await source('1h', '1h'),
    },
    policy: [
      { match: `${registry}/team/**`, trust: 'always' },
      { match: `${registry}/brief/**`, trust: 'brief' },
      { match: `${registry}/slow/**`, trust: 'slow' },
    ],
  });
  return { scratch, lab, gate, pinnace };
});

suite.test('a tag signed anew is served within maxAge', [], async (world, told) => {
  const first = await world.lab.pushSigned('brief/app:1.0');
  assert.equal(await world.pinnace.verdict('brief/app', '1.0'), first.digest);
  const second = await world.lab.pushSigned('brief/app:1.0');
  const signedAt = performance.now();
  await world.pinnace.becomes('brief/app', '1.0', second.digest);
  const tookMs = performance.now() - signedAt;
  told.diagnostic(`visible after ${Math.round(tookMs)} ms with maxAge ${BRIEF_AGE_MS} ms`);
  assert.ok(tookMs < BRIEF_AGE_MS + 3_000);
});

suite.test(
  'with a long maxAge a tag signed anew is served at once after POST /api/v1/refresh, not before',
  [],
  async (world) => {
    const first = await world.lab.pushSigned('slow/app:1.0');
    assert.equal(await world.pinnace.verdict('slow/app', '1.0'), first.digest);
    const second = await world.lab.pushSigned('slow/app:1.0');
    assert.equal(await world.pinnace.verdict('slow/app', '1.0'), first.digest);
    const answer = await world.pinnace.refresh(world.lab.gun('slow/app'));
    assert.equal(answer.status, 200, answer.body);
    assert.equal(await world.pinnace.verdict('slow/app', '1.0'), second.digest);
  },
);

suite.test(
  'a tag moved at the registry after signing still gives the signed image, to Docker and in its run',
  ['docker', 'dockerd'],
  async (world) => {
    const signed = await world.lab.pushSigned('team/moved:1.0');
    const moved = await world.lab.push('team/moved:1.0');
    assert.notEqual(moved.digest, signed.digest);
    const engine = await DockerEngine.start(world.scratch, world.lab.place);
    const name = `${world.pinnace.host()}/team/moved:1.0`;
    assert.ok((await engine.ok('pull', name)).includes(signed.digest));
    assert.equal(
      await engine.ok('run', '--rm', '--network', 'none', name),
      `${signed.marker} amd64`,
    );
  },
);

suite.test(
  'a signed image that left the registry is missed by name, not replaced',
  [],
  async (world) => {
    const signed = await world.lab.pushSigned('team/gone:1.0');
    await world.lab.registry.forget('team/gone');
    await world.lab.push('team/gone:1.0');
    assert.notEqual(await world.pinnace.verdict('team/gone', '1.0'), signed.digest);
    assert.equal(await world.pinnace.verdict('team/gone', '1.0'), 'manifest_missing');
    await publish(signed, world.lab.registry, 'team/gone:other');
    assert.equal(await world.pinnace.verdict('team/gone', '1.0'), signed.digest);
  },
);

suite.test('a signature withdrawn with the notary tool is a refusal', [], async (world) => {
  const image = await world.lab.pushSigned('team/withdrawn:1.0');
  assert.equal(await world.pinnace.verdict('team/withdrawn', '1.0'), image.digest);
  await world.lab.publisher.notary('remove', '-p', world.lab.gun('team/withdrawn'), '1.0');
  assert.equal(await world.pinnace.verdict('team/withdrawn', '1.0'), 'tag_not_signed');
});

suite.test(
  'a multi-arch index signed with notary addhash is pulled by platform, children included',
  ['docker', 'dockerd', 'containerd', 'ctr'],
  async (world) => {
    const index = await world.lab.pushSigned('team/multi:1.0', {
      spec: { architectures: ['amd64', 'arm64'] },
    });
    const name = `${world.pinnace.host()}/team/multi:1.0`;
    const engine = await DockerEngine.start(world.scratch, world.lab.place);
    assert.ok((await engine.ok('pull', name)).includes(index.digest));
    await engine.ok('pull', '--platform', 'linux/arm64', name);
    const inspected = await engine.ok('image', 'inspect', '-f', '{{.Architecture}} {{.Id}}', name);
    assert.equal(inspected, `arm64 ${partOf(index, 'arm64').config}`);

    const containerd = await Containerd.start(world.scratch, world.lab.place);
    const host = world.pinnace.host();
    await containerd.setHosts(host, `server = "http://${host}"\n[host]\n`);
    const pulled = await containerd.pull(name, '--platform', 'linux/amd64');
    assert.equal(pulled.code, 0, pulled.output);
    assert.ok((await containerd.content()).includes(partOf(index, 'amd64').layer));

    const skopeo = await Skopeo.create(world.scratch, world.lab.place);
    const copied = await skopeo.pull(name, '--all');
    assert.equal(copied.code, 0, copied.output);
  },
);

suite.test(
  'Notary away: verified answers are served and marked for the grace, then refused; back, they are served again',
  [],
  async (world, told) => {
    const image = await world.lab.pushSigned('brief/outage:1.0');
    assert.equal(await world.pinnace.verdict('brief/outage', '1.0'), image.digest);
    assert.match(await world.pinnace.verdict('team/first', '1.0'), /^sha256:/);
    await whileNotaryIsAway(world, async () => {
      const closedAt = performance.now();
      let staleSeen = false;
      let last = '';
      let unsigned = '';
      await eventually(
        async () => {
          const answer = await world.pinnace.manifest('brief/outage', '1.0');
          if (answer.status !== 200) {
            last = reasonOf(answer);
            return true;
          }
          if (answer.headers.has('warning') && !staleSeen) {
            staleSeen = true;
            unsigned = sentenceOf(await world.pinnace.manifest('brief/outage', 'unsigned'));
          }
          return false;
        },
        { what: 'the end of the grace', timeoutMs: 30_000 },
      );
      const servedForMs = Math.round(performance.now() - closedAt);
      told.diagnostic(`served for ${servedForMs} ms without the Notary server, then ${last}`);
      assert.equal(last, 'trust_server_unreachable');
      assert.ok(servedForMs > BRIEF_GRACE_MS - 1_000, 'the grace was granted');
      assert.ok(servedForMs < BRIEF_AGE_MS + BRIEF_GRACE_MS + 5_000, 'the grace had an end');
      assert.ok(staleSeen, 'answers within the grace were marked');
      assert.match(unsigned, /is not signed; that rests on what the trust server said \d+ s ago/);
      assert.equal(
        await world.pinnace.verdict('team/first', '1.0'),
        'trust_server_unreachable',
        'where no grace is configured there is none',
      );
    });
    await world.pinnace.becomes('brief/outage', '1.0', image.digest);
  },
);

suite.test(
  'pinnace resolve with Notary away says so in a sentence and ends with 2',
  [],
  async (world, told) => {
    await whileNotaryIsAway(world, async () => {
      const resolved = await world.pinnace.command('resolve', world.lab.gun('team/first:1.0'));
      assert.equal(resolved.code, 2, resolved.output);
      assert.match(resolved.output, /trust_server_unreachable/);
      told.diagnostic(resolved.output.trim().split('\n').at(-1) ?? '');
    });
  },
);

suite.test(
  'restarted, and killed and started again, with Notary away: what was verified is served, what was not is refused',
  ['docker', 'dockerd'],
  async (world) => {
    const image = await world.lab.pushSigned('slow/warm:1.0');
    const engine = await DockerEngine.start(world.scratch, world.lab.place);
    const name = `${world.pinnace.host()}/slow/warm:1.0`;
    await engine.ok('pull', name);
    await world.lab.pushSigned('slow/cold:1.0');
    await world.lab.registry.stop();
    await whileNotaryIsAway(world, async () => {
      for (const end of ['stop', 'kill9'] as const) {
        await world.pinnace[end]();
        await world.pinnace.begin();
        assert.equal(await world.pinnace.verdict('slow/warm', '1.0'), image.digest, end);
        assert.equal(await world.pinnace.verdict('slow/cold', '1.0'), 'trust_server_unreachable');
        const byDigest = await world.pinnace.manifest('slow/warm', image.digest);
        assert.equal(byDigest.status, 200, 'what was vouched for stays so across restarts');
      }
      const other = await DockerEngine.start(world.scratch, world.lab.place);
      assert.ok((await other.ok('pull', name)).includes(image.digest), 'all of it was on disk');
    });
    await world.lab.registry.resume();
  },
);

suite.test(
  'a Notary server that lost its data and started over is not believed',
  [],
  async (world, told) => {
    const image = await world.lab.pushSigned('team/reset:1.0');
    assert.equal(await world.pinnace.verdict('team/reset', '1.0'), image.digest);
    // The collection is deleted and made again from nothing: lower versions, other keys below the same root key.
    const gun = world.lab.gun('team/reset');
    await world.lab.publisher.notary('delete', '--remote', gun);
    assert.equal(await world.pinnace.verdict('team/reset', '1.0'), 'no_trust_data');
    await world.lab.publisher.init(gun);
    await world.lab.publisher.sign(gun, '1.0', image);
    const verdict = await world.pinnace.verdict('team/reset', '1.0');
    told.diagnostic(`made anew: ${verdict}`);
    assert.doesNotMatch(verdict, /^sha256:/);
  },
);

async function whileNotaryIsAway(world: World, body: () => Promise<void>): Promise<void> {
  await world.gate.close();
  try {
    await body();
  } finally {
    await world.gate.open();
  }
}
