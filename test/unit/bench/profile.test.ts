import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CpuProfile } from '../../bench/profile/inspector.ts';
import { profileTables } from '../../bench/profile/report.ts';
import { moduleOf, summaryOf } from '../../bench/profile/summary.ts';

type Frame = CpuProfile['nodes'][number]['callFrame'];

function frame(functionName: string, url = '', lineNumber = 0): Frame {
  return { functionName, url, lineNumber };
}

describe('a frame of a profile belongs to', () => {
  const cases: readonly (readonly [string, Frame])[] = [
    ['garbage collection', frame('(garbage collector)')],
    ['system calls and the engine', frame('(program)')],
    ['native: writev', frame('writev')],
    ['node:http', frame('onHeadersComplete', 'node:_http_server')],
    ['node:net, streams', frame('write', 'node:internal/streams/writable')],
    ['node:net, streams', frame('onread', 'node:internal/stream_base_commons')],
    ['node:fs', frame('read', 'node:internal/fs/promises')],
    ['node: the rest', frame('normalize', 'node:path')],
    ['src/server', frame('answer', 'file:///opt/src/pinnace/src/server/http-host.ts')],
    ['src/trust', frame('parse', 'file:///pinnace/src/trust/model/root.ts')],
    ['undici', frame('dispatch', 'file:///pinnace/node_modules/undici/lib/src/api/a.js')],
    ['@scope/name', frame('f', 'file:///pinnace/node_modules/@scope/name/a.js')],
  ];
  for (const [module, each] of cases) {
    it(`${module}: ${each.functionName}`, () => assert.equal(moduleOf(each), module));
  }
});

describe('a profile', () => {
  const url = 'file:///pinnace/src/server/http-host.ts';
  const profile: CpuProfile = {
    nodes: [
      { id: 1, callFrame: frame('(idle)') },
      { id: 2, callFrame: frame('answer', url, 9) },
      { id: 3, callFrame: frame('', url, 19) },
      { id: 4, callFrame: frame('writev') },
    ],
    samples: [1, 2, 2, 3, 4, 99],
    timeDeltas: [500, 100, 100, 50, 250, 0],
  };
  const summary = summaryOf(profile);

  it('is added up in shares of the busy time', () => {
    assert.equal(summary.busy, 0.5);
    assert.deepEqual(summary.modules, [
      { name: 'src/server', share: 0.5 },
      { name: 'native: writev', share: 0.5 },
    ]);
  });

  it('names functions of ours with their places', () => {
    assert.deepEqual(summary.functions, [
      { name: '`answer` src/server/http-host.ts:10', share: 0.4 },
      { name: '`(anonymous)` src/server/http-host.ts:20', share: 0.1 },
    ]);
  });

  it('is shown with a column for each path', () => {
    const paths = [
      { path: 'warm tag', seconds: 2, cpuSeconds: 1, ...summary },
      { path: 'cold blob', seconds: 1, cpuSeconds: 1.5, busy: 1, modules: [], functions: [] },
    ];
    const tables = profileTables({ machine: '', startedAt: '', paths }).replaceAll(/ +/g, ' ');
    assert.match(tables, /\| Main thread \| warm tag \| cold blob \|/);
    assert.match(tables, /\| src\/server \| 50\.0 % \| 0\.0 % \|/);
    assert.match(tables, /each second \| 0\.50 \| 1\.50 \|/);
  });

  it('of nothing has no shares', () => {
    const nothing = summaryOf({ nodes: [], samples: [], timeDeltas: [] });
    assert.deepEqual(nothing, { busy: 0, modules: [], functions: [] });
  });
});
