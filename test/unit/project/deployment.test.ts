import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { parse } from 'yaml';
import { z } from 'zod';
import { loadConfig } from '../../../src/config/load.ts';
import { projectFiles, textOf } from './project-files.ts';

const composeFile = z.object({
  services: z.record(
    z.string(),
    z.object({
      image: z.string().optional(),
      ports: z.array(z.string()),
      read_only: z.boolean().optional(),
      cap_drop: z.array(z.string()).optional(),
      volumes: z.array(z.string()).default([]),
    }),
  ),
  volumes: z.record(z.string(), z.null()),
});

test('the image runs as a user without rights, from a base that can be chosen', () => {
  const last =
    textOf('Dockerfile')
      .split(/^FROM /m)
      .at(-1) ?? '';
  assert.match(last, /^\$\{BASE\}\n/);
  assert.match(last, /^USER 65532:65532$/m);
  assert.match(last, /^VOLUME \/var\/lib\/pinnace$/m);
  assert.match(last, /^HEALTHCHECK /m);
  assert.match(last, /^ENTRYPOINT \["node", "\/opt\/pinnace\/dist\/cli\/main\.js"\]$/m);
  assert.doesNotMatch(last, /^(?:RUN|ADD) /m, 'the last stage only copies');
});

test('the compose file pins images, publishes on loopback and mounts files that exist', () => {
  const { services, volumes } = composeFile.parse(parse(textOf('deploy/compose/compose.yaml')));
  assert.deepEqual(Object.keys(services).sort(), ['notary', 'pinnace', 'registry']);
  for (const [name, service] of Object.entries(services)) {
    if (service.image !== undefined) assert.match(service.image, /:[^:]*\d+\.\d+\.\d+$/, name);
    for (const port of service.ports) assert.match(port, /^127\.0\.0\.1:/, name);
    for (const [source = ''] of service.volumes.map((volume) => volume.split(':'))) {
      if (!source.startsWith('./')) assert.ok(source in volumes, source);
      // What is in certificates/ is made by the script beside the file.
      else if (!source.startsWith('./certificates')) textOf(`deploy/compose/${source.slice(2)}`);
    }
  }
  assert.equal(services['pinnace']?.read_only, true);
  assert.deepEqual(services['pinnace']?.cap_drop, ['ALL']);
});

test('the configuration of the compose file is accepted', async () => {
  const { config } = await loadConfig('deploy/compose/pinnace.yaml', {
    env: {},
    checkFiles: false,
  });
  assert.deepEqual([...config.trust.keys()], ['trial']);
});

test('the service unit keeps what it runs from everything but its state', () => {
  const unit = new Map(
    textOf('deploy/systemd/pinnace.service')
      .split('\n')
      .filter((line) => /^\w+=/.test(line))
      .map((line): [string, string] => [
        line.slice(0, line.indexOf('=')),
        line.slice(line.indexOf('=') + 1),
      ]),
  );
  const expected = {
    User: 'pinnace',
    StateDirectory: 'pinnace',
    ProtectSystem: 'strict',
    ProtectHome: 'yes',
    NoNewPrivileges: 'yes',
    CapabilityBoundingSet: '',
    PrivateDevices: 'yes',
    RestrictNamespaces: 'yes',
    SystemCallArchitectures: 'native',
  };
  for (const [key, value] of Object.entries(expected)) assert.equal(unit.get(key), value, key);
  assert.match(textOf('deploy/systemd/pinnace.sysusers.conf'), /^u pinnace /m);
});

test('systemd finds nothing wrong with the service unit', (t) => {
  const unit = 'deploy/systemd/pinnace.service';
  const run = spawnSync('systemd-analyze', ['security', '--offline=yes', '--threshold=20', unit], {
    encoding: 'utf8',
  });
  if (run.error !== undefined) return t.skip('systemd-analyze is not installed');
  if (/unrecognized option/.test(run.stderr)) return t.skip('systemd is older than 250');
  assert.equal(run.status, 0, run.stdout + run.stderr);
});

const SHELL_FILES = ['.ci/run', ...projectFiles().filter((path) => path.endsWith('.sh'))];

for (const path of SHELL_FILES) {
  test(`${path} can be parsed by its shell`, (t) => {
    const shell = textOf(path).startsWith('#!/usr/bin/env bash') ? 'bash' : 'sh';
    const run = spawnSync(shell, ['-n', path], { encoding: 'utf8' });
    if (run.error !== undefined) return t.skip(`${shell} is not installed`);
    assert.equal(run.status, 0, run.stderr);
  });
}
