import { it } from 'node:test';
import { checkHistories } from '../../fuzz/trust-history.ts';

it('no history of a collection yields a wrong pin', async () => {
  await checkHistories(60);
});
