import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { isUnpackable, UNPACKABLE_BYTES } from '../../../src/oci/unpackable.ts';
import { writeTar } from '../../support/tar.ts';

const FILE = { path: 'bin/sh', content: Buffer.from('#!/bin/sh\n') };
const TAR = writeTar([FILE]);

function start(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(0, UNPACKABLE_BYTES);
}

/** The archive with another checksum field. */
function withChecksum(field: Buffer): Buffer {
  const tar = Buffer.from(TAR);
  field.copy(tar, 148);
  return tar;
}

function sumOf(block: Buffer, signed: boolean): number {
  return start(block).reduce((sum, byte, index) => {
    const value = index >= 148 && index < 156 ? 0x20 : byte;
    return sum + (signed && value > 127 ? value - 256 : value);
  }, 0);
}

describe('an engine could unpack', () => {
  const octal = sumOf(TAR, false).toString(8);
  const binary = Buffer.alloc(8);
  binary.writeUInt32BE(sumOf(TAR, false), 4);
  binary[0] = 0x80;
  const foreign = writeTar([{ ...FILE, path: `b\u00ef${'\u00ef'.repeat(20)}` }]);
  const signedSum = sumOf(foreign, true).toString(8).padStart(6, '0');
  foreign.write(`${signedSum}\0 `, 148, 'latin1');
  // No program writes such a header, but one could: JSON and tar at once.
  const both = Buffer.alloc(UNPACKABLE_BYTES, ' ');
  both.write('{"', 0);
  both.write('0', 156);
  both.write(sumOf(both, false).toString(8), 148);
  const rows: readonly (readonly [row: string, bytes: Uint8Array])[] = [
    ['an archive', TAR],
    ['an archive of old, without the word ustar', withoutMagic()],
    ['one whose checksum is short', withChecksum(Buffer.from(`${octal}\0\0\0`))],
    ['one whose checksum has spaces before it', withChecksum(Buffer.from(octal.padStart(8, ' ')))],
    ['one whose checksum is binary', withChecksum(binary)],
    ['one whose checksum is of signed bytes', foreign],
    ['one that begins as JSON', both],
    ['an empty archive', Buffer.alloc(1024)],
    ['nothing at all', Buffer.alloc(0)],
    ['gzip', gzipSync(TAR)],
    ['zstd', zstdCompressSync(TAR)],
    ['zstd behind a frame to be skipped', Buffer.from([0x5a, 0x2a, 0x4d, 0x18, 0, 0, 0, 0])],
    ['bzip2', Buffer.from('BZh91AY&SY')],
    ['xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00])],
  ];
  for (const [row, bytes] of rows) {
    it(row, () => assert.equal(isUnpackable(start(bytes)), true));
  }
});

describe('no engine could unpack', () => {
  const damaged = Buffer.from(TAR);
  damaged[0] = 0x42;
  const rows: readonly (readonly [row: string, bytes: Uint8Array])[] = [
    ['a signature', Buffer.from('{"critical":{"identity":{"docker-reference":""}}}')],
    ['a long document', Buffer.from(`{"payload":"${'a'.repeat(2000)}"}`)],
    ['a document of spaces', Buffer.alloc(600, ' ')],
    ['a text', Buffer.from('SPDXVersion: SPDX-2.3\n')],
    ['a header with another checksum', damaged],
    ['less than a header', TAR.subarray(0, UNPACKABLE_BYTES - 1)],
    ['other frames', Buffer.from([0x6a, 0x2a, 0x4d, 0x18, 0])],
    ['a binary document', Buffer.from([0xd2, 0x84, 0x43, 0xa1])],
  ];
  for (const [row, bytes] of rows) {
    it(row, () => assert.equal(isUnpackable(start(bytes)), false));
  }
});

it('every archive is one, whatever is in it', () => {
  const name = fc.stringMatching(/^[a-z{":]{1,90}$/);
  fc.assert(
    fc.property(name, fc.uint8Array({ maxLength: 600 }), (path, content) => {
      assert.equal(isUnpackable(start(writeTar([{ path, content }]))), true);
    }),
    { numRuns: 300 },
  );
});

function withoutMagic(): Buffer {
  const tar = Buffer.from(TAR);
  tar.fill(0, 257, 265);
  const sum = sumOf(tar, false).toString(8).padStart(6, '0');
  tar.write(`${sum}\0 `, 148);
  return tar;
}
