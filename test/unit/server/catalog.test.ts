import assert from 'node:assert/strict';
import { it } from 'node:test';
import { RegistryUnderTest } from '../../support/registry-under-test.ts';

it('the catalog has at most 1000 names on a page, whatever is asked, and goes on from there', async () => {
  await using registry = await new RegistryUnderTest().start();
  for (let index = 0; index < 1500; index += 1) {
    registry.pulls.leaveUnverified(`registry.example.com/team/app-${10_000 + index}`);
  }
  for (const path of ['/v2/_catalog', '/v2/_catalog?n=5000']) {
    const first = await registry.get(
      `${path}${path.includes('?') ? '&' : '?'}ns=registry.example.com`,
    );
    const page: readonly string[] = JSON.parse(first.body.toString()).repositories;
    assert.deepEqual([page.length, page[0]], [1000, 'team/app-10000']);
    const next = /^<([^>]+)>; rel="next"$/.exec(String(first.headers['link']))?.[1];
    const second = await registry.get(next ?? '');
    const rest: readonly string[] = JSON.parse(second.body.toString()).repositories;
    assert.deepEqual([rest.length, rest.at(-1)], [500, 'team/app-11499']);
    assert.equal(second.headers['link'], undefined);
  }
});
