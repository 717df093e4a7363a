import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parseHosts, readHostsFile, registriesBelow } from '../../../src/cli/doctor-hosts.ts';

const PINNACE = 'https://pinnace.example:5000';
const HUB = 'https://registry-1.docker.io';

interface Row {
  readonly name: string;
  readonly text: string;
  readonly registry?: string;
  readonly endpoints: readonly string[];
  /** Parts of what is odd. */
  readonly odd?: readonly string[];
}

const ROWS: readonly Row[] = [
  { name: 'Pinnace alone', text: `server = "${PINNACE}"\n[host]\n`, endpoints: [PINNACE] },
  {
    name: 'Pinnace alone, without the line that 1.x needs',
    text: `server = "${PINNACE}"\n`,
    endpoints: [PINNACE],
    odd: ['no [host] line'],
  },
  {
    name: 'Pinnace before the registry',
    text: `server = "${HUB}" # the hub\n\n[host."${PINNACE}"]\n  capabilities = ["pull", "resolve"]\n`,
    endpoints: [PINNACE, HUB],
  },
  {
    name: 'Pinnace before the registry, which is not named',
    text: `[host."${PINNACE}"]\n`,
    endpoints: [PINNACE, HUB],
  },
  {
    name: 'another registry',
    text: `[host."${PINNACE}"]\n`,
    registry: 'quay.io',
    endpoints: [PINNACE, 'https://quay.io'],
  },
  {
    name: 'Pinnace twice',
    text: `server = "${PINNACE}"\n[host."${PINNACE}"]\n`,
    endpoints: [PINNACE],
  },
  {
    name: 'a host that only serves content',
    text: `server = "${HUB}"\n[host."${PINNACE}"]\ncapabilities = ["pull"]\n`,
    endpoints: [PINNACE, HUB],
    odd: ['"resolve"'],
  },
  { name: 'a server in a comment', text: `#server = "${PINNACE}"\n[host]\n`, endpoints: [HUB] },
  {
    name: 'tables of headers',
    text: `server = "${PINNACE}"\n[host]\n[host."x".header]\n`,
    endpoints: [PINNACE],
  },
  {
    name: 'an empty file',
    text: '\n# nothing\n',
    endpoints: [HUB],
    odd: ['no [host] line', 'empty'],
  },
];

describe('parseHosts', () => {
  for (const { name, text, registry = 'docker.io', endpoints, odd = [] } of ROWS) {
    it(name, () => {
      const parsed = parseHosts(text, registry);
      assert.deepEqual(parsed.endpoints, endpoints);
      assert.equal(parsed.oddities.length, odd.length, parsed.oddities.join());
      for (const [index, part] of odd.entries()) assert.ok(parsed.oddities[index]?.includes(part));
    });
  }
});

describe('the hosts folder', () => {
  let folder = '';
  const write = async (name: string, text: string): Promise<void> => {
    await mkdir(join(folder, name), { recursive: true });
    await writeFile(join(folder, name, 'hosts.toml'), text);
  };
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pinnace-hosts-'));
    await write('_default', 'server = "https://default.example"\n[host]\n');
    await write('quay.io', 'server = "https://quay.example"\n[host]\n');
    await write('registry.example_5000_', 'server = "https://port.example"\n[host]\n');
    await write('huge.example', `server = "https://huge.example"\n${'#'.repeat(300_000)}\n`);
  });
  after(async () => await rm(folder, { recursive: true, force: true }));

  const rows: readonly (readonly [string, string])[] = [
    ['quay.io', 'https://quay.example'],
    ['registry.example:5000', 'https://port.example'],
    ['docker.io', 'https://default.example'],
    ['huge.example', 'https://default.example'],
  ];
  for (const [registry, endpoint] of rows) {
    it(`${registry} goes to ${endpoint}`, async () =>
      assert.deepEqual((await readHostsFile(folder, registry))?.endpoints, [endpoint]));
  }

  it('names the registries that have a folder of their own', async () => {
    const names = ['huge.example', 'quay.io', 'registry.example:5000'];
    assert.deepEqual((await registriesBelow(folder)).toSorted(), names);
    assert.deepEqual(await registriesBelow(join(folder, 'none')), []);
  });

  it('has nothing for a registry where no folder is', async () =>
    assert.equal(await readHostsFile(join(folder, 'none'), 'docker.io'), undefined));
});
