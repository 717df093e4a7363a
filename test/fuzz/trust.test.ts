import { it } from 'node:test';
import { checkHistories } from './trust-history.ts';
import { checkBytes, checkCertificates, checkStructures } from './trust-inputs.ts';

/** How many runs each property gets; `npm test` has short ones under test/unit. */
const RUNS = Number(process.env['PINNACE_FUZZ_RUNS'] ?? 2_000);

it('no history of a collection yields a wrong pin', async () => {
  await checkHistories(RUNS);
});

it('no structure does more than be refused', () => {
  checkStructures(RUNS * 10);
});

it('no bytes do more than be refused', () => {
  checkBytes(RUNS * 10);
});

it('no certificate does more than be refused', () => {
  checkCertificates(RUNS * 10);
});
