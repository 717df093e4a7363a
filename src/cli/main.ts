#!/usr/bin/env node
// Only this file is loaded before the version is known: the others need what an old Node does not have.
const MINIMUM_MAJOR = 24;
const [major = '0'] = process.versions.node.split('.');

if (Number(major) < MINIMUM_MAJOR) {
  process.stderr.write(
    `pinnace needs Node.js ${MINIMUM_MAJOR} or newer; this is ${process.versions.node}. "npm run pinnace -- ..." brings its own.\n`,
  );
  process.exitCode = 70;
} else {
  const { keepHeapSmall } = await import('./heap.ts');
  keepHeapSmall();
  const { runCommandLine } = await import('./program.ts');
  process.exitCode = await runCommandLine(process.argv.slice(2));
}
