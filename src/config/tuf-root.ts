import { isRecord, type Parsed } from './values.ts';

const ROLES = ['root', 'timestamp', 'snapshot', 'targets'];

/**
 * Looks at a file that should hold a TUF root, in words for whoever named it. Signatures are left to whoever uses the root.
 *
 * @source TUF 1.0.34 §4.3 (#file-formats-root)
 */
export function parseTufRoot(text: string): Parsed<string> {
  const document = parseJson(text);
  const signed = isRecord(document) ? document['signed'] : undefined;
  if (!isRecord(document) || !isRecord(signed) || !Array.isArray(document['signatures'])) {
    return {
      ok: false,
      problem: 'is not TUF metadata',
      fix: 'it should be a root.json: a JSON object with signed and signatures',
    };
  }
  const problem = problemOf(signed);
  if (problem === undefined) return { ok: true, value: text };
  return { ok: false, problem: `is not a TUF 1.0 root: ${problem}` };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function problemOf(signed: Readonly<Record<string, unknown>>): string | undefined {
  const { _type: type, spec_version: specVersion, version, roles } = signed;
  if (type === 'Root') return 'it comes from a Notary v1 server, whose kind is notary';
  if (type !== 'root') return 'its _type is not "root"';
  if (typeof specVersion !== 'string' || !/^1\./.test(specVersion)) {
    return 'its spec_version is not 1.x';
  }
  if (typeof version !== 'number' || !Number.isSafeInteger(version) || version < 1) {
    return 'its version is not a number from 1 on';
  }
  const missing = ROLES.filter((role) => !isRecord(roles) || !isRecord(roles[role]));
  return missing.length === 0 ? undefined : `it has no keys for ${missing.join(', ')}`;
}
