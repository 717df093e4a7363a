import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseRepositoryName } from '../../../src/oci/names.ts';
import { formatTime } from '../../../src/signing/documents.ts';
import { SigningError } from '../../../src/signing/errors.ts';
import {
  type ApprovalEnd,
  approvalEnd,
  isApproved,
  targetEntryOf,
} from '../../../src/signing/image-approval.ts';
import { formatJson, objectOf, withMember } from '../../../src/signing/json.ts';
import { DEFAULT_SETTINGS, readSettings, writeSettings } from '../../../src/signing/settings.ts';
import { parseTargetTemplate, patternsFor } from '../../../src/signing/target-name.ts';
import { matchesPathPattern } from '../../../src/trust/path-pattern.ts';
import { parseStrictJson } from '../../../src/trust/strict-json.ts';
import { throwsWithCode } from '../../support/reject-with-code.ts';
import { DAY, digestOf } from './desk.ts';

describe('target names', () => {
  const repository = parseRepositoryName('Registry.test:5000/team/app');
  for (const [template, name] of [
    ['{registry}/{repository}:{tag}', 'registry.test:5000/team/app:1.0'],
    ['{repository}/{tag}', 'team/app/1.0'],
    ['images/{repository}@{tag}.json', 'images/team/app@1.0.json'],
  ] as const) {
    it(`are made by ${template}, and found by its patterns`, () => {
      const parsed = parseTargetTemplate(template);
      assert.equal(parsed.nameOf(repository, '1.0'), name);
      const covers = (prefix: string): boolean =>
        patternsFor(parsed, prefix).some((pattern) => matchesPathPattern(name, pattern));
      assert.equal(covers('registry.test:5000/team/app'), true);
      assert.equal(covers('registry.test:5000/team/'), true);
      assert.equal(covers('registry.test:5000/'), true);
      assert.equal(covers('registry.test:5000/team/ap'), false);
      assert.equal(covers('registry.test:5000/tea/'), false);
    });
  }

  it('cover an IPv6 registry literally', () => {
    const [pattern] = patternsFor(
      parseTargetTemplate('{registry}/{repository}:{tag}'),
      '[::1]:5000/a',
    );
    assert.equal(matchesPathPattern('[::1]:5000/a:1', pattern ?? ''), true);
    assert.equal(matchesPathPattern('::5000/a:1', pattern ?? ''), false);
  });

  for (const template of [
    '',
    '{repository}',
    '{tag}',
    '{repository}{tag}',
    '{repository}-{tag}',
    '{registry}{repository}:{tag}',
    '{repository}:{tag}:{tag}',
    '{repository}:{tag}*',
    '{repository}:{tag}{digest}',
    '/{repository}:{tag}',
    '{repository}\n:{tag}',
  ]) {
    it(`are not made by ${JSON.stringify(template)}`, () => {
      throwsWithCode(() => parseTargetTemplate(template), SigningError, 'name_unfit');
    });
  }

  for (const prefix of ['', 'registry.test', '/', 'registry.test/Team/', 'r.test//', 'r.test/a*']) {
    it(`are not handed over by ${JSON.stringify(prefix)}`, () => {
      const template = parseTargetTemplate('{registry}/{repository}:{tag}');
      throwsWithCode(() => patternsFor(template, prefix), SigningError, 'name_unfit');
    });
  }
});

describe('settings', () => {
  it('are read as they were written', () => {
    const read = readSettings(writeSettings(DEFAULT_SETTINGS));
    assert.equal(read.template.text, DEFAULT_SETTINGS.template.text);
    assert.deepEqual(read.lifetimes, DEFAULT_SETTINGS.lifetimes);
    assert.equal(read.warnBeforeMs, 30 * DAY);
  });

  const good = Buffer.from(writeSettings(DEFAULT_SETTINGS)).toString('utf8');
  for (const [name, text] of [
    ['no JSON', '{'],
    ['another format', good.replace('collection/1', 'collection/2')],
    ['an unknown member', good.replace('"target"', '"targt"')],
    ['a time without unit', good.replace('"7d"', '"7"')],
    ['a time that is none', good.replace('"7d"', '7')],
    ['a missing lifetime', good.replace('"timestamp"', '"timestmp"')],
    ['a bad template', good.replace('{tag}', '')],
  ] as const) {
    it(`are refused with ${name}`, () => {
      throwsWithCode(() => readSettings(Buffer.from(text)), SigningError, 'settings_unreadable');
    });
  }
});

describe('an approval', () => {
  const now = 1_790_000_000_000;
  const digest = digestOf('a');
  const entryUntil = (expiresAt: number | undefined): ReturnType<typeof objectOf> => {
    const image = { source: 's', digest, length: 1, platforms: [] };
    const { sha256, custom } = targetEntryOf(image, { approvedAt: now, expiresAt });
    return withMember(objectOf({ hashes: { sha256 } }), 'custom', custom);
  };
  for (const [name, until, end, done] of [
    ['without end, nothing said', undefined, 'unsaid', true],
    ['without end, an end asked for', undefined, now + DAY, false],
    ['without end, none asked for', undefined, 'never', true],
    ['with an end, nothing said', now + DAY, 'unsaid', true],
    ['with an end, none asked for', now + DAY, 'never', false],
    ['that has ended, nothing said', now, 'unsaid', false],
    ['with most of the time asked for', now + 8 * DAY, now + 10 * DAY, true],
    ['with little of the time asked for', now + 4 * DAY, now + 10 * DAY, false],
  ] as const satisfies readonly (readonly [string, number | undefined, ApprovalEnd, boolean])[]) {
    it(`${name}, ${done ? 'is enough' : 'is signed anew'}`, () => {
      assert.equal(isApproved(entryUntil(until), digest, { end, now }), done);
      assert.equal(isApproved(entryUntil(until), digestOf('b'), { end, now }), false);
    });
  }

  it('with an end that is no time is not in force', () => {
    const entry = objectOf({ custom: { expiresAt: 'soon' } });
    assert.equal(approvalEnd(entry), 0);
    assert.equal(isApproved(undefined, digest, { end: 'unsaid', now }), false);
  });
});

describe('what is written', () => {
  it('is JSON that reads back the same', () => {
    const value = objectOf({ a: [], b: {}, c: [1, 'x"\n', null, true, { d: -1 }], '': 'é' });
    assert.deepEqual(parseStrictJson(formatJson(value)), value);
  });

  it('has times in whole seconds', () => {
    assert.equal(formatTime(Date.parse('2026-11-23T01:02:03.999Z')), '2026-11-23T01:02:03Z');
  });
});
