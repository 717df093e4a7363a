import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GOOD, load, problemsOf } from './loading.ts';

const TRUST_URL = 'url: https://notary.example.com';

test('the configuration that the cases change has no problem and no warning', async () => {
  assert.deepEqual((await load(GOOD)).warnings, []);
});

test('all problems are reported at once, in the order of the file, with their lines', async () => {
  const yaml = GOOD.replace('127.0.0.1:5000', 'nowhere')
    .replace('trust: corp', 'trust: nobody')
    .replace('url: https://notary', 'maxAge: 1\n    url: http://notary');
  const problems = await problemsOf(`${yaml}colour: blue\n`);
  assert.deepEqual(
    problems.map(({ path, line }) => [path, line]),
    [
      ['listeners.registry.address', 3],
      ['trust.corp.maxAge', 9],
      ['trust.corp.url', 10],
      ['policy[0].trust', 14],
      ['colour', 15],
    ],
  );
});

test('what may be a secret is never repeated', async () => {
  const secret = 'hunter2canary';
  const yaml = `${GOOD.replace('{ url: https://registry.example.com }', `{ url: "https://ci:${secret}@registry.example.com", proxy: "http://a:${secret}@p", credentials: { username: ci, password: ${secret}, passwordFile: ${secret} } }`).replace(TRUST_URL, `url: "https://${secret}@x"`)}`;
  const problems = await problemsOf(yaml);
  assert.equal(JSON.stringify(problems).includes(secret), false);
  const broken = await problemsOf(`${GOOD}password: [${secret}\n`);
  assert.equal(JSON.stringify(broken).includes(secret), false);
});
