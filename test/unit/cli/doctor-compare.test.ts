import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseRecord, RecordError } from '../../../src/app/passed-record.ts';
import {
  compareExitCode,
  compareImage,
  compareReport,
  compareText,
  namedDigests,
} from '../../../src/cli/doctor-compare.ts';

const D1 = `sha256:${'1'.repeat(64)}`;
const D2 = `sha256:${'2'.repeat(64)}`;
const HEAD = '{"pinnaceRecord":1,"since":"2026-01-02T03:04:05.000Z"}';
const RECORD = [
  HEAD,
  JSON.stringify({ repository: 'docker.io/library/app', digest: D1 }),
  JSON.stringify({ repository: 'quay.io/team/app', digest: D1 }),
  '',
].join('\n');

describe('parseRecord', () => {
  it('reads what was exported', () => {
    const record = parseRecord(RECORD);
    assert.equal(record.since, '2026-01-02T03:04:05.000Z');
    assert.deepEqual(record.repositoriesOf(D1), ['docker.io/library/app', 'quay.io/team/app']);
    assert.deepEqual(record.repositoriesOf(D2), []);
    assert.deepEqual(record.repositoriesOf('constructor'), []);
    assert.equal(parseRecord('{"pinnaceRecord":1}\n').since, undefined);
  });

  const bad: readonly (readonly [string, string])[] = [
    ['nothing', ''],
    ['something else', '{"hello":1}\n'],
    ['another format', '{"pinnaceRecord":2}\n'],
    ['a line cut off', `${HEAD}\n{"repository":"docker.io/library/app","dig`],
    ['a line without digest', `${HEAD}\n{"repository":"docker.io/library/app"}\n`],
    ['a line without repository', `${HEAD}\n{"digest":"${D1}"}\n`],
  ];
  for (const [name, text] of bad) {
    it(`refuses ${name}`, () =>
      assert.throws(
        () => parseRecord(text),
        (error) => error instanceof RecordError,
      ));
  }
});

describe('compareImage', () => {
  const base = parseRecord(RECORD);
  const record = { ...base, isRelayed: (name: string) => name === 'docker.io/scratch/app' };
  const rows: readonly (readonly [string, string, readonly string[], string])[] = [
    ['the repository on record', 'app:1', [`app@${D1}`], 'passed'],
    ['in full', 'docker.io/library/app:1', [`docker.io/library/app@${D1}`], 'passed'],
    [
      'by Pinnace’s own name',
      'p:5000/docker.io/library/app:1',
      [`p:5000/docker.io/library/app@${D1}`],
      'passed',
    ],
    [
      'by Pinnace’s own name, library left out',
      'p:5000/docker.io/app:1',
      [`p:5000/docker.io/app@${D1}`],
      'passed',
    ],
    ['another repository', 'other:1', [`other@${D1}`], 'other_name'],
    [
      'a name that ends like the one on record',
      'evil.io/x/library/app:1',
      [`evil.io/x/library/app@${D1}`],
      'other_name',
    ],
    ['another digest', 'app:2', [`app@${D2}`], 'never'],
    ['a relayed repository', 'scratch/app:1', [`scratch/app@${D2}`], 'relayed'],
    ['no digest', 'app:dev', [], 'local'],
    ['built by podman', 'localhost/app:dev', [`localhost/app@${D2}`], 'local'],
    ['a registry on this host', 'localhost:5000/app:1', [`localhost:5000/app@${D2}`], 'never'],
    ['a name that is none', 'NOT a name', [`NOT a name@${D2}`], 'never'],
    ['a name that is none, of content on record', 'NOT', [`NOT a name@${D1}`], 'other_name'],
    ['no @', 'x', ['nonsense'], 'never'],
  ];
  for (const [what, name, digests, verdict] of rows) {
    it(`${what}: ${verdict}`, () => {
      const compared = namedDigests([{ name, digests }], []).map((each) =>
        compareImage(each, record),
      );
      assert.deepEqual(
        compared.map((each) => each.verdict),
        [verdict],
      );
    });
  }

  it('judges each name of an image by itself', () => {
    const named = namedDigests([{ name: 'app:1', digests: [`app@${D1}`, `evil@${D1}`] }], []);
    const compared = named.map((each) => compareImage(each, record));
    assert.deepEqual(
      compared.map(({ image, verdict }) => [image, verdict]),
      [
        [`app@${D1}`, 'passed'],
        [`evil@${D1}`, 'other_name'],
      ],
    );
  });

  it('leaves out other registries than those asked for', () => {
    const images = ['a:1', 'quay.io/a:1', 'quay.io.evil/a:1'].map((name) => ({
      name,
      digests: [],
    }));
    const names = (registries: readonly string[]) =>
      namedDigests(images, registries).map(({ image }) => image);
    assert.deepEqual(names(['quay.io']), ['quay.io/a:1']);
    assert.deepEqual(names(['docker.io', 'quay.io']), ['a:1', 'quay.io/a:1']);
    assert.equal(names([]).length, 3);
  });
});

describe('the report of a comparison', () => {
  const at = new Date('2026-11-23T00:00:00Z');
  const engine = { engine: 'docker', engineVersion: '20.10.24', address: 'x' } as const;
  const never = { image: 'app:2\u001b[31m', digest: D2, verdict: 'never' } as const;
  const passed = { image: 'app:1', digest: D1, verdict: 'passed' } as const;
  const local = { image: 'app:dev', verdict: 'local' } as const;

  it('ends with 0, 1 or 2', () => {
    const rows = [
      [[passed, local], [], 0],
      [[passed, never], [], 1],
      [[passed, never], ['podman image ls: x'], 1],
      [[passed], ['podman image ls: x'], 2],
      [[], [], 0],
    ] as const;
    for (const [images, problems, code] of rows) {
      const report = compareReport([{ ...engine, images }], { at, problems });
      assert.equal(compareExitCode(report), code);
    }
  });

  it('says what never passed, nothing of an image’s name reaches the terminal as it is', () => {
    const since = '2026-01-01T00:00:00.000Z';
    const images = [passed, never, local];
    const text = compareText(compareReport([{ ...engine, images }], { at, since, problems: [] }));
    assert.match(text, /^ {2}NEVER PASSED: app:2\\u001b\[31m sha256:2{64}$/m);
    assert.match(text, /^ {2}passed: 1$/m);
    assert.match(text, /^ {2}made here or loaded, hence without digest: 1$/m);
    assert.match(text, /The record begins 2026-01-01T00:00:00\.000Z/);
    assert.ok(!text.includes('\u001b'));
  });
});
