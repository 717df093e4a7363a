import type { X509Certificate } from 'node:crypto';
import { isCallerName } from '../base/caller.ts';
import type { Clock } from '../base/clock.ts';
import { type Admission, unauthorized } from './admission.ts';
import type { Gate, Knock } from './gate.ts';

/** Options of a `CertificateGate`. */
export interface CertificateGateOptions {
  /** The name under `clients`. */
  readonly name: string;
  readonly nameFrom: 'common-name' | 'dns-name' | 'uri';
  readonly clock: Clock;
}

interface Known {
  readonly admission: Admission;
  /** Milliseconds since the epoch. */
  readonly validTo: number;
}

const MISSING = unauthorized(
  'missing',
  'the engine showed no client certificate that Pinnace accepts',
  'no client certificate, or none that the client CA vouches for',
);
const EXPIRED = unauthorized('wrong', 'the client certificate of the engine has expired');

/**
 * Lets in who shows a certificate. Whether the client holds its key, and whether the client CA vouches for it, TLS has
 * found out; here it is only read.
 */
export class CertificateGate implements Gate {
  readonly name: string;
  readonly #options: CertificateGateOptions;
  /** TLS gives the same object for all requests of a connection. */
  readonly #known = new WeakMap<X509Certificate, Known>();

  constructor(options: CertificateGateOptions) {
    this.name = options.name;
    this.#options = options;
  }

  admit({ certificate }: Knock): Admission {
    if (certificate === undefined) return MISSING;
    let known = this.#known.get(certificate);
    if (known === undefined) {
      const validTo = certificate.validToDate.getTime();
      known = { admission: this.#read(certificate), validTo };
      this.#known.set(certificate, known);
    }
    // TLS looked when the connection was made, and a connection may live longer than its certificate.
    return known.validTo > this.#options.clock.now() ? known.admission : EXPIRED;
  }

  /** There is no way to ask for a certificate but in TLS, and that has been done. */
  challenge(): undefined {
    return undefined;
  }

  #read(certificate: X509Certificate): Admission {
    const { nameFrom, name: source } = this.#options;
    const subject = subjectOf(certificate);
    const names =
      nameFrom === 'common-name' ? subject.commonNames : alternativeNames(certificate, nameFrom);
    const [name = ''] = names;
    if (names.length !== 1 || !isCallerName(name) || name.startsWith('"')) {
      const found = names.length === 1 ? 'one that cannot be used' : `${names.length} of them`;
      return unauthorized(
        'wrong',
        `the client certificate has no ${WORDS[nameFrom]} that could be a name`,
        `the certificate must have exactly one ${WORDS[nameFrom]}; it has ${found}`,
      );
    }
    const groups = new Set(subject.units.filter(isCallerName));
    return { verdict: 'admitted', caller: { source, name, groups } };
  }
}

const WORDS = { 'common-name': 'common name', 'dns-name': 'DNS name', uri: 'URI' } as const;
const PREFIXES = { 'dns-name': 'DNS:', uri: 'URI:' } as const;

/** Node writes one attribute in each line, and escapes line breaks within one. */
function subjectOf(certificate: X509Certificate): {
  readonly commonNames: readonly string[];
  readonly units: readonly string[];
} {
  const lines = certificate.subject.split('\n');
  const valuesOf = (prefix: string): readonly string[] =>
    lines.filter((line) => line.startsWith(prefix)).map((line) => line.slice(prefix.length));
  return { commonNames: valuesOf('CN='), units: valuesOf('OU=') };
}

/** Node writes names that hold commas, quotes or control characters in quotes; as names of callers they are not taken. */
function alternativeNames(
  certificate: X509Certificate,
  form: 'dns-name' | 'uri',
): readonly string[] {
  const entries = (certificate.subjectAltName ?? '').split(', ');
  const prefix = PREFIXES[form];
  return entries
    .filter((entry) => entry.startsWith(prefix))
    .map((entry) => entry.slice(prefix.length));
}
