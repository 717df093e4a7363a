import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { joinedBytes, ownBytes } from '../../../src/base/own-bytes.ts';
import { parseEnvelope } from '../../../src/trust/dialect/notary-v1.ts';
import { tuf10 } from '../../../src/trust/dialect/tuf-1.0.ts';

/** A small buffer as Node makes them: a piece of a larger block. */
function pooled(text: string): Uint8Array {
  const bytes = Buffer.from(text);
  assert.ok(bytes.buffer.byteLength > bytes.length);
  return bytes;
}

function assertOwn(bytes: Uint8Array | undefined): void {
  assert.ok(bytes);
  assert.equal(bytes.buffer.byteLength, bytes.length);
}

describe('bytes that are kept', () => {
  it('are copied out of the block they share with others', () => {
    const own = ownBytes(pooled('abc'));
    assert.deepEqual([...own], [...Buffer.from('abc')]);
    assertOwn(own);
  });

  it('are joined in memory of their own', () => {
    const joined = joinedBytes([pooled('ab'), new Uint8Array(), pooled('c')], 3);
    assert.equal(Buffer.from(joined).toString(), 'abc');
    assertOwn(joined);
  });

  for (const [row, parse, entry] of [
    ['Notary v1', parseEnvelope, { keyid: 'ab', method: 'ecdsa', sig: 'AQI=' }],
    ['TUF 1.0', tuf10.parseEnvelope, { keyid: 'ab', sig: '0102' }],
  ] as const) {
    it(`${row}: signatures and what they are made over hold no block of others`, () => {
      const document = JSON.stringify({ signed: { _type: 'root' }, signatures: [entry] });
      const { signedBytes, signatures } = parse(pooled(document));
      assertOwn(signedBytes);
      assertOwn(signatures[0]?.value);
      assert.deepEqual([...(signatures[0]?.value ?? [])], [1, 2]);
    });
  }
});
