import { encodeCanonicalJson } from '../trust/canonical-json.ts';
import { tuf10 } from '../trust/dialect/tuf-1.0.ts';
import type { Envelope } from '../trust/model.ts';
import type { JsonValue } from '../trust/strict-json.ts';
import type { RoleDocument } from './documents.ts';
import { formatJson, objectOf } from './json.ts';

/** The document as a file. */
export function encodeDocument({ signed, signatures }: RoleDocument): Uint8Array {
  const list = [...signatures].map(([keyid, sig]) => objectOf({ keyid, sig }));
  return formatJson(
    new Map<string, JsonValue>([
      ['signatures', list],
      ['signed', signed],
    ]),
  );
}

/** A file as a document; nothing about it has been verified. @throws {TrustError} `malformed` */
export function decodeDocument(role: string, bytes: Uint8Array): RoleDocument {
  const { signed, signatures } = tuf10.parseEnvelope(bytes);
  const byKey = signatures.map(
    ({ keyId, value }) => [keyId, Buffer.from(value).toString('hex')] as const,
  );
  return { role, signed, signatures: new Map(byKey) };
}

/** The document as trust code wants it. */
export function envelopeOf(document: RoleDocument): Envelope {
  return {
    bytes: new Uint8Array(),
    signed: document.signed,
    signedBytes: encodeCanonicalJson(document.signed),
    signatures: [...document.signatures].map(([keyId, hex]) => ({
      keyId,
      method: '',
      value: Buffer.from(hex, 'hex'),
    })),
  };
}
