import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { DerElement, DerError, readDer, readDerChildren } from '../../../src/trust/der.ts';
import { der, integer, objectIdentifier, sequence } from '../../support/der.ts';

describe('DER', () => {
  it('reads tag and content in each length form', () => {
    for (const length of [0, 1, 127, 128, 255, 256, 65_535, 65_536]) {
      const content = Buffer.alloc(length, 7);
      const element = readDer(der(0x04, content));
      assert.equal(element.tag, 0x04);
      assert.ok(content.equals(element.content), `length ${length}`);
    }
  });

  it('leaves what follows the element alone', () => {
    const element = readDer(Buffer.concat([integer(Buffer.from([5])), Buffer.from([1, 2, 3])]));
    assert.deepEqual([...element.content], [5]);
  });

  it('reads children in order, and none of nothing', () => {
    const parent = sequence(der(0x01, Buffer.from([0xff])), integer(Buffer.from([9])), der(0x05));
    const children = readDerChildren(readDer(parent));
    assert.deepEqual(
      children.map(({ tag, content }) => [tag, ...content]),
      [[0x01, 0xff], [0x02, 9], [0x05]],
    );
    assert.deepEqual(readDerChildren(undefined), []);
    assert.deepEqual(readDerChildren(readDer(sequence())), []);
  });

  for (const [row, bytes] of [
    ['nothing', []],
    ['a tag alone', [0x30]],
    ['content that is one byte short', [0x04, 0x02, 0x01]],
    ['a long length that is cut off', [0x04, 0x82, 0x01]],
    ['a long length without its content', [0x04, 0x81, 0x80, 0x00]],
    ['an indefinite length', [0x30, 0x80, 0x00, 0x00]],
    ['a length of five bytes', [0x04, 0x85, 0, 0, 0, 0, 1, 0]],
  ] as const) {
    it(`refuses ${row}`, () => {
      assert.throws(() => readDer(Uint8Array.from(bytes)), DerError);
    });
  }

  it('takes a length of four bytes', () => {
    const element = readDer(Uint8Array.from([0x04, 0x84, 0, 0, 0, 2, 1, 2, 3]));
    assert.deepEqual([...element.content], [1, 2]);
  });

  it('refuses a broken child behind a good one', () => {
    const parent = der(0x30, integer(Buffer.from([1])), Buffer.from([0x04, 0x05, 0x01]));
    assert.throws(() => readDerChildren(readDer(parent)), DerError);
  });

  it('fails with nothing but a DerError on random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          for (const child of readDerChildren(readDer(bytes))) child.oid();
        } catch (error) {
          assert.ok(error instanceof DerError);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('DER object identifiers', () => {
  for (const dotted of [
    '0.9.2342',
    '1.2.840.10045.4.3.2',
    '1.2.840.113549.1.1.5',
    '2.5.4.3',
    '2.5.29.37.0',
    '2.16.840.1.101.3.4.2.1',
    '2.39.1',
  ]) {
    it(`reads ${dotted}`, () => {
      assert.equal(readDer(objectIdentifier(dotted)).oid(), dotted);
    });
  }

  it('reads a first arc of 2 with a large second one', () => {
    assert.equal(new DerElement(0x06, Uint8Array.from([0x88, 0x37, 0x03])).oid(), '2.999.3');
  });

  it('gives the empty string for what is none', () => {
    assert.equal(new DerElement(0x04, Uint8Array.from([0x55, 0x04, 0x03])).oid(), '');
    assert.equal(new DerElement(0x06, new Uint8Array()).oid(), '');
    assert.equal(new DerElement(0x06, Uint8Array.of(0x80)).oid(), '0.0', 'an arc that never ends');
  });
});

describe('DER strings', () => {
  for (const [row, tag, bytes, text] of [
    ['UTF8String', 0x0c, Buffer.from('Zoë'), 'Zoë'],
    ['PrintableString', 0x13, Buffer.from('a/b'), 'a/b'],
    ['BMPString', 0x1e, Buffer.from([0x00, 0x61, 0x20, 0xac]), 'a\u20ac'],
  ] as const) {
    it(`reads a ${row}`, () => {
      const element = new DerElement(tag, bytes);
      assert.equal(element.text(), text);
      assert.equal(element.text(), text, 'reading does not change it');
    });
  }
});
