import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KeptAnswers } from '../../../src/front/kept-answers.ts';
import { type KeptMark, readMark, writeMark } from '../../../src/front/kept-mark.ts';
import { sha256Digest } from '../../../src/oci/digest.ts';
import { parseRepositoryName } from '../../../src/oci/names.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const BYTES = Buffer.from('{"schemaVersion":2}');
const KEY = 'registry /v2/team/app/manifests/1.0';
const EPOCH = 7;
const FOR_MS = 30_000;
const MINUTE_MS = 60_000;

interface Scene {
  readonly clock: FakeClock;
  readonly kept: KeptAnswers;
  readonly mark: KeptMark;
}

function scene(): Scene {
  const clock = new FakeClock();
  const mark: KeptMark = {
    ...{ epoch: EPOCH, forMs: FOR_MS, freshUntil: clock.now() + 10 * MINUTE_MS },
    ...{ scope: 'corp app', newest: clock.now(), resets: 0 },
    repository: parseRepositoryName('registry.example.com/team/app'),
    ...{ tag: '1.0', digest: sha256Digest(BYTES), mediaType: 'application/json' },
    ...{ size: BYTES.length, rule: 'registry.example.com/**' },
  };
  return { clock, kept: new KeptAnswers(clock, EPOCH), mark };
}

/** What was kept at the beginning is found, unless `change` says otherwise. */
const ROWS: readonly {
  readonly name: string;
  readonly isFound: boolean;
  readonly change: (scene: Scene) => void;
}[] = [
  { name: 'at once', isFound: true, change: () => undefined },
  {
    name: 'just before maxAge has passed',
    isFound: true,
    change: ({ clock }) => clock.advance(FOR_MS - 1),
  },
  { name: 'when maxAge has passed', isFound: false, change: ({ clock }) => clock.advance(FOR_MS) },
  {
    name: 'when the signature has expired',
    isFound: false,
    change: ({ clock, mark }) => clock.setWallTime(new Date(mark.freshUntil)),
  },
  {
    name: 'when the clock went back by little',
    isFound: true,
    change: ({ clock }) => clock.setWallTime(new Date(clock.now() - MINUTE_MS)),
  },
  {
    name: 'when the clock went back',
    isFound: false,
    change: ({ clock }) => clock.setWallTime(new Date(clock.now() - MINUTE_MS - 1)),
  },
  {
    name: 'when the clock went back from what only this front has seen',
    isFound: false,
    change({ clock, kept }) {
      clock.setWallTime(new Date(clock.now() + 5_000));
      kept.find(KEY);
      clock.setWallTime(new Date(clock.now() - MINUTE_MS - 1));
    },
  },
  {
    name: 'when its scope was forgotten',
    isFound: false,
    change: ({ kept }) => kept.forget(EPOCH + 1, 'corp app'),
  },
  {
    name: 'when another scope was forgotten',
    isFound: true,
    change: ({ kept }) => kept.forget(EPOCH + 1, 'corp other'),
  },
  {
    name: 'when everything was forgotten',
    isFound: false,
    change: ({ kept }) => kept.forget(EPOCH + 1, undefined),
  },
];

describe('answers that a front keeps', () => {
  for (const { name, isFound, change } of ROWS) {
    it(`${isFound ? 'are' : 'are not'} given ${name}`, () => {
      const at = scene();
      at.kept.keep(KEY, { mark: at.mark, body: BYTES, askedAtMs: at.clock.monotonicMs() });
      change(at);
      assert.equal(at.kept.find(KEY) !== undefined, isFound);
    });
  }

  it('are reckoned from when they were asked for, however long that took', () => {
    const { clock, kept, mark } = scene();
    const askedAtMs = clock.monotonicMs();
    clock.advance(FOR_MS - 1);
    kept.keep(KEY, { mark, body: BYTES, askedAtMs });
    assert.ok(kept.find(KEY) !== undefined);
    clock.advance(1);
    assert.equal(kept.find(KEY), undefined);
  });

  it('are not kept that were on their way when something was forgotten', () => {
    const { clock, kept, mark } = scene();
    kept.forget(EPOCH + 1, 'corp other');
    kept.keep(KEY, { mark, body: BYTES, askedAtMs: clock.monotonicMs() });
    assert.equal(kept.find(KEY), undefined);
  });

  it('are not kept of an epoch that this front has not heard of', () => {
    const { clock, kept, mark } = scene();
    const later = { ...mark, epoch: EPOCH + 1 };
    kept.keep(KEY, { mark: later, body: BYTES, askedAtMs: clock.monotonicMs() });
    assert.equal(kept.find(KEY), undefined);
  });

  it('are not kept with other bytes than the digest says, nor with fewer', () => {
    const { clock, kept, mark } = scene();
    const askedAtMs = clock.monotonicMs();
    kept.keep(KEY, { mark, body: Buffer.alloc(BYTES.length), askedAtMs });
    kept.keep(KEY, { mark: { ...mark, size: BYTES.length + 1 }, body: BYTES, askedAtMs });
    assert.equal(kept.find(KEY), undefined);
  });

  it('have no body until one was seen, and keep it as long as the digest stays', () => {
    const { clock, kept, mark } = scene();
    const askedAtMs = clock.monotonicMs();
    kept.keep(KEY, { mark, body: undefined, askedAtMs });
    assert.equal(kept.find(KEY)?.prepared.body, undefined);
    kept.keep(KEY, { mark, body: BYTES, askedAtMs });
    kept.keep(KEY, { mark, body: undefined, askedAtMs });
    assert.equal(kept.find(KEY)?.prepared.body, BYTES.toString('latin1'));
    const other = { ...mark, digest: sha256Digest(Buffer.from('other')) };
    kept.keep(KEY, { mark: other, body: undefined, askedAtMs });
    assert.equal(kept.find(KEY)?.prepared.body, undefined);
  });

  it('are given again when an operator has lowered the newest time', () => {
    const { clock, kept, mark } = scene();
    clock.setWallTime(new Date(clock.now() + 9 * MINUTE_MS));
    kept.keep(KEY, { mark, body: BYTES, askedAtMs: clock.monotonicMs() });
    assert.ok(kept.find(KEY) !== undefined);
    clock.setWallTime(new Date(mark.newest));
    assert.equal(kept.find(KEY), undefined);
    const reset = { ...mark, resets: 1 };
    kept.keep(KEY, { mark: reset, body: undefined, askedAtMs: clock.monotonicMs() });
    assert.ok(kept.find(KEY) !== undefined);
  });
});

describe('the mark of an answer', () => {
  it('reads as it was written', () => {
    const { mark } = scene();
    assert.deepEqual(readMark(writeMark(mark)), mark);
  });

  for (const member of ['epoch', 'forMs', 'freshUntil', 'newest', 'resets', 'size', 'digest']) {
    it(`is none without ${member}`, () => {
      const { mark } = scene();
      const written = { ...mark, repository: 'registry.example.com/team/app', [member]: undefined };
      const text = Buffer.from(JSON.stringify(written)).toString('base64url');
      assert.equal(readMark(text), undefined);
    });
  }

  for (const text of [undefined, '', 'AAAA', 'e30', ['e30', 'e30']]) {
    it(`is none that reads ${JSON.stringify(text)}`, () => {
      assert.equal(readMark(text), undefined);
    });
  }
});
