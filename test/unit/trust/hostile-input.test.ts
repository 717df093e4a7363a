import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readCertificates } from '../../../src/trust/certificate.ts';
import { parseEnvelope } from '../../../src/trust/dialect/notary-v1.ts';
import { parseTargets } from '../../../src/trust/dialect/notary-v1-targets.ts';
import { TrustError } from '../../../src/trust/errors.ts';
import { asBase64, asTime } from '../../../src/trust/fields.ts';
import { parseStrictJson } from '../../../src/trust/strict-json.ts';
import { requireThreshold } from '../../../src/trust/threshold.ts';
import { encodeWireJson } from '../../support/notary-json.ts';
import { makeRoleKey } from '../../support/notary-keys.ts';
import { throwsWithCode } from '../../support/reject-with-code.ts';
import { authorityFor, NOTARY_RULES, utf8 } from './making.ts';

const MEBIBYTE = 1024 * 1024;

/** Runs `act`, and requires that it takes no more processor time than something in proportion to its input. */
function inTime<Result>(act: () => Result, limitMs = 3_000): Result {
  const started = process.cpuUsage();
  const result = act();
  const tookMs = process.cpuUsage(started).user / 1000;
  assert.ok(tookMs < limitMs, `took ${tookMs} ms`);
  return result;
}

function isRefused(act: () => unknown): void {
  inTime(() => throwsWithCode(act, TrustError, 'malformed'));
}

describe('inputs made to cost time', () => {
  for (const [row, text] of [
    ['an open string', `{"a":"${'x'.repeat(MEBIBYTE)}`],
    ['a string of escapes', `{"a":"${'\\u0041'.repeat(MEBIBYTE / 6)}`],
    ['an open string of quotes', `{"a":"${'\\"'.repeat(MEBIBYTE / 2)}`],
    ['white space', `{"a":${' '.repeat(MEBIBYTE)}`],
    ['digits', `{"a":${'9'.repeat(MEBIBYTE)}}`],
    ['digits of a fraction', `{"a":1.5${'9'.repeat(MEBIBYTE)}}`],
    ['digits of an exponent', `{"a":1e${'9'.repeat(MEBIBYTE)}}`],
    ['zeros', `{"a":${'0'.repeat(MEBIBYTE)}}`],
    ['open brackets', `{"a":${'['.repeat(MEBIBYTE)}`],
    ['open braces', '{"a":'.repeat(MEBIBYTE / 5)],
    ['commas', `{"a":[${','.repeat(MEBIBYTE)}]}`],
  ] as const) {
    it(`are refused: JSON with ${row}`, () => {
      isRefused(() => parseStrictJson(utf8(text)));
    });
  }

  it('are refused: base64', () => {
    for (const text of [
      'A'.repeat(MEBIBYTE + 1),
      `${'AAAA'.repeat(MEBIBYTE / 4)}=`,
      `${'AAAA'.repeat(MEBIBYTE / 4)}-`,
      '='.repeat(MEBIBYTE),
      `${'\r\n'.repeat(MEBIBYTE)}!`,
    ]) {
      isRefused(() => asBase64(text, 'field'));
    }
  });

  it('are refused: times', () => {
    for (const text of [
      `2026-11-23T00:00:00.${'0'.repeat(MEBIBYTE)}Z`,
      '2'.repeat(MEBIBYTE),
      `2026-11-23T00:00:00Z${' '.repeat(MEBIBYTE)}`,
    ]) {
      isRefused(() => asTime(text, 'field'));
    }
  });

  it('are no certificates', () => {
    for (const text of [
      '-----BEGIN CERTIFICATE-----'.repeat(20_000),
      `-----BEGIN CERTIFICATE-----\n${'A'.repeat(MEBIBYTE)}\n-----END CERTIFICATE-----\n`,
      `-----BEGIN CERTIFICATE-----\n${'\n'.repeat(MEBIBYTE)}-----END CERTIFICATE-----\n`,
      '-----END CERTIFICATE-----'.repeat(20_000),
    ]) {
      assert.equal(
        inTime(() => readCertificates(utf8(text))),
        undefined,
      );
    }
  });

  it('cannot have more signatures verified than are allowed in one file', () => {
    const key = makeRoleKey('ecdsa');
    const { keyid, method } = key.sign(utf8('x'));
    const sig = Buffer.alloc(64, 1).toString('base64');
    const signatures = Array.from({ length: 256 }, () => ({ keyid, method, sig }));
    const envelope = parseEnvelope(encodeWireJson({ signed: {}, signatures }));
    inTime(() => {
      const act = (): unknown => requireThreshold(envelope, authorityFor('x', [key]), NOTARY_RULES);
      throwsWithCode(act, TrustError, 'bad_signature');
    });
  });
});

describe('large files', () => {
  it('of 8 MiB with a tag every 80 bytes are read in time', () => {
    const sha256 = Buffer.alloc(32, 1).toString('base64');
    const entry = `{"hashes":{"sha256":"${sha256}"},"length":5}`;
    const count = Math.floor((8 * MEBIBYTE) / (entry.length + 15));
    const entries = Array.from({ length: count }, (_, at) => `"t${at}":${entry}`).join(',');
    const head = '{"signed":{"_type":"Targets","version":1,"expires":"2036-01-01T00:00:00Z"';
    const bytes = utf8(`${head},"targets":{${entries}}},"signatures":[]}`);
    assert.ok(bytes.length > 7 * MEBIBYTE && bytes.length <= 8 * MEBIBYTE);
    const body = inTime(() => parseTargets(parseEnvelope(bytes), 'targets'), 10_000);
    assert.equal(body.targets.size, count);
  });

  it('of 32 MiB that are one string are read in time', () => {
    const text = 'x'.repeat(32 * MEBIBYTE - 100);
    const bytes = utf8(`{"signed":{"a":"${text}"},"signatures":[]}`);
    const envelope = inTime(() => parseEnvelope(bytes), 10_000);
    assert.equal(envelope.signed.get('a'), text);
  });
});
