import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { resolveImage } from '../../../src/cli/resolve.ts';
import type { CommandIo } from '../../../src/cli/serve.ts';
import { resetClock, resetTrust, showTrust } from '../../../src/cli/trust.ts';
import { SqliteState } from '../../../src/store/sqlite-state.ts';
import { buildImage } from '../../support/images.ts';
import { type Publisher, REGISTRY_HOST, Surroundings } from '../../support/running-pinnace.ts';

const APP = `${REGISTRY_HOST}/team/app`;
const BIG = `${REGISTRY_HOST}/team/big`;
const SCRATCH = `${REGISTRY_HOST}/scratch/x`;

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command and keeps what it says. */
async function said(command: (io: CommandIo) => Promise<number>): Promise<Said> {
  const kept = { out: '', err: '' };
  const code = await command({
    stdout: { write: (text: string) => (kept.out += text) },
    stderr: { write: (text: string) => (kept.err += text) },
    env: {},
  });
  return { code, ...kept };
}

describe('commands', () => {
  const image = buildImage({ message: 'commands' });
  let around: Surroundings;
  let app: Publisher;
  let config: string;
  const resolve = (name: string, json = false): Promise<Said> =>
    said((io) => resolveImage(name, { ...io, config, json }));
  const show = (name: string, options: { json?: boolean; offline?: boolean } = {}): Promise<Said> =>
    said((io) => showTrust(name, { ...io, config, ...options }));

  before(async () => {
    around = await Surroundings.start();
    const now = new Date();
    app = around.publisher('team/app', { now });
    for (const role of ['targets/releases', 'targets/alice']) app.trust.addDelegation(role);
    app.release('1.0', image, 'targets/releases');
    app.release('1.0', image, 'targets/alice');
    app.release('owner', image);
    const big = around.publisher('team/big', { now });
    const { digest: sha256, bytes } = image.manifest;
    for (let index = 0; index < 10_000; index += 1) {
      big.trust.sign(`t${index}`, { sha256, length: bytes.length });
    }
    big.publish();
    config = await around.writeConfig({
      policy: [
        { match: APP, trust: 'corp', signers: ['alice'] },
        { match: `${REGISTRY_HOST}/team/*`, trust: 'corp' },
        { match: `${REGISTRY_HOST}/scratch/**`, allowUnverified: true, reason: 'throw-away' },
      ],
    });
  });
  after(() => around[Symbol.asyncDispose]());

  describe('resolve', () => {
    it('explains a pinned tag step by step: 0', async () => {
      const { code, out, err } = await resolve(`${APP}:1.0`);
      assert.deepEqual([code, err], [0, '']);
      assert.equal(out.trim().split('\n').at(-1), `pinned ${image.manifest.digest}`);
      for (const step of [
        `policy rule "${APP}" asks trust source "corp" and needs the signatures of alice`,
        'root admitted by first use',
        'timestamp version 3, expires ',
        'tag 1.0 is signed in targets/releases as ',
        `manifest ${image.manifest.digest} has the right bytes`,
      ]) {
        assert.ok(out.includes(step), `${step} in ${out}`);
      }
    });

    it('gives the same as JSON, the verdict near the top', async () => {
      const { code, out } = await resolve(`${APP}:1.0`, true);
      const report = JSON.parse(out);
      assert.equal(code, 0);
      assert.deepEqual(Object.keys(report).slice(0, 2), ['image', 'verdict']);
      assert.deepEqual(
        [report.verdict, report.digest, report.publishedBy, report.signers, report.size],
        [
          'pinned',
          image.manifest.digest,
          'targets/releases',
          ['alice'],
          image.manifest.bytes.length,
        ],
      );
    });

    it('resolves a digest that is signed', async () => {
      const { code, out } = await resolve(`${APP}@${image.manifest.digest}`);
      assert.equal(code, 0);
      assert.match(out, /pinned sha256:/);
    });

    for (const [name, exit, reason] of [
      [`${APP}:owner`, 1, 'required_signer_missing'],
      [`${APP}:none`, 1, 'tag_not_signed'],
      [`${APP}@sha256:${'0'.repeat(64)}`, 1, 'digest_not_vouched'],
      [`${REGISTRY_HOST}/team/none`, 1, 'no_trust_data'],
      ['alpine', 1, 'no_rule'],
    ] as const) {
      it(`says why not and what to do: ${reason}`, async () => {
        const { code, out } = await resolve(name);
        assert.equal(code, exit);
        assert.ok(out.endsWith(`\nrefused ${reason}\n`), out);
        assert.match(out, /\npinnace refused [^\n]+\nwhat to do: [A-Z][^\n]+\.\n/);
        const report = JSON.parse((await resolve(name, true)).out);
        assert.deepEqual([report.verdict, report.reason], ['refused', reason]);
      });
    }

    it('says that it could not find out: 2', async () => {
      around.notary.inject(/./, { kind: 'status', status: 500 });
      const { code, out } = await resolve(`${REGISTRY_HOST}/team/fresh:1`);
      around.notary.clearFaults();
      assert.equal(code, 2);
      assert.ok(out.endsWith('\ninconclusive trust_server_error\n'), out);
    });

    it('says that nothing is verified where a rule wants it so: 0', async () => {
      const { code, out } = await resolve(`${SCRATCH}:1`);
      assert.equal(code, 0);
      assert.match(out, /lets it through unverified: throw-away\n\npassed-through\n$/);
    });

    for (const name of ['', 'Not An Image', 'a:b:c', 'x@sha256:12', '../..', 'a'.repeat(10_000)]) {
      it(`knows what is no image: ${name.slice(0, 20)}`, async () => {
        const { code, out, err } = await resolve(name);
        assert.deepEqual([code, out], [64, '']);
        assert.match(err, /is not an image reference/);
      });
    }
  });

  describe('trust show', () => {
    it('shows roots, roles, delegations and their tags', async () => {
      const { code, out, err } = await show(APP);
      assert.deepEqual([code, err], [0, '']);
      for (const text of [
        'root admitted by first use on ',
        `    ${app.trust.rootKeyIds[0]} ecdsa-x509, bare key ${app.trust.rootPublicKeyIds[0]}\n`,
        '    targets/alice version 1, expires ',
        '    targets/releases for every tag, key ',
        `    1.0 by targets/releases as ${image.manifest.digest}\n`,
        `    owner by targets as ${image.manifest.digest} (not served: see pinnace resolve)\n`,
      ]) {
        assert.ok(out.includes(text), `${text} in ${out}`);
      }
    });

    it('shows the same from the record, without asking anybody', async () => {
      await show(APP);
      const before = around.notary.requests.length;
      const { code, out } = await show(APP, { offline: true });
      assert.equal(code, 0);
      assert.equal(around.notary.requests.length, before);
      assert.match(out, /1\.0 by targets\/releases as sha256:/);
      assert.match(out, /targets\/alice version 1/);
    });

    it('shows the first of many tags, and all of them as JSON', async () => {
      const { out } = await show(BIG);
      assert.match(out, /10000 signed tags, the first 50:\n/);
      assert.match(out, /\.\.\. and 9950 more: --json shows all\n$/);
      assert.ok(out.split('\n').length < 80);
      const facts = JSON.parse((await show(BIG, { json: true })).out);
      assert.equal(facts.tags.length, 10_000);
      assert.deepEqual(Object.keys(facts.tags[0]), ['tag', 'role', 'digest', 'isServed']);
    });

    it('says what is wrong beside what is on record: 1', async () => {
      await show(APP);
      around.notary.inject(/timestamp/, { kind: 'corrupt', offset: 20 });
      const { code, out } = await show(APP);
      around.notary.clearFaults();
      assert.equal(code, 1);
      assert.match(out, /targets version \d+, expires [\s\S]*\n {2}problem: /);
    });

    it('says that nothing is known: 1', async () => {
      const { code, out } = await show(`${REGISTRY_HOST}/team/none`);
      assert.equal(code, 1);
      assert.match(out, /nothing is on record\n {2}problem: /);
      const offline = await show(`${REGISTRY_HOST}/team/none`, { offline: true });
      assert.deepEqual([offline.code, offline.out.includes('problem')], [1, false]);
    });

    it('needs a rule that has it verified: 1', async () => {
      for (const name of [SCRATCH, 'alpine']) {
        const { code, err } = await show(name);
        assert.equal(code, 1);
        assert.match(err, /^no policy rule has [^\n]+ verified by a trust source\n$/);
      }
    });

    it('lets no control characters of signed names through', async () => {
      const odd = around.publisher('team/odd', { now: new Date() });
      odd.trust.sign('\u001b[2Jx\u202e', { sha256: image.manifest.digest, length: 1 });
      odd.publish();
      const { out } = await show(`${REGISTRY_HOST}/team/odd`);
      assert.ok(out.includes('\\u001b[2Jx\\u202e by targets'), out);
      assert.equal(/[^\n\x20-\x7e]/.test(out), false);
    });
  });

  describe('trust reset and reset-clock', () => {
    it('forgets a collection once, and keeps the reason on record', async () => {
      await show(BIG);
      const reset = (): Promise<Said> =>
        said((io) => resetTrust(BIG, { ...io, config, reason: 'new root keys' }));
      const first = await reset();
      assert.deepEqual([first.code, first.err], [0, '']);
      assert.match(first.out, /^forgot registry\.example\.com\/team\/big /);
      const second = await reset();
      assert.equal(second.code, 1);
      assert.match(second.out, /^nothing was on record/);
      assert.match((await show(BIG, { offline: true })).out, /nothing is on record/);
      const [event] = await withState((state) => state.events(1));
      assert.deepEqual([event?.kind, event?.reason], ['reset', 'new root keys']);
    });

    it('lowers the newest time seen, and keeps the reason on record', async () => {
      const ahead = Date.now() + 86_400_000;
      await withState((state) => state.noteTime(ahead));
      assert.ok((await resolve(`${APP}:1.0`)).out.endsWith('\ninconclusive clock_went_back\n'));
      const reset = (): Promise<Said> =>
        said((io) => resetClock({ ...io, config, reason: 'the clock ran ahead' }));
      const first = await reset();
      assert.equal(first.code, 0);
      assert.ok(first.out.includes(new Date(ahead).toISOString()), first.out);
      assert.equal((await reset()).code, 1);
      assert.equal((await resolve(`${APP}:1.0`)).code, 0);
      const events = await withState((state) => state.events(5));
      assert.deepEqual(
        events.filter(({ kind }) => kind === 'clock-reset').map(({ reason }) => reason),
        ['the clock ran ahead'],
      );
    });
  });

  async function withState<Result>(work: (state: SqliteState) => Promise<Result>): Promise<Result> {
    const state = SqliteState.open(join(around.folder, 'data'), { clock: systemClock });
    try {
      return await work(state);
    } finally {
      state.close();
    }
  }
});
