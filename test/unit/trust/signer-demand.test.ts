import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { TrustError } from '../../../src/trust/errors.ts';
import type { TargetsBody } from '../../../src/trust/model.ts';
import type { Search } from '../../../src/trust/search.ts';
import {
  demandKey,
  demandOf,
  findDenied,
  requireSigners,
  type SignedSubject,
  type SignerWord,
  signerDemand,
} from '../../../src/trust/signer-demand.ts';
import { type FoundTarget, findTag } from '../../../src/trust/tag-search.ts';
import { namedConvention } from '../../../src/trust/target-search.ts';

const WORDS: readonly SignerWord[] = ['absent', 'agrees', 'differs'];

/** Signers who say what is written down, and note that they were asked. */
function subjectOf(words: Readonly<Record<string, SignerWord>>): SignedSubject & {
  readonly asked: string[];
} {
  const asked: string[] = [];
  return {
    asked,
    named: { tag: 'v1' },
    roleOf: (signer) => `targets/${signer}`,
    // biome-ignore lint/correctness/useYield: a signer that needs no role
    *wordOf(signer): Search<SignerWord> {
      asked.push(signer);
      return words[signer] ?? 'absent';
    },
  };
}

function outcomeOf(search: Search<unknown>): string {
  try {
    const step = search.next();
    assert.equal(step.done, true);
    return 'enough';
  } catch (error) {
    if (error instanceof TrustError) return error.code;
    throw error;
  }
}

describe('signers by number', () => {
  it('are enough exactly when so many of them agree, whatever the others say', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...WORDS), { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 1, max: 6 }),
        (words, wanted) => {
          const signers = words.map((_, index) => `s${index}`);
          const needed = Math.min(wanted, signers.length);
          const said = Object.fromEntries(signers.map((each, index) => [each, words[index]]));
          const demand = signerDemand({ signers, needed });
          const outcome = outcomeOf(
            requireSigners(demand, subjectOf(said as Record<string, SignerWord>)),
          );
          const agreeing = words.filter((word) => word === 'agrees').length;
          assert.equal(outcome === 'enough', agreeing >= needed);
        },
      ),
    );
  });

  it('are asked in their order and no further than needed', () => {
    const subject = subjectOf({ a: 'absent', b: 'agrees', c: 'agrees', d: 'agrees' });
    const demand = signerDemand({ signers: ['a', 'b', 'c', 'd'], needed: 2 });
    assert.equal(outcomeOf(requireSigners(demand, subject)), 'enough');
    assert.deepEqual(subject.asked, ['a', 'b', 'c']);
  });

  it('say who is missing, and who signed something else', () => {
    const refusal = (words: Record<string, SignerWord>, needed: number): TrustError => {
      const demand = signerDemand({ signers: ['a', 'b', 'c'], needed });
      try {
        requireSigners(demand, subjectOf(words)).next();
      } catch (error) {
        if (error instanceof TrustError) return error;
      }
      throw new Error('expected a refusal');
    };
    const missing = refusal({ a: 'agrees' }, 2);
    assert.deepEqual([missing.code, missing.detail['signer']], ['required_signer_missing', 'b, c']);
    const conflict = refusal({ a: 'agrees', c: 'differs' }, 2);
    assert.deepEqual([conflict.code, conflict.detail['signer']], ['signer_conflict', 'c']);
    assert.equal(refusal({ a: 'differs' }, 3).code, 'signer_conflict');
  });

  it('tell different demands apart, and equal ones not', () => {
    const all = signerDemand({ signers: ['a', 'b'] });
    const some = signerDemand({ signers: ['a', 'b'], needed: 1 });
    const denying = signerDemand({ signers: ['a', 'b'], deniedSigners: ['c'] });
    const keyed = signerDemand({ signers: ['a', 'b'], deniedKeys: new Set(['k']) });
    const keys = [all, some, denying, keyed, ['a', 'b'], ['a']].map(demandKey);
    assert.equal(new Set(keys).size, keys.length);
    assert.equal(demandKey(signerDemand({ signers: ['a', 'b'] })), demandKey(all));
    assert.equal(demandOf(['a', 'b']).needed, 2);
  });

  it('finds a denied one who agrees, and nobody else', () => {
    const search = (words: Record<string, SignerWord>): unknown =>
      findDenied(signerDemand({ signers: [], deniedSigners: ['m', 'n'] }), subjectOf(words)).next()
        .value;
    assert.equal(search({ n: 'agrees' }), 'n');
    assert.equal(search({ m: 'differs', x: 'agrees' }), undefined);
  });
});

describe('denied signers', () => {
  const sha256 = 'a'.repeat(64);
  function body(has: boolean, to: readonly string[] = []): TargetsBody {
    return {
      version: 1,
      expiresAt: 0,
      targets: has ? new Map([['v1', { sha256, length: 1 }]]) : new Map(),
      delegations: to.map((name) => ({
        name,
        paths: name.includes('/') ? [''] : ['*'],
        authority: { role: name, keys: new Map(), threshold: 1 },
      })),
    };
  }
  function drive(
    search: Search<FoundTarget>,
    bodies: Readonly<Record<string, TargetsBody>>,
  ): FoundTarget {
    let step = search.next();
    while (step.done !== true) step = search.next(bodies[step.value.role]);
    return step.value;
  }
  const demand = signerDemand({ signers: [], deniedSigners: ['mallory'] });

  it('mark what they have signed too, in both conventions', () => {
    const notary = { targets: body(true, ['targets/mallory']), 'targets/mallory': body(true) };
    assert.equal(drive(findTag('v1', demand), notary).deniedSigner, 'mallory');
    const clean = { ...notary, 'targets/mallory': body(false) };
    assert.equal(drive(findTag('v1', demand), clean).deniedSigner, undefined);
    const tuf = namedConvention({ prefix: '', suffix: '' });
    const site = { targets: body(true, ['mallory']), mallory: body(true) };
    assert.equal(drive(tuf.find('v1', demand), site).deniedSigner, 'mallory');
  });

  it('mark what they published, though nobody else did', () => {
    const tuf = namedConvention({ prefix: '', suffix: '' });
    const site = { targets: body(false, ['mallory']), mallory: body(true) };
    assert.equal(drive(tuf.find('v1', demand), site).deniedSigner, 'mallory');
    assert.equal(drive(tuf.find('v1', []), site).deniedSigner, undefined);
  });
});
