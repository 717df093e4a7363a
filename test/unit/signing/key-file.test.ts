import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { SigningError } from '../../../src/signing/errors.ts';
import {
  createKeyFile,
  type KeyFileOptions,
  readKeyFile,
  readPublicKey,
  writePublicKeyFile,
} from '../../../src/signing/key-file.ts';
import { KeyRing } from '../../../src/signing/key-ring.ts';
import { rejectsWithCode, throwsWithCode } from '../../support/reject-with-code.ts';

const PASSPHRASE = 'correct horse battery staple';
const OPTIONS: KeyFileOptions = { role: 'targets', createdAt: 1_790_000_000_000, cost: 2 ** 14 };

async function encrypted(): Promise<Uint8Array> {
  return (await createKeyFile({ ...OPTIONS, passphrase: PASSPHRASE })).bytes;
}

function edited(bytes: Uint8Array, from: string | RegExp, to: string): Uint8Array {
  const text = Buffer.from(bytes).toString('utf8');
  const next = text.replace(from, to);
  assert.notEqual(next, text);
  return Buffer.from(next);
}

describe('a key file', () => {
  it('gives the key back for its passphrase, however it is composed', async () => {
    const { key, bytes } = await createKeyFile({ ...OPTIONS, passphrase: 'pass\u00e9 pass\u00e9' });
    const file = readKeyFile(bytes);
    assert.equal(file.role, 'targets');
    assert.equal(file.isEncrypted, true);
    assert.equal(file.createdAt, OPTIONS.createdAt);
    assert.equal(file.publicKey.keyId, key.keyId);
    const opened = await file.open('passe\u0301 passe\u0301');
    assert.equal(opened.sign(Buffer.from('x')), key.sign(Buffer.from('x')));
  });

  it('holds nothing readable of the private key', async () => {
    const [one, other] = [await encrypted(), await encrypted()];
    assert.notDeepEqual(one, other);
    const plain = await createKeyFile(OPTIONS);
    const pkcs8 = /"privateKey": "([^"]+)"/.exec(Buffer.from(plain.bytes).toString('utf8'))?.[1];
    assert.match(pkcs8 ?? '', /^MC4CAQAwBQYDK2Vw/);
    assert.doesNotMatch(Buffer.from(one).toString('utf8'), /MC4CAQAwBQYDK2Vw/);
  });

  it('refuses a wrong passphrase, none, and one that is too short', async () => {
    const file = readKeyFile(await encrypted());
    await rejectsWithCode(file.open('wrong'), SigningError, 'wrong_passphrase');
    await rejectsWithCode(file.open(undefined), SigningError, 'passphrase_missing');
    const short = createKeyFile({ ...OPTIONS, passphrase: '1234567' });
    await rejectsWithCode(short, SigningError, 'passphrase_unfit');
  });

  for (const [name, from, to, code] of [
    ['another role', '"targets"', '"root"', 'wrong_passphrase'],
    ['another date', '2026-', '2025-', 'wrong_passphrase'],
    ['a cheaper derivation', '16384', '32768', 'wrong_passphrase'],
  ] as const) {
    it(`does not open after ${name} was written into it`, async () => {
      const file = readKeyFile(edited(await encrypted(), from, to));
      await rejectsWithCode(file.open(PASSPHRASE), SigningError, code);
    });
  }

  for (const [name, from, to] of [
    ['an endless derivation', '16384', '1073741824'],
    ['a derivation that is none', '16384', '16385'],
    ['an unknown cipher', 'aes-256-gcm', 'rot13'],
    ['a nonce of another length', /"nonce": "[^"]+"/, '"nonce": "AAAA"'],
    ['a private key that is no base64', /"privateKey": "[^"]+"/, '"privateKey": "?"'],
  ] as const) {
    it(`is unreadable with ${name}`, async () => {
      const file = readKeyFile(edited(await encrypted(), from, to));
      await rejectsWithCode(file.open(PASSPHRASE), SigningError, 'key_unreadable');
    });
  }

  it('does not pass off one key for another', async () => {
    const [one, other] = [await createKeyFile(OPTIONS), await createKeyFile(OPTIONS)];
    const ids = edited(one.bytes, one.key.keyId, other.key.keyId);
    throwsWithCode(() => readKeyFile(ids), SigningError, 'key_unreadable');
    const text = Buffer.from(other.bytes).toString('utf8');
    const foreign = /"privateKey": "[^"]+"/.exec(text)?.[0] ?? '';
    const mixed = readKeyFile(edited(one.bytes, /"privateKey": "[^"]+"/, foreign));
    await rejectsWithCode(mixed.open(undefined), SigningError, 'key_unreadable');
  });

  it('is read, or refused as unreadable, whatever it holds', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), fc.json().map(Buffer.from)), (bytes) => {
        throwsWithCode(() => readKeyFile(bytes), SigningError, 'key_unreadable');
        throwsWithCode(() => readPublicKey(bytes), SigningError, 'key_unreadable');
      }),
    );
  });
});

