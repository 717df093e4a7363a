import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  exactSettings,
  type SettingsSubject,
  settingsCommand,
} from '../../../src/cli/doctor-settings.ts';

const PINNACE = 'http://127.0.0.1:5001';
const BASE: SettingsSubject = {
  engine: 'docker',
  facts: { version: '20.10.24', family: 'whole', store: 'classic' },
  registry: 'docker.io',
  route: {
    endpoints: [`${PINNACE}/`, 'https://registry-1.docker.io'],
    fallsBack: true,
    source: 'docker info',
    oddities: [],
  },
  through: { refusal: 'hard-stop' },
};
const CONTAINERD: SettingsSubject = {
  ...BASE,
  engine: 'containerd',
  facts: { version: '1.6.20', family: 'each' },
  registry: 'quay.io',
  route: { ...BASE.route, settings: '/etc/containerd/certs.d/quay.io/hosts.toml' },
};

describe('the settings that the doctor names', () => {
  const commands: readonly (readonly [string, SettingsSubject, string])[] = [
    ['docker', BASE, `docker --upstream docker.io --address ${PINNACE}`],
    [
      'docker with the containerd store',
      { ...BASE, facts: { ...BASE.facts, store: 'containerd' } },
      `docker --upstream docker.io --address ${PINNACE} --store containerd`,
    ],
    ['containerd', CONTAINERD, `containerd --upstream quay.io --address ${PINNACE}`],
    [
      'an engine that does not come through Pinnace',
      { ...BASE, through: undefined },
      'docker --upstream docker.io --address https://NAME:PORT',
    ],
    [
      'an engine that comes by Pinnace’s own name',
      { ...BASE, registry: 'pinnace.example:5000/docker.io' },
      `docker --upstream docker.io --address ${PINNACE}`,
    ],
  ];
  for (const [name, subject, expected] of commands) {
    it(`names the command for ${name}`, () =>
      assert.equal(settingsCommand(subject), `pinnace engines ${expected}`));
  }

  it('gives the files for docker whole', () => {
    const [daemon, dropIn] = exactSettings(BASE);
    assert.equal(daemon?.path, '/etc/docker/daemon.json');
    assert.deepEqual(JSON.parse(daemon?.text ?? ''), { 'registry-mirrors': [PINNACE] });
    assert.match(dropIn?.text ?? '', /^Environment=NO_PROXY=127\.0\.0\.1$/m);
  });

  it('gives the file of the one registry for containerd, with a single place to ask', () => {
    const [file, ...more] = exactSettings(CONTAINERD);
    assert.deepEqual(more, []);
    assert.equal(file?.path, '/etc/containerd/certs.d/quay.io/hosts.toml');
    assert.match(file?.text ?? '', /^server = "http:\/\/127\.0\.0\.1:5001"$/m);
  });

  it('gives none where it is not known that the first place is Pinnace, or what its address is', () => {
    assert.deepEqual(exactSettings({ ...BASE, through: undefined }), []);
    const route = { ...BASE.route, endpoints: ['docker.io'] };
    assert.deepEqual(exactSettings({ ...BASE, route }), []);
    assert.deepEqual(exactSettings({ ...BASE, engine: 'podman' }), []);
  });
});
