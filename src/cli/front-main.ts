import { runFront } from '../front/front-program.ts';

// The program of a front process: `pinnace serve` starts it, and nobody else can do anything with it.
runFront({
  channel: process,
  exit: (code) => process.exit(code),
  logSink: process.stdout,
  errorSink: process.stderr,
});
