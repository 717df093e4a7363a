import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { VERSION } from '../../../src/base/version.ts';
import { textOf } from './project-files.ts';

const versions = z.record(z.string(), z.string());
const packageFile = z.object({
  version: z.string(),
  engines: z.object({ node: z.string() }),
  bin: versions,
  scripts: versions,
  dependencies: versions,
  devDependencies: versions,
  optionalDependencies: versions,
});
const lockFile = z.object({
  packages: z.record(
    z.string(),
    z.object({
      version: z.string().optional(),
      resolved: z.string().optional(),
      optionalDependencies: versions.optional(),
    }),
  ),
});

const project = packageFile.parse(JSON.parse(textOf('package.json')));
const lock = lockFile.parse(JSON.parse(textOf('package-lock.json')));

/** The first number in a text like `>=24.0.0` or `node:24-bookworm-slim`. */
function major(text: string): number {
  return Number(/\d+/.exec(text)?.[0]);
}

test('the program and the package agree on the version', () => {
  assert.equal(VERSION, project.version);
});

test('everything that names a Node version names the same major', () => {
  const required = major(project.engines.node);
  const base = /^ARG BASE=\S+?node:(\S+)$/m.exec(textOf('Dockerfile'))?.[1] ?? '';
  assert.equal(major(base), required, 'Dockerfile');
  assert.equal(major(project.devDependencies['@types/node'] ?? ''), required, '@types/node');
  const minimum = /MINIMUM_MAJOR = (\d+)/.exec(textOf('src/cli/main.ts'))?.[1] ?? '';
  assert.equal(major(minimum), required, 'src/cli/main.ts');
  const nodes = Object.entries(project.optionalDependencies).filter(([name]) =>
    name.startsWith('node-'),
  );
  assert.ok(nodes.length >= 2);
  for (const [name, version] of nodes) assert.equal(major(version), required, name);
});

test('every dependency is pinned to one version', () => {
  const all = {
    ...project.dependencies,
    ...project.devDependencies,
    ...project.optionalDependencies,
  };
  for (const [name, version] of Object.entries(all)) {
    assert.match(version, /^\d+\.\d+\.\d+$/, name);
    assert.equal(
      lock.packages[`node_modules/${name}`]?.version,
      version,
      `${name} in the lock file`,
    );
  }
});

test('the lock file names no host to fetch packages from', () => {
  const resolved = Object.entries(lock.packages).filter(([, row]) => row.resolved !== undefined);
  assert.deepEqual(resolved, []);
  assert.match(textOf('.npmrc'), /^omit-lockfile-registry-resolved=true$/m);
});

test('the lock file is complete for every platform', () => {
  // `npm ci` refuses a lock file that leaves out a platform's package, also on other platforms.
  const missing = Object.values(lock.packages).flatMap(({ optionalDependencies }) =>
    Object.keys(optionalDependencies ?? {}).filter(
      (name) => lock.packages[`node_modules/${name}`] === undefined,
    ),
  );
  assert.deepEqual(missing, []);
});

test('the program of the package is what the build makes, and it says what runs it', () => {
  assert.equal(project.bin['pinnace'], 'dist/cli/main.js');
  assert.ok(textOf('src/cli/main.ts').startsWith('#!/usr/bin/env node\n'));
});

test('every script file that package.json runs exists', () => {
  for (const command of Object.values(project.scripts)) {
    const file = /^node (\S+)/.exec(command)?.[1];
    if (file !== undefined) assert.ok(textOf(file).length > 0, command);
  }
});
