import assert from 'node:assert/strict';
import { test } from 'node:test';
import { workersOf } from '../../../src/app/workers.ts';

test('auto means one for each core, and one on Windows, where more are refused', () => {
  const linux = { platform: 'linux', cores: 6 };
  const windows = { platform: 'win32', cores: 6 };
  assert.equal(workersOf({ workers: 'auto' }, linux), 6);
  assert.equal(workersOf({ workers: 3 }, linux), 3);
  assert.equal(workersOf({ workers: 'auto' }, windows), 1);
  assert.equal(workersOf({ workers: 1 }, windows), 1);
  assert.throws(() => workersOf({ workers: 2 }, windows), {
    code: 'config_invalid',
    message: /1\. workers\n +more than one process is not supported on Windows/,
  });
});
