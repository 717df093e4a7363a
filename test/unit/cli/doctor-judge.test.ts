import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { judge, type PullResult, sentenceIn, type Way } from '../../../src/cli/doctor-judge.ts';

const SENTENCE = 'pinnace refused docker.io/pinnace-canary/unsigned:00: it is a canary';
const DENIED = `pull access denied for pinnace-canary/unsigned, repository does not exist or may require 'docker login': denied: ${SENTENCE}`;
const HUB_DENIED =
  "Error response from daemon: pull access denied for pinnace-canary/unsigned, repository does not exist or may require 'docker login': denied: requested access to the resource is denied";
const NO_HUB =
  'Error response from daemon: Get "https://registry-1.docker.io/v2/": dial tcp 192.0.2.10:443: connect: connection refused';
const CTR_403 =
  'ctr: failed to resolve reference "docker.io/pinnace-canary/unsigned:00": pulling from host 127.0.0.1:5001 failed with status code [manifests 00]: 403 Forbidden';
const PODMAN_BLOB =
  'Error: writing blob: storing blob: Error reading blob sha256:aa: invalid status code from registry 403 (Forbidden)';
const mirrorsToo = (last: string): string =>
  `Error: initializing source docker://pinnace-canary/unsigned:00: (Mirrors also failed: [127.0.0.1:5001/pinnace-canary/unsigned:00: reading manifest 00 in 127.0.0.1:5001/pinnace-canary/unsigned: denied: ${SENTENCE}]): docker.io/pinnace-canary/unsigned:00: ${last}`;

interface Row {
  readonly name: string;
  readonly pull: Partial<PullResult>;
  readonly family: Way['family'];
  readonly fallsBack?: boolean;
  /** How the listener refuses that the signed canary came through; absent: it did not come. */
  readonly refusal?: 'deny' | 'hard-stop';
  readonly expected: string;
}

const whole = 'whole' as const;
const each = 'each' as const;
const first = 'first' as const;
const signed = { canary: 'signed' } as const;
const tampered = { canary: 'tampered' } as const;

