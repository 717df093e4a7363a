import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, it } from 'node:test';
import { type Terminal, terminalOf } from '../../../src/cli/collection-terminal.ts';
import { SigningError } from '../../../src/signing/errors.ts';
import { rejectsWithCode } from '../../support/reject-with-code.ts';

/** A terminal, what is typed at it, and what it shows. */
function terminal(): {
  readonly keyboard: PassThrough;
  readonly terminal: Terminal;
  readonly shown: string[];
  readonly modes: boolean[];
} {
  const keyboard = new PassThrough();
  const shown: string[] = [];
  const modes: boolean[] = [];
  const input = Object.assign(keyboard, {
    isTTY: true as const,
    setRawMode: (mode: boolean) => {
      modes.push(mode);
      return process.stdin;
    },
  });
  const stderr = { write: (text: string) => shown.push(text) };
  // A pass-through stream has all that is used of a terminal's input.
  const terminal = terminalOf(input as unknown as typeof process.stdin, { stderr });
  return { keyboard, terminal, shown, modes };
}

describe('a terminal', () => {
  it('takes a line, with what was typed ahead', async () => {
    const { keyboard, terminal: person, shown } = terminal();
    keyboard.write('yes\nno\n');
    assert.equal(await person.ask('One? '), 'yes');
    assert.equal(await person.ask('Two? '), 'no');
    assert.deepEqual(shown, ['One? ', 'Two? ']);
  });

  it('takes a secret key by key without showing it, and lets it be corrected', async () => {
    const { keyboard, terminal: person, shown, modes } = terminal();
    const answer = person.askSecret('Passphrase: ');
    for (const key of ['s', 'x', '\u007f', 'é', '\r']) keyboard.write(key);
    assert.equal(await answer, 'sé');
    assert.deepEqual(modes, [true, false]);
    assert.deepEqual(shown, ['Passphrase: ', '\n']);
  });

  it('stops at Ctrl-C, and shows again what is typed', async () => {
    const { keyboard, terminal: person, modes } = terminal();
    keyboard.write('abc\u0003');
    await rejectsWithCode(person.askSecret('Passphrase: '), SigningError, 'not_confirmed');
    assert.deepEqual(modes, [true, false]);
  });

  it('takes what there is when the input ends', async () => {
    const { keyboard, terminal: person } = terminal();
    keyboard.end('half');
    assert.equal(await person.ask('? '), 'half');
    assert.equal(await person.ask('? '), '');
  });
});
