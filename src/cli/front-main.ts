import { keepHeapSmall } from './heap.ts';

// The program of a front process: `pinnace serve` starts it, and nobody else can do anything with it.
keepHeapSmall();
const { runFront } = await import('../front/front-program.ts');
runFront({
  channel: process,
  exit: (code) => process.exit(code),
  logSink: process.stdout,
  errorSink: process.stderr,
});