describe('a public key', () => {
  it('is read from its file, from the key file, and from PEM', async () => {
    const { key, bytes } = await createKeyFile({ ...OPTIONS, passphrase: PASSPHRASE });
    const handedOver = writePublicKeyFile('targets', key.publicKey);
    assert.equal(readPublicKey(handedOver).keyId, key.keyId);
    assert.equal(readPublicKey(bytes).keyId, key.keyId);
    assert.doesNotMatch(Buffer.from(handedOver).toString('utf8'), /privateKey/);
    const { publicKey } = generateKeyPairSync('ed25519');
    const pem = publicKey.export({ format: 'pem', type: 'spki' });
    assert.match(readPublicKey(Buffer.from(pem)).keyId, /^[0-9a-f]{64}$/);
  });

  it('is refused when it is of another kind', () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const pem = publicKey.export({ format: 'pem', type: 'spki' });
    throwsWithCode(() => readPublicKey(Buffer.from(pem)), SigningError, 'key_unreadable');
    const broken = Buffer.from('-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n');
    throwsWithCode(() => readPublicKey(broken), SigningError, 'key_unreadable');
  });
});

describe('a key ring', () => {
  it('asks once per key, names files that are none, and lets a holder stay out', async () => {
    const [one, other] = [
      await createKeyFile({ ...OPTIONS, passphrase: PASSPHRASE }),
      await createKeyFile({ ...OPTIONS, passphrase: PASSPHRASE }),
    ];
    const asked: string[] = [];
    const found = [
      { path: 'one.json', bytes: one.bytes },
      { path: 'copy.json', bytes: one.bytes },
      { path: 'other.json', bytes: other.bytes },
      { path: 'notes.json', bytes: Buffer.from('{}') },
    ];
    const ring = new KeyRing(found, (path) => {
      asked.push(path);
      return Promise.resolve(path === 'one.json' ? PASSPHRASE : undefined);
    });
    assert.deepEqual([...ring.unreadable.keys()], ['notes.json']);
    assert.equal((await ring.open(one.key.keyId))?.keyId, one.key.keyId);
    await ring.open(one.key.keyId);
    assert.equal(await ring.open(other.key.keyId), undefined);
    assert.equal(await ring.open('0'.repeat(64)), undefined);
    assert.deepEqual(asked, ['one.json', 'other.json']);
  });

  it('asks again for a passphrase that was wrong, as often as it may', async () => {
    const { key, bytes } = await createKeyFile({ ...OPTIONS, passphrase: PASSPHRASE });
    const found = [{ path: 'a.json', bytes }];
    const typed = (_path: string, _file: unknown, attempt: number): Promise<string> =>
      Promise.resolve(attempt < 3 ? 'wrong' : PASSPHRASE);
    assert.equal((await new KeyRing(found, typed, 3).open(key.keyId))?.keyId, key.keyId);
    const twice = new KeyRing(found, typed, 2).open(key.keyId);
    await rejectsWithCode(twice, SigningError, 'wrong_passphrase');
  });

  it('says which file a wrong passphrase was for', async () => {
    const { key, bytes } = await createKeyFile({ ...OPTIONS, passphrase: PASSPHRASE });
    const ring = new KeyRing([{ path: 'a.json', bytes }], () => Promise.resolve('wrong'));
    const error = await rejectsWithCode(ring.open(key.keyId), SigningError, 'wrong_passphrase');
    assert.equal(error.detail['path'], 'a.json');
  });
});
