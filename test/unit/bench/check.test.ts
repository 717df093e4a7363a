import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { requireBytes, requireHead, requireRange, requireRefusal } from '../../bench/check.ts';
import { digestOf, imageOf, Site } from '../../bench/site.ts';
import type { Fault } from '../../support/http-faults.ts';

const image = imageOf('check', 4096);
const { digest } = image.manifest;
const layer = image.layers[0]?.bytes ?? Buffer.alloc(0);
const blob = image.layers[0]?.digest ?? '';
const MANIFEST = '/v2/a/b/manifests/1.0';
const BLOB = `/v2/a/b/blobs/${blob}`;
const RANGE = { first: 100, last: 199, digest: digestOf(layer.subarray(100, 200)) };

let site: Site;
let at: { readonly name: string; readonly url: string };

before(async () => {
  site = await Site.start();
  site.publisher('a/b').push('1.0', image);
  at = { name: 'nginx', url: site.registry.url };
});
after(async () => {
  await site[Symbol.asyncDispose]();
});
beforeEach(() => {
  site.registry.clearFaults();
});

interface Check {
  readonly name: string;
  readonly path: string;
  readonly run: () => Promise<void>;
  readonly faults: readonly (readonly [string, Fault])[];
}

const WRONG_STATUS: readonly [string, Fault] = ['another status', { kind: 'status', status: 204 }];
const WRONG_BYTES: readonly [string, Fault] = ['other bytes', { kind: 'corrupt' }];
const CHECKS: readonly Check[] = [
  {
    name: 'whole content',
    path: MANIFEST,
    run: () => requireBytes(at, MANIFEST, digest),
    faults: [WRONG_STATUS, WRONG_BYTES, ['no bytes', { kind: 'replace', body: Buffer.alloc(0) }]],
  },
  {
    name: 'a head',
    path: MANIFEST,
    run: () => requireHead(at, MANIFEST, digest),
    faults: [
      WRONG_STATUS,
      [
        'another digest',
        { kind: 'status', status: 200, headers: { 'docker-content-digest': 'x' } },
      ],
    ],
  },
  {
    name: 'a part',
    path: BLOB,
    run: () => requireRange(at, BLOB, RANGE),
    faults: [
      ['the whole', { kind: 'status', status: 200, body: layer.toString('latin1') }],
      WRONG_BYTES,
      [
        'another part',
        { kind: 'status', status: 206, headers: { 'content-range': 'bytes 0-99/4096' } },
      ],
    ],
  },
];

for (const { name, path, run, faults } of CHECKS) {
  describe(`${name} that a contender sends`, () => {
    it('may be right', async () => await run());

    for (const [what, fault] of faults) {
      it(`is an error with ${what}`, async () => {
        site.registry.inject(path, fault);
        await assert.rejects(run(), /nginx answers/);
      });
    }
  });
}

describe('a refusal', () => {
  const refused = (headers: Readonly<Record<string, string>>, status = 403): Fault => ({
    kind: 'status',
    status,
    headers,
  });

  it('has its status and its reason', async () => {
    site.registry.inject(MANIFEST, refused({ 'x-pinnace-reason': 'tag_not_signed' }));
    await requireRefusal(at, MANIFEST);
  });

  const cases: readonly (readonly [string, Fault])[] = [
    ['another reason', refused({ 'x-pinnace-reason': 'timestamp_expired' })],
    ['another status', refused({ 'x-pinnace-reason': 'tag_not_signed' }, 200)],
  ];
  for (const [what, fault] of cases) {
    it(`is an error with ${what}`, async () => {
      site.registry.inject(MANIFEST, fault);
      await assert.rejects(requireRefusal(at, MANIFEST), /should be refused/);
    });
  }
});
