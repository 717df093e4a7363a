import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatAuthority, parseAuthority } from '../../../src/oci/authority.ts';
import { OciError } from '../../../src/oci/errors.ts';
import { HostNames } from '../../../src/oci/host-names.ts';
import { parseRegistryHost } from '../../../src/oci/names.ts';

const HUB = parseRegistryHost('docker.io');
const CORP = parseRegistryHost('registry.example.com');
const NAMES = new HostNames([
  ['hub.pinnace.example.com', HUB],
  ['pinnace.example.com:5001', HUB],
  ['pinnace.example.com', CORP],
  ['[2001:db8::1]', CORP],
  ['10.0.0.1:5000', CORP],
]);

describe('a host in a request', () => {
  const rows: readonly (readonly [row: string, host: string, registry: string | undefined])[] = [
    ['is found', 'hub.pinnace.example.com', HUB],
    ['is found whatever its port', 'hub.pinnace.example.com:8443', HUB],
    ['is found in capitals', 'HUB.Pinnace.Example.COM', HUB],
    ['is found with a trailing dot', 'hub.pinnace.example.com.', HUB],
    ['is found with a trailing dot and a port', 'hub.pinnace.example.com.:443', HUB],
    ['is found by a port that is written', 'pinnace.example.com:5001', HUB],
    ['is found by a port with zeros before it', 'pinnace.example.com:05001', HUB],
    ['is another one with another port', 'pinnace.example.com:5002', CORP],
    ['is another one without a port', 'pinnace.example.com', CORP],
    ['may be an IPv6 address', '[2001:db8::1]:5000', CORP],
    ['may be an IPv6 address written at length', '[2001:0DB8:0:0:0:0:0:1]', CORP],
    ['is not found without the port that is written', '10.0.0.1', undefined],
    ['is not found by a name that ends the same', 'xhub.pinnace.example.com', undefined],
    ['is not found by a part of a name', 'example.com', undefined],
    ['is not found by a name below it', 'a.hub.pinnace.example.com', undefined],
    ['may have an underscore', 'my_host:5000', undefined],
    ['that names a member of objects is none', 'constructor', undefined],
  ];
  for (const [row, host, registry] of rows) {
    it(row, () => {
      assert.equal(NAMES.registryOf(host), registry);
      assert.equal(NAMES.registryOf(host), registry, 'the second time');
    });
  }

  for (const host of [
    '',
    '.',
    ':5000',
    'a..b',
    'hub.pinnace.example.com..',
    'hub.pinnace.example.com:',
    'hub.pinnace.example.com:65536',
    'hub.pinnace.example.com:5000:1',
    'user@hub.pinnace.example.com',
    'hub.pinnace.example.com, evil.example',
    'hub.pinnace.example.com/',
    'hub%2Epinnace.example.com',
    'hub pinnace',
    'h\u00fcb.example',
    '[::1',
    '[::1%25eth0]',
    '[1.2.3.4]',
    '2001:db8::1',
    'a'.repeat(300),
  ]) {
    it(`is refused: ${JSON.stringify(host.slice(0, 40))}`, () => {
      assert.throws(
        () => NAMES.registryOf(host),
        (error: unknown) => error instanceof OciError && error.code === 'NAME_INVALID',
      );
    });
  }

  it('has one spelling, which is read as it is written', () => {
    const piece = fc.constantFrom('a', 'B', '.', ':', '5', '[', ']', '::', '-', '_', 'x.y', '0');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        try {
          const spelt = formatAuthority(parseAuthority(pieces.join('')));
          assert.equal(formatAuthority(parseAuthority(spelt)), spelt);
        } catch (error) {
          assert.ok(error instanceof OciError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('does not fill the memory, however many there are', () => {
    for (let index = 0; index < 2000; index += 1) {
      assert.equal(NAMES.registryOf(`host-${index}.example`), undefined);
    }
    assert.equal(NAMES.registryOf('hub.pinnace.example.com'), HUB);
  });
});
