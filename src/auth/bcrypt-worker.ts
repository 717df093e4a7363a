import { parentPort } from 'node:worker_threads';
import { compareSync } from 'bcryptjs';

// The program of the thread that `BcryptThread` starts: one question at a time, one answer each.
parentPort?.on('message', (question: { readonly password: string; readonly hash: string }) => {
  parentPort?.postMessage(isMatch(question.password, question.hash));
});

function isMatch(password: string, hash: string): boolean {
  try {
    return compareSync(password, hash);
  } catch {
    // A hash that the parser let pass and bcrypt does not read is nobody's password.
    return false;
  }
}
