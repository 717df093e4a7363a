import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { describe, it } from 'node:test';
import { KeptFiles, type SeenFile } from '../../../src/front/kept-files.ts';
import { sha256Digest } from '../../../src/oci/digest.ts';
import { parseRepositoryName } from '../../../src/oci/names.ts';
import type { FileKeep } from '../../../src/server/peer.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const KEY = 'registry /v2/team/app/blobs/sha256:…';
const EPOCH = 7;
const FOR_MS = 10_000;
const MINUTE_MS = 60_000;
const FILE = { digest: sha256Digest(Buffer.from('content')), size: 7n, mtimeNs: 1n, ino: 2n };

function asking(method: string, headers: Readonly<Record<string, string>> = {}): IncomingMessage {
  return { method, headers } as unknown as IncomingMessage;
}

const PLAIN = asking('GET');

interface Scene {
  readonly clock: FakeClock;
  readonly kept: KeptFiles;
  readonly keep: FileKeep;
}

function scene(): Scene {
  const clock = new FakeClock();
  const keep = { epoch: EPOCH, forMs: FOR_MS, newest: clock.now(), resets: 0 };
  return { clock, keep, kept: new KeptFiles(clock, EPOCH) };
}

function seen(keep: FileKeep | undefined, status = 200): SeenFile {
  return {
    status,
    headers: ['Date', 'yesterday', 'ETag', '"x"', 'date', 'today'],
    content: {
      ...{ file: FILE, range: { start: 0, end: 7 }, requestId: 'abc-1', caller: undefined, keep },
      repository: parseRepositoryName('registry.example.com/team/app'),
    },
  };
}

/** What was kept at the beginning is found, unless `change` says otherwise. */
const ROWS: readonly {
  readonly name: string;
  readonly isFound: boolean;
  readonly change?: (scene: Scene) => void;
  readonly asked?: IncomingMessage;
}[] = [
  { name: 'at once', isFound: true },
  {
    name: 'just before its time is over',
    isFound: true,
    change: ({ clock }) => clock.advance(FOR_MS - 1),
  },
  { name: 'when its time is over', isFound: false, change: ({ clock }) => clock.advance(FOR_MS) },
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
    name: 'when anything was forgotten',
    isFound: false,
    change: ({ kept }) => kept.forget(EPOCH + 1),
  },
  { name: 'when it is gone', isFound: false, change: ({ kept }) => kept.drop(KEY) },
  { name: 'for the headers alone', isFound: false, asked: asking('HEAD') },
  { name: 'for a part', isFound: false, asked: asking('GET', { range: 'bytes=1-2' }) },
  {
    name: 'for one who has something',
    isFound: false,
    asked: asking('GET', { 'if-none-match': '"x"' }),
  },
];

describe('a stored blob is found by a front', () => {
  for (const { name, isFound, change, asked = PLAIN } of ROWS) {
    it(`${name}: ${isFound ? 'yes' : 'no'}`, () => {
      const at = scene();
      at.kept.keep(KEY, PLAIN, seen(at.keep), at.clock.monotonicMs());
      change?.(at);
      assert.equal(at.kept.find(KEY, asked) !== undefined, isFound);
    });
  }

  it('without the moment of the first answer', () => {
    const { kept, keep, clock } = scene();
    kept.keep(KEY, PLAIN, seen(keep), clock.monotonicMs());
    assert.deepEqual(kept.find(KEY, PLAIN)?.headers, ['ETag', '"x"']);
  });
});

describe('a stored blob is not kept', () => {
  it('unless the core says so, of what has been forgotten since, or in part', () => {
    const { kept, keep, clock } = scene();
    const now = clock.monotonicMs();
    kept.keep(KEY, PLAIN, seen(undefined), now);
    kept.keep(KEY, PLAIN, seen({ ...keep, epoch: EPOCH - 1 }), now);
    kept.keep(KEY, PLAIN, seen(keep, 206), now);
    kept.keep(KEY, asking('GET', { range: 'bytes=0-6' }), seen(keep), now);
    assert.equal(kept.find(KEY, PLAIN), undefined);
    kept.forget(EPOCH + 1);
    kept.keep(KEY, PLAIN, seen(keep), now);
    assert.equal(kept.find(KEY, PLAIN), undefined);
  });

  it('for longer than since it was asked for, nor when the core has seen a later time', () => {
    const { kept, keep, clock } = scene();
    kept.keep(KEY, PLAIN, seen(keep), clock.monotonicMs() - FOR_MS);
    assert.equal(kept.find(KEY, PLAIN), undefined);
    const newest = clock.now() + 2 * MINUTE_MS;
    kept.keep(KEY, PLAIN, seen({ ...keep, newest }), clock.monotonicMs());
    assert.equal(kept.find(KEY, PLAIN), undefined);
  });
});
