import { z } from 'zod';
import { file } from './schema-leaves.ts';

/** Which part of a certificate is the caller's name. */
export type CertificateNameForm = 'common-name' | 'dns-name' | 'uri';

/** An entry of `clients` as written, its defaults filled in. */
export interface ClientsEntry {
  readonly kind: 'basic' | 'mtls';
  readonly htpasswd?: string;
  readonly clientCa?: string;
  readonly nameFrom: CertificateNameForm;
}

/** The keys that each kind needs and may have, beside `kind`. */
export const CLIENT_KEYS: Readonly<
  Record<
    ClientsEntry['kind'],
    { readonly needs: readonly string[]; readonly may: readonly string[] }
  >
> = {
  basic: { needs: ['htpasswd'], may: [] },
  mtls: { needs: ['clientCa'], may: ['nameFrom'] },
};

/** One way of finding out who is asking. */
export const clientsSchema: z.ZodType<ClientsEntry> = z
  .strictObject({
    kind: z.enum(['basic', 'mtls']).meta({
      description:
        'basic asks for a user name and a password of an htpasswd file; mtls takes the name from a client certificate.',
    }),
    htpasswd: z.exactOptional(
      file('htpasswd', {
        text: 'Users with bcrypt hashes, as htpasswd -B writes them. A changed file is used within seconds.',
        example: '/etc/pinnace/htpasswd',
      }),
    ),
    clientCa: z.exactOptional(
      file('certificates', {
        text: 'CA certificates in PEM that client certificates must chain to. A changed file is used within seconds.',
        example: '/etc/pinnace/clients-ca.pem',
      }),
    ),
    nameFrom: z.enum(['common-name', 'dns-name', 'uri']).prefault('common-name').meta({
      description:
        'Which part of the certificate is the name: the common name of its subject, or its only DNS name or URI. Organizational units of the subject are its groups.',
    }),
  })
  .meta({ description: 'One way of finding out who is asking.', allOf: dependingOnKind() });

/** Says in the words of JSON Schema which keys go with which kind. */
function dependingOnKind(): readonly object[] {
  const all = new Set(Object.values(CLIENT_KEYS).flatMap(({ needs, may }) => [...needs, ...may]));
  return Object.entries(CLIENT_KEYS).map(([kind, { needs, may }]) => {
    const foreign = [...all].filter((key) => !needs.includes(key) && !may.includes(key));
    return {
      if: { properties: { kind: { const: kind } } },
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema, never awaited
      then: {
        required: needs,
        properties: Object.fromEntries(foreign.map((key) => [key, false])),
      },
    };
  });
}
