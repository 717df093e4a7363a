/** Stores random content in the folder given as argument until it is killed; a line of output for each one, `kept` or `lost`. */
import { randomBytes, randomInt } from 'node:crypto';
import { argv, stdout } from 'node:process';
import { systemClock } from '../../src/base/clock.ts';
import { sha256Digest } from '../../src/oci/digest.ts';
import { ContentCheck } from '../../src/resolve/blob-check.ts';
import { DiskContentStore } from '../../src/store/content-store.ts';

const store = new DiskContentStore({ folder: argv[2] ?? '', maxBytes: 1e9, clock: systemClock });
await store.start();

async function storeOne(): Promise<void> {
  const bytes = randomBytes(randomInt(1, 300_000));
  const digest = sha256Digest(bytes);
  const check = new ContentCheck(digest, bytes.length);
  const writer = await store.create(digest, bytes.length);
  for (let start = 0; start < bytes.length; start += 20_000) {
    const chunk = bytes.subarray(start, start + 20_000);
    check.accept(chunk);
    await writer.append([chunk]);
  }
  const isKept = await writer.commit(check);
  await writer.close();
  stdout.write(isKept ? 'kept\n' : 'lost\n');
}

async function storeForever(): Promise<void> {
  for (;;) await storeOne();
}

await Promise.all([storeForever(), storeForever(), storeForever()]);
