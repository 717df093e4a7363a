import assert from 'node:assert/strict';
import fc from 'fast-check';
import { admittedKeys } from '../../src/trust/anchor.ts';
import { readCertificates } from '../../src/trust/certificate.ts';
import {
  parseEnvelope,
  parseRoot,
  parseSnapshot,
  parseTimestamp,
} from '../../src/trust/dialect/notary-v1.ts';
import { notaryV1 } from '../../src/trust/dialect/notary-v1-dialect.ts';
import { parseTargets } from '../../src/trust/dialect/notary-v1-targets.ts';
import { TrustError } from '../../src/trust/errors.ts';
import { parseKey } from '../../src/trust/keys.ts';
import type { RootBody } from '../../src/trust/model.ts';
import { certificateKeyIds, validRootKeys } from '../../src/trust/root-keys.ts';
import { TrustedRoot } from '../../src/trust/trusted-root.ts';
import { pemBlock } from '../support/der.ts';
import { encodeWireJson, type Json } from '../support/notary-json.ts';
import { NotaryRepository } from '../support/notary-repository.ts';
import { makeCertificate } from '../support/x509.ts';

const GUN = 'registry.example.test/app';
const STRONG_ONLY = { rsaPkcs1v15: false, p224: false };

/** Runs something that may refuse its input, but only with a `TrustError`. */
function mayRefuse(act: () => unknown): void {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof TrustError, `not a TrustError: ${String(error)}`);
  }
}

/** Metadata files with anything anywhere in them are read or refused, and nothing else happens. */
export function checkStructures(numRuns: number): void {
  const repository = new NotaryRepository({ gun: GUN });
  repository.addDelegation('targets/releases');
  repository.sign('v1', { sha256: 'ab'.repeat(32), length: 5 });
  repository.publish();
  const files = ['root', 'timestamp', 'snapshot', 'targets'].map((role): Json => {
    return JSON.parse(repository.bytes(role).toString());
  });
  const anything = fc.oneof(
    fc.constantFrom<Json>(null, true, 0, -1, 1, '', [], {}, '__proto__', 'AA==', 'targets/x'),
    fc
      .jsonValue({ maxDepth: 2 })
      .map((value): Json => JSON.parse(JSON.stringify(value, integersOnly))),
  );
  const property = fc.property(
    fc.constantFrom(...files),
    fc.array(fc.nat(500), { minLength: 1, maxLength: 8 }),
    anything,
    (file, path, value) => {
      const changed = replaceAt(file, path, value);
      mayRefuse(() => {
        const bytes = encodeWireJson(changed);
        const envelope = parseEnvelope(bytes);
        for (const parse of [parseRoot, parseTimestamp, parseSnapshot]) {
          mayRefuse(() => parse(envelope));
        }
        mayRefuse(() => parseTargets(envelope, 'targets'));
        const rules = {
          dialect: notaryV1,
          gun: GUN,
          anchor: { kind: 'first-use' },
          weak: STRONG_ONLY,
        } as const;
        mayRefuse(() => TrustedRoot.admit(bytes, rules, 0));
      });
    },
  );
  fc.assert(property, { numRuns });
}

/** Files with bytes changed, inserted or left out are read or refused. */
export function checkBytes(numRuns: number): void {
  const repository = new NotaryRepository({ gun: GUN });
  repository.publish();
  const files = ['root', 'timestamp', 'snapshot', 'targets'].map((role) => repository.bytes(role));
  const edit = fc.record({
    at: fc.nat(4000),
    remove: fc.nat(3),
    insert: fc.uint8Array({ maxLength: 4 }),
  });
  const property = fc.property(
    fc.constantFrom(...files),
    fc.array(edit, { minLength: 1, maxLength: 4 }),
    (file, edits) => {
      let bytes = Buffer.from(file);
      for (const { at, remove, insert } of edits) {
        const start = at % (bytes.length + 1);
        bytes = Buffer.concat([bytes.subarray(0, start), insert, bytes.subarray(start + remove)]);
      }
      mayRefuse(() => {
        const envelope = parseEnvelope(bytes);
        for (const parse of [parseRoot, parseTimestamp, parseSnapshot]) {
          mayRefuse(() => parse(envelope));
        }
      });
    },
  );
  fc.assert(property, { numRuns });
}

/** Certificates with any byte changed make valid keys or none, and are never a reason to fail otherwise. */
export function checkCertificates(numRuns: number): void {
  const authority = makeCertificate({ commonName: 'authority', isCa: true });
  const leaf = makeCertificate({
    commonName: GUN,
    issuer: authority,
    extendedKeyUsages: ['codeSigning', 'serverAuth'],
    dnsNames: ['a'],
  });
  const anchors = readCertificates(Buffer.from(authority.certPem)) ?? [];
  const change = fc.record({ at: fc.nat(2000), byte: fc.nat(255) });
  const property = fc.property(
    fc.array(change, { minLength: 1, maxLength: 3 }),
    fc.constantFrom('ecdsa-x509', 'rsa-x509'),
    fc.boolean(),
    (changes, keytype, isBundle) => {
      const der = Buffer.from(leaf.certDer);
      for (const { at, byte } of changes) der[at % der.length] = byte;
      const pem = Buffer.from(pemBlock('CERTIFICATE', der) + (isBundle ? authority.certPem : ''));
      certificateKeyIds(pem);
      const keyval = new Map([['public', pem.toString('base64')]]);
      const key = parseKey(
        new Map<string, string | typeof keyval>([
          ['keytype', keytype],
          ['keyval', keyval],
        ]),
        'key',
      );
      const keys = new Map([[key.id, key]]);
      const root: RootBody = {
        version: 1,
        consistentSnapshot: true,
        expiresAt: Number.MAX_SAFE_INTEGER,
        keys,
        roles: new Map([['root', { role: 'root', threshold: 1, keys }]]),
      };
      for (const dates of [Date.now(), 'ignore-dates'] as const) {
        mayRefuse(() => {
          const valid = validRootKeys(root, GUN, dates);
          const anchor = { kind: 'ca', certificates: anchors, acceptCodeSigning: false } as const;
          admittedKeys(valid, anchor, Date.now());
        });
      }
    },
  );
  fc.assert(property, { numRuns });
}

function integersOnly(_name: string, value: unknown): unknown {
  return typeof value === 'number' ? (Number.isSafeInteger(value) ? value : 0) : value;
}

/** The value with one place in it, found by following `path`, replaced. */
function replaceAt(value: Json, path: readonly number[], replacement: Json): Json {
  const [step, ...rest] = path;
  if (step === undefined) return replacement;
  const isList = Array.isArray(value);
  if (value === null || typeof value !== 'object') return replacement;
  const members = isList
    ? value.map((item, at): [string, Json] => [`${at}`, item])
    : [...Object.entries(value)];
  if (members.length === 0) return replacement;
  const chosen = step % members.length;
  const changed = members.map(([name, member], at): [string, Json] => [
    name,
    at === chosen ? replaceAt(member, rest, replacement) : member,
  ]);
  return isList ? changed.map(([, member]) => member) : new Map(changed);
}