const ROWS: readonly Row[] = [
  {
    name: 'it was there before',
    pull: { how: 'already_present', hasLanded: true },
    family: whole,
    expected: 'unknown already_present',
  },
  {
    name: 'the unsigned canary landed',
    pull: { hasLanded: true, isGenuine: true },
    family: whole,
    refusal: 'hard-stop',
    expected: 'not-held proven landed',
  },
  {
    name: 'it landed although the pull was cut short',
    pull: { how: 'late', hasLanded: true },
    family: whole,
    expected: 'not-held proven landed',
  },
  {
    name: 'the tampered canary landed',
    pull: { ...tampered, hasLanded: true },
    family: first,
    expected: 'not-held proven landed',
  },
  {
    name: 'the signed canary landed as Pinnace made it',
    pull: { ...signed, hasLanded: true, isGenuine: true },
    family: whole,
    expected: 'held proven served',
  },
  {
    name: 'something else landed in its place',
    pull: { ...signed, hasLanded: true },
    family: whole,
    expected: 'not-held proven other_content',
  },
  {
    name: 'a signed image of the operator landed',
    pull: { ...signed, isOwn: false, hasLanded: true },
    family: whole,
    expected: 'held likely served',
  },
  {
    name: 'a pull that took too long',
    pull: { how: 'late', said: DENIED },
    family: whole,
    refusal: 'deny',
    expected: 'unknown late',
  },
  {
    name: 'a pull that was stopped',
    pull: { how: 'stopped', said: DENIED },
    family: whole,
    refusal: 'deny',
    expected: 'unknown stopped',
  },

  {
    name: 'signed: refused by Pinnace',
    pull: { ...signed, said: DENIED },
    family: whole,
    expected: 'unknown not_served',
  },
  {
    name: 'signed: nobody there',
    pull: { ...signed, said: NO_HUB },
    family: whole,
    expected: 'unknown registry_unreachable',
  },
  {
    name: 'signed: the hub answered',
    pull: { ...signed, said: HUB_DENIED },
    family: whole,
    fallsBack: true,
    expected: 'not-held likely not_through_pinnace',
  },
  {
    name: 'signed: 403 without words, one endpoint',
    pull: { ...signed, said: CTR_403 },
    family: each,
    fallsBack: false,
    expected: 'unknown not_served',
  },
  {
    name: 'signed: 403 without words, two endpoints',
    pull: { ...signed, said: CTR_403 },
    family: each,
    fallsBack: true,
    expected: 'not-held likely not_through_pinnace',
  },
  {
    name: 'signed: the engine broke',
    pull: { ...signed, said: 'ctr: no space left on device' },
    family: each,
    expected: 'unknown unclear',
  },

  {
    name: 'dockerd prints the sentence last',
    pull: { said: DENIED },
    family: whole,
    fallsBack: true,
    refusal: 'deny',
    expected: 'held proven refused',
  },
  {
    name: 'dockerd prints the decoy’s layer type',
    pull: { said: `unsupported media type ${SENTENCE}` },
    family: whole,
    refusal: 'hard-stop',
    expected: 'held proven refused',
  },
  {
    name: 'dockerd prints the hub’s denial',
    pull: { said: HUB_DENIED },
    family: whole,
    fallsBack: true,
    refusal: 'deny',
    expected: 'not-held likely went_on',
  },
  {
    name: 'dockerd cannot reach the hub',
    pull: { said: NO_HUB },
    family: whole,
    fallsBack: true,
    refusal: 'deny',
    expected: 'held likely registry_unreachable',
  },
  {
    name: 'dockerd reaches neither',
    pull: { said: NO_HUB },
    family: whole,
    fallsBack: true,
    expected: 'unknown registry_unreachable',
  },
  {
    name: 'dockerd does not know Pinnace',
    pull: { said: HUB_DENIED },
    family: whole,
    expected: 'not-held likely not_through_pinnace',
  },
  {
    name: 'dockerd broke',
    pull: { said: 'Error response from daemon: no space left on device' },
    family: whole,
    refusal: 'deny',
    expected: 'unknown unclear',
  },
  {
    name: 'dockerd, an altered layer, prints the hub’s denial',
    pull: { ...tampered, said: HUB_DENIED },
    family: whole,
    refusal: 'hard-stop',
    expected: 'not-held likely went_on',
  },

  {
    name: 'containerd accepted the decoy',
    pull: { said: `403 Forbidden - Server message: denied: ${SENTENCE}` },
    family: each,
    fallsBack: true,
    refusal: 'hard-stop',
    expected: 'held proven refused',
  },
  {
    name: 'containerd was refused by the only endpoint',
    pull: { said: CTR_403 },
    family: each,
    fallsBack: false,
    refusal: 'deny',
    expected: 'held likely refused',
  },
  {
    name: 'containerd was refused by the first of two',
    pull: { said: CTR_403 },
    family: each,
    fallsBack: true,
    refusal: 'deny',
    expected: 'not-held likely went_on',
  },
  {
    name: 'containerd prints the sentence of the first of two',
    pull: { said: DENIED },
    family: each,
    fallsBack: true,
    refusal: 'deny',
    expected: 'not-held likely went_on',
  },
  {
    name: 'containerd got 403 where a decoy was due',
    pull: { said: CTR_403 },
    family: each,
    fallsBack: true,
    refusal: 'hard-stop',
    expected: 'not-held likely went_on',
  },
  {
    name: 'containerd, settings unknown',
    pull: { said: CTR_403 },
    family: each,
    refusal: 'deny',
    expected: 'unknown unclear',
  },
  {
    name: 'containerd, an altered layer',
    pull: { ...tampered, said: `denied: ${SENTENCE}` },
    family: each,
    fallsBack: true,
    refusal: 'deny',
    expected: 'held proven refused',
  },
  {
    name: 'containerd, an altered layer, Pinnace not seen',
    pull: { ...tampered, said: CTR_403 },
    family: each,
    fallsBack: true,
    expected: 'not-held likely went_on',
  },
  {
    name: 'containerd does not know Pinnace',
    pull: { said: 'ctr: failed to resolve reference: docker.io/x: not found' },
    family: each,
    fallsBack: true,
    expected: 'not-held likely not_through_pinnace',
  },

  {
    name: 'podman prints the sentence alone',
    pull: { said: `reading manifest 00: denied: ${SENTENCE}` },
    family: first,
    refusal: 'deny',
    expected: 'held proven refused',
  },
  {
    name: 'podman went on and was answered',
    pull: {
      said: mirrorsToo(
        'reading manifest 00 in docker.io/pinnace-canary/unsigned: manifest unknown',
      ),
    },
    family: first,
    refusal: 'deny',
    expected: 'not-held proven went_on',
  },
  {
    name: 'podman went on to a blocked registry',
    pull: { said: mirrorsToo('registry docker.io is blocked in /etc/containers/registries.conf') },
    family: first,
    refusal: 'deny',
    expected: 'held proven refused_and_blocked',
  },
  {
    name: 'podman went on and reached nobody',
    pull: { said: mirrorsToo('pinging container registry: dial tcp: i/o timeout') },
    family: first,
    refusal: 'deny',
    expected: 'held likely registry_unreachable',
  },
  {
    name: 'older podman drops the words of a refused blob',
    pull: { said: PODMAN_BLOB },
    family: first,
    refusal: 'hard-stop',
    expected: 'held likely refused_in_silence',
  },
  {
    name: 'the same words without a canary of Pinnace’s',
    pull: { said: PODMAN_BLOB },
    family: first,
    expected: 'not-held likely not_through_pinnace',
  },
  {
    name: 'podman does not know Pinnace',
    pull: {
      said: 'reading manifest 00 in docker.io/x: requested access to the resource is denied',
    },
    family: first,
    expected: 'not-held likely not_through_pinnace',
  },
];

describe('judge', () => {
  for (const { name, pull, family, fallsBack, refusal, expected } of ROWS) {
    it(`${name}: ${expected}`, () => {
      const result: PullResult = {
        canary: 'unsigned',
        isOwn: true,
        how: 'ended',
        hasLanded: false,
        isGenuine: false,
        said: '',
        ...pull,
      };
      const through = refusal === undefined ? undefined : { refusal };
      const { verdict, certainty, finding } = judge(result, {
        family,
        route: { fallsBack },
        through,
      });
      const sure = verdict === 'unknown' ? '' : ` ${certainty}`;
      assert.equal(`${verdict}${sure} ${finding}`, expected);
    });
  }
});

describe('sentenceIn', () => {
  it('finds the sentence up to the end of its line, and nothing elsewhere', () => {
    assert.equal(sentenceIn(`a\nError: denied: ${SENTENCE}  \nmore`), SENTENCE);
    assert.equal(sentenceIn(HUB_DENIED), undefined);
  });
});
