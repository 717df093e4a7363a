/**
 * Puts what the image holds into `FOLDER/app`: the compiled code and the packages it needs at run time, taken from
 * `node_modules` as the lock file says. `npm run image:context -- FOLDER`; the Dockerfile says what to do with it.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const lockFile = z.object({
  packages: z.record(
    z.string(),
    z.object({
      dev: z.boolean().optional(),
      optional: z.boolean().optional(),
      devOptional: z.boolean().optional(),
    }),
  ),
});

/** Folders of the packages that are installed with `--omit=dev --omit=optional`. */
function runtimePackages(): readonly string[] {
  const { packages } = lockFile.parse(
    JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')),
  );
  return Object.entries(packages)
    .filter(([path, { dev, optional, devOptional }]) => {
      return path !== '' && !(dev ?? false) && !(optional ?? false) && !(devOptional ?? false);
    })
    .map(([path]) => path);
}

function compile(outDir: string): void {
  const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
  const run = spawnSync(
    process.execPath,
    [compiler, '-p', join(ROOT, 'tsconfig.build.json'), '--outDir', outDir],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  );
  if (run.status !== 0) process.exit(run.status ?? 1);
}

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  process.stderr.write('usage: npm run image:context -- FOLDER\n');
  process.exit(64);
}
const app = join(folder, 'app');
rmSync(app, { recursive: true, force: true });
mkdirSync(app, { recursive: true });
compile(join(app, 'dist'));
for (const path of ['package.json', 'LICENSE', ...runtimePackages()]) {
  cpSync(join(ROOT, path), join(app, path), { recursive: true });
}
process.stdout.write(`${app} is complete\n`);
