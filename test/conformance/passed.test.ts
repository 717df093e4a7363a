import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { askRecord, parseRecord, RecordError } from '../../src/app/passed-record.ts';
import { runCommandLine } from '../../src/cli/program.ts';
import { buildImage, buildIndex } from '../support/images.ts';
import { LoopbackServer } from '../support/loopback-server.ts';
import { rejectsWithCode } from '../support/reject-with-code.ts';
import { REGISTRY_HOST, RunningPinnace, Surroundings } from '../support/running-pinnace.ts';

const APP = `${REGISTRY_HOST}/team/app`;
const STRANGER = `sha256:${'e'.repeat(64)}`;

async function printed(
  ...words: readonly string[]
): Promise<{ readonly code: number; readonly stdout: string }> {
  let stdout = '';
  const stdoutSink = {
    write(text: string): void {
      stdout += text;
    },
  };
  // No engine is found there: what is tested has nothing to do with those of this machine.
  const env = { PATH: '/nonexistent' };
  const io = { stdout: stdoutSink, stderr: { write: () => undefined }, env };
  const code = await runCommandLine(words, io);
  return { code, stdout };
}

describe('the record of what passed', () => {
  it('has what was pulled, with its children, by asking and by export, and nothing else', async () => {
    await using around = await Surroundings.start();
    const index = buildIndex([buildImage()]);
    const unpulled = buildImage({ message: 'never pulled' });
    const publisher = around.publisher('team/app');
    publisher.release('1', index);
    publisher.release('2', unpulled);
    const policy = [
      { match: `${REGISTRY_HOST}/**`, trust: 'corp' },
      { match: `${REGISTRY_HOST}/scratch/**`, allowUnverified: true, reason: 'a test' },
      { match: `${REGISTRY_HOST}/audited/**`, trust: 'corp', audit: true },
      { match: `${REGISTRY_HOST}/any/**`, trust: 'corp', digests: 'any' },
    ];
    const config = await around.writeConfig({ policy });
    await using pinnace = await RunningPinnace.start(config);
    assert.equal((await pinnace.get('team/app/manifests/1')).status, 200);
    const own = index.manifest.digest;
    const child = index.images[0]?.manifest.digest ?? '';
    const other = unpulled.manifest.digest;
    const url = `http://127.0.0.1:${pinnace.adminPort}`;
    const relayed = ['scratch', 'audited', 'any'].map((each) => `${REGISTRY_HOST}/${each}/x`);
    const record = await askRecord(url, {
      // More than fit one question.
      digests: [
        own,
        child,
        ...Array.from({ length: 700 }, (_, at) => `digest ${at}`),
        other,
        STRANGER,
      ],
      repositories: [APP, ...relayed, 'NOT a name', ''],
    });
    const { stdout } = await printed('record', '--config', config);
    for (const each of [record, parseRecord(stdout)]) {
      assert.equal(each.since, '2026-11-23T00:00:00.000Z');
      assert.deepEqual(each.repositoriesOf(own), [APP]);
      assert.deepEqual(each.repositoriesOf(child), [APP]);
      assert.deepEqual(each.repositoriesOf(other), []);
      assert.deepEqual(each.repositoriesOf(STRANGER), []);
    }
    assert.deepEqual(relayed.map(record.isRelayed), [true, true, true]);
    assert.deepEqual([APP, 'NOT a name', ''].map(record.isRelayed), [false, false, false]);
  });

  it('is not taken from anybody else', async () => {
    await using around = await Surroundings.start();
    const asked = { digests: [STRANGER], repositories: [] };
    for (const url of [
      around.registry.url,
      'http://127.0.0.1:1',
      'ftp://x',
      'nonsense',
      'http://u:p@127.0.0.1:1',
    ]) {
      await rejectsWithCode(askRecord(url, asked), RecordError, 'record_unusable');
    }
  });
});

describe('an answer that is none', () => {
  const rows: readonly (readonly [string, number, string])[] = [
    ['an error with a list', 500, '{"passed":[]}'],
    ['a success without one', 200, '{"passed":{}}'],
    ['a success that is no JSON', 200, 'passed'],
    ['a redirect', 307, ''],
  ];
  for (const [name, status, body] of rows) {
    it(`is not believed: ${name}`, async () => {
      const server = new LoopbackServer(() => ({
        status,
        body: Buffer.from(body),
        headers: { location: '/x' },
      }));
      await server.start();
      try {
        const asking = askRecord(server.url, { digests: [STRANGER], repositories: [] });
        await rejectsWithCode(asking, RecordError, 'record_unusable');
      } finally {
        await server.stop();
      }
    });
  }
});

describe('pinnace doctor --compare', () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['no record', ['--compare']],
    ['a record without comparing', ['--record', 'x']],
    ['a URL without comparing', ['--pinnace', 'http://x']],
    ['both', ['--compare', '--record', 'x', '--pinnace', 'http://x']],
  ];
  for (const [name, words] of cases) {
    it(`refuses ${name} with 64`, async () => {
      assert.equal((await printed('doctor', ...words)).code, 64);
    });
  }

  it('ends with 2 where the record cannot be read', async () => {
    await using around = await Surroundings.start();
    const file = join(around.folder, 'record');
    await writeFile(file, 'nonsense');
    for (const words of [
      ['--record', file],
      ['--record', `${file}.none`],
      ['--pinnace', around.registry.url],
    ]) {
      const { code, stdout } = await printed('doctor', '--compare', '--json', ...words);
      assert.equal(code, 2);
      const report = JSON.parse(stdout);
      assert.equal(report.verdict, 'unknown');
      assert.match(
        report.problems[1],
        /pinnace record|does not exist|not Pinnace's admin listener/,
      );
    }
  });
});
