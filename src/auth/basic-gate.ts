import { type Admission, unauthorized } from './admission.ts';
import { parseAuthorization } from './authorization.ts';
import type { Gate, Knock } from './gate.ts';
import type { Login } from './htpasswd-login.ts';

const MISSING = unauthorized('missing', 'Pinnace does not know who is asking', 'no login was sent');
const UNREADABLE = unauthorized(
  'wrong',
  'the login it came with cannot be read',
  'the Authorization header is not Basic with a user name and a password',
);
const TOKEN = unauthorized(
  'wrong',
  'it came with a token, but this listener wants a user name and a password',
  'the Authorization header is Bearer',
);

/** Lets in who logs in with a user name and a password. @source RFC 7617 */
export class BasicGate implements Gate {
  readonly name: string;
  readonly #login: Login;

  constructor(name: string, login: Login) {
    this.name = name;
    this.#login = login;
  }

  admit({ authorization, address }: Knock): Admission | Promise<Admission> {
    const given = parseAuthorization(authorization);
    switch (given.kind) {
      case 'missing':
        return MISSING;
      case 'unreadable':
        return UNREADABLE;
      case 'bearer':
        return TOKEN;
      case 'basic':
        return this.#login.check(given, address);
    }
  }

  challenge(): string {
    return 'Basic realm="pinnace", charset="UTF-8"';
  }
}
