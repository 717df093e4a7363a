import assert from 'node:assert/strict';
import { test } from 'node:test';
import { REASON_CODES } from '../../../src/base/reason-code.ts';
import { undamagedRepository } from '../../support/damage.ts';
import { DAMAGES } from '../../support/damages.ts';

test('every damage has a name of its own and a known reason', () => {
  assert.equal(new Set(DAMAGES.map((damage) => damage.name)).size, DAMAGES.length);
  for (const damage of DAMAGES) {
    for (const reason of [damage.reason, ...(damage.alsoAcceptable ?? [])]) {
      assert.ok(REASON_CODES.includes(reason), `${damage.name}: ${reason}`);
    }
  }
});

test('every damage changes what is served or never ends', () => {
  for (const damage of DAMAGES) {
    const { repository, served } = undamagedRepository();
    const damaged = damage.apply(repository);
    const names = new Set([...served.keys(), ...damaged.keys()]);
    const isChanged = [...names].some((name) => {
      const before = served.get(name);
      const after = damaged.get(name);
      return before === undefined || after === undefined || Buffer.compare(before, after) !== 0;
    });
    assert.ok(isChanged, damage.name);
    if (damage.endless !== undefined) {
      assert.ok(
        [...damaged.keys()].some((name) => damage.endless?.test(name)),
        damage.name,
      );
    }
  }
});
