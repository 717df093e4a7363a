import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeCanonicalJson } from '../../src/trust/canonical-json.ts';
import { parseKey } from '../../src/trust/keys.ts';
import { parseStrictJson } from '../../src/trust/strict-json.ts';
import { TrustBench, verdictOf } from '../support/trust-bench.ts';
import {
  handSignedCases,
  readVectorJson,
  toolMadeCases,
  type VectorCase,
  type VectorStep,
} from '../support/vectors.ts';

/** The two vectors whose stated verdict needs an algorithm that is off unless named in the configuration. */
const WEAK = new Map([
  ['keytypes-rsa-pkcs1', { rsaPkcs1v15: true, p224: false }],
  ['keytypes-p224', { rsaPkcs1v15: false, p224: true }],
]);

/** Sequences beyond those in the case files, from the vectors' README. */
const EXTRA_SEQUENCES = [
  { name: 'root-rotation', states: ['state-1', 'state-3'], tag: 'v1', verdict: 'ok' },
  { name: 'root-rotation', states: ['state-3'], tag: 'v1', verdict: 'ok' },
  { name: 'root-rotation', states: ['state-3', 'state-1'], tag: 'v1', verdict: 'rollback' },
  { name: 'root-rotation', states: ['state-2', 'state-1'], tag: 'v1', verdict: 'rollback' },
  { name: 'key-rotation', states: ['state-1', 'state-4'], tag: 'v1', verdict: 'ok' },
  { name: 'key-rotation', states: ['state-4', 'state-3'], tag: 'v1', verdict: 'rollback' },
  { name: 'key-rotation', states: ['state-3', 'state-2'], tag: 'v1', verdict: 'rollback' },
  { name: 'key-rotation', states: ['state-4', 'state-1'], tag: 'v1', verdict: 'threshold_not_met' },
  { name: 'signer-removed', states: ['state-3', 'state-1'], tag: '1.0', verdict: 'rollback' },
] as const;

async function runStep(bench: TrustBench, step: VectorStep): Promise<void> {
  bench.serve(step.files);
  bench.clock.setWallTime(step.at);
  for (const { tag, verdict, digest, role } of step.expect) {
    const actual = await verdictOf(bench, tag);
    const stated = verdict === 'ok' ? { verdict, digest, role: role ?? actual.role } : { verdict };
    assert.deepEqual(actual, stated, `${step.serve} ${step.at} ${tag}`);
  }
}

function newBench({ gun, anchor, name }: VectorCase): TrustBench {
  const weak = WEAK.get(name);
  return new TrustBench({ gun, anchor, ...(weak === undefined ? {} : { rules: { weak } }) });
}

for (const [family, cases] of [
  ['tool-made', toolMadeCases()],
  ['hand-signed', handSignedCases()],
] as const) {
  describe(`Notary v1 vectors, ${family}`, () => {
    for (const vector of cases) {
      it(`${vector.name}: every stated verdict`, async () => {
        const bench = newBench(vector);
        for (const step of vector.steps) await runStep(bench, step);
      });
      it(`${vector.name}: the same with a restart between the steps`, async () => {
        const bench = newBench(vector);
        for (const step of vector.steps) {
          await runStep(bench, step);
          bench.restart();
        }
      });
    }
  });
}

describe('Notary v1 vectors, counted', () => {
  it('are all there', () => {
    assert.equal(handSignedCases().length, 147);
    assert.equal(toolMadeCases().length, 11);
  });

  it('name their signers as required-signer rules see them', async () => {
    for (const vector of [...toolMadeCases(), ...handSignedCases()]) {
      const step = vector.steps[0];
      if (step === undefined) continue;
      const bench = newBench(vector);
      bench.serve(step.files);
      bench.clock.setWallTime(step.at);
      for (const { tag, signers } of step.expect) {
        for (const signer of signers ?? []) {
          assert.equal((await verdictOf(bench, tag, [signer])).verdict, 'ok', vector.name);
        }
      }
    }
  });

  it('weak algorithms are refused unless they are named', async () => {
    for (const vector of handSignedCases().filter(({ name }) => WEAK.has(name))) {
      const bench = new TrustBench({ gun: vector.gun, anchor: vector.anchor });
      bench.serve(vector.steps[0]?.files ?? new Map());
      assert.equal((await verdictOf(bench, 'v1')).verdict, 'bad_signature', vector.name);
    }
  });
});

describe('Notary v1 vectors, required signers', () => {
  const vector = handSignedCases().find(({ name }) => name === 'required-signers');
  for (const [tag, verdict] of [
    ['rel1', 'ok'],
    ['rel2', 'required_signer_missing'],
    ['rel3', 'signer_conflict'],
  ] as const) {
    it(`${tag} with alice and bob required: ${verdict}`, async () => {
      assert.ok(vector !== undefined);
      const bench = newBench(vector);
      bench.serve(vector.steps[0]?.files ?? new Map());
      assert.equal((await verdictOf(bench, tag, ['alice', 'bob'])).verdict, verdict);
    });
  }
});

describe('Notary v1 vectors, extra sequences', () => {
  for (const { name, states, tag, verdict } of EXTRA_SEQUENCES) {
    it(`${name} ${states.join(', ')}: ${verdict}`, async () => {
      const vector = toolMadeCases().find((each) => each.name === name);
      assert.ok(vector !== undefined);
      const bench = newBench(vector);
      let last = '';
      for (const state of states) {
        const step = vector.steps.find(({ serve }) => serve === state);
        assert.ok(step !== undefined);
        bench.serve(step.files);
        bench.clock.setWallTime(step.at);
        last = (await verdictOf(bench, tag)).verdict;
      }
      assert.equal(last, verdict);
    });
  }
});

describe('Notary v1 vectors, canonical JSON', () => {
  interface Vector {
    readonly name: string;
    readonly input_base64: string;
    readonly canonical_base64: string | null;
    readonly strict: string;
  }
  for (const vector of readVectorJson<readonly Vector[]>('canonical-json/vectors.json')) {
    it(`${vector.name}: ${vector.strict}`, () => {
      const encode = (): string =>
        Buffer.from(
          encodeCanonicalJson(parseStrictJson(Buffer.from(vector.input_base64, 'base64'))),
        ).toString('base64');
      if (vector.strict === 'accept') assert.equal(encode(), vector.canonical_base64);
      else assert.throws(encode, { code: 'malformed' });
    });
  }
});

describe('Notary v1 vectors, key ids', () => {
  interface Vector {
    readonly source: string;
    readonly keytype: string;
    readonly public: string;
    readonly key_id: string;
    readonly canonical_key_id: string;
  }
  for (const vector of readVectorJson<readonly Vector[]>('key-ids/vectors.json')) {
    it(`${vector.source} ${vector.keytype}`, () => {
      const key = parseKey(
        new Map<string, string | Map<string, string>>([
          ['keytype', vector.keytype],
          ['keyval', new Map([['public', vector.public]])],
        ]),
        'key',
      );
      assert.equal(key.id, vector.key_id);
      assert.equal(key.canonicalId, vector.canonical_key_id);
    });
  }
});
