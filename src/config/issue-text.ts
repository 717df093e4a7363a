import type { z } from 'zod';
import type { Findings } from './findings.ts';
import { nearestName } from './nearest-name.ts';
import { type ConfigPath, valueAt } from './path.ts';
import { nodeAt, type SchemaNode } from './schema-node.ts';

type Issue = z.core.$ZodIssue;

/** Says what the schema found wrong with `data`, in words for the person who wrote the file. */
export function reportIssues(
  issues: readonly Issue[],
  source: { readonly root: SchemaNode; readonly data: unknown },
  findings: Findings,
): void {
  for (const issue of issues) {
    const path = issue.path.map((step) => (typeof step === 'number' ? step : String(step)));
    const node = nodeAt(source.root, path);
    if (issue.code === 'unrecognized_keys') {
      reportUnknownKeys(issue.keys, { path, node }, findings);
    } else {
      const { problem, fix } = describe(issue, node, valueAt(source.data, path));
      findings.problem(path, problem, fix);
    }
  }
}

function reportUnknownKeys(
  keys: readonly string[],
  place: { readonly path: ConfigPath; readonly node: SchemaNode | undefined },
  findings: Findings,
): void {
  const known = [...(place.node?.keys.keys() ?? [])];
  for (const key of keys) {
    const meant = nearestName(key, known);
    if (key === 'password' && known.includes('passwordFile')) {
      const fix = 'put it into a file and write passwordFile: and the name of the file';
      findings.problem([...place.path, key], 'must not stand in the configuration', fix);
      continue;
    }
    const fix =
      meant === undefined ? `keys known here: ${known.join(', ')}` : `did you mean ${meant}?`;
    findings.problem([...place.path, key], 'is not a known key', fix);
  }
}

interface Description {
  readonly problem: string;
  readonly fix?: string;
}

function describe(issue: Issue, node: SchemaNode | undefined, value: unknown): Description {
  if (issue.code === 'invalid_key') {
    const inner = issue.issues[0];
    return inner === undefined ? { problem: 'is not a name' } : ownWords(inner);
  }
  if (node !== undefined && (issue.code === 'invalid_type' || issue.code === 'invalid_value')) {
    if (value === undefined) return missing(node);
    if (value === null) return { problem: 'is empty', fix: 'give it a value or remove the key' };
    return issue.code === 'invalid_type' ? wrongType(node, value) : wrongChoice(issue, node, value);
  }
  return ownWords(issue);
}

function ownWords(issue: Issue): Description {
  const fix = issue.code === 'custom' ? issue.params?.['fix'] : undefined;
  return typeof fix === 'string' ? { problem: issue.message, fix } : { problem: issue.message };
}

function missing(node: SchemaNode): Description {
  const example = node.example ?? node.choices[0];
  const written = example === undefined ? '' : `, for example ${JSON.stringify(example)}`;
  return {
    problem: 'is missing',
    ...(node.text === '' ? {} : { fix: `add it: ${node.text.replace(/\.$/, '')}${written}` }),
  };
}

function wrongType(node: SchemaNode, value: unknown): Description {
  if (node.type === 'integer') {
    return { problem: 'must be a whole number', fix: 'write digits only, without quotes' };
  }
  const isPlain = typeof value === 'number' || typeof value === 'boolean';
  if (typeof value === 'number' && (node.type === 'duration' || node.type === 'size')) {
    const unit = node.type === 'duration' ? 's' : 'B';
    const fix = Number.isSafeInteger(value) && value >= 0 ? { fix: `write ${value}${unit}` } : {};
    return { problem: `has no unit (a ${node.type} needs one)`, ...fix };
  }
  if (isPlain && node.keys.size === 0 && node.type !== 'boolean' && node.type !== 'array') {
    return { problem: `must be a text, not a ${typeof value}`, fix: 'put it in quotes' };
  }
  return { problem: `must be ${wanted(node)}, not ${given(value)}` };
}

function wanted(node: SchemaNode): string {
  if (node.type === 'boolean') return 'true or false';
  if (node.type === 'array') return 'a list';
  if (node.type === 'object') return 'a block of keys';
  return node.type === 'string' ? 'a text' : `a ${node.type}`;
}

function given(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'a block of keys' : `a ${typeof value}`;
}

function wrongChoice(
  issue: Extract<Issue, { code: 'invalid_value' }>,
  node: SchemaNode,
  value: unknown,
): Description {
  const choices = issue.values.map(String);
  const problem =
    choices.length === 1 ? `must be ${choices[0]}` : `must be one of ${choices.join(', ')}`;
  const meant = typeof value === 'string' ? nearestName(value, node.choices) : undefined;
  return meant === undefined ? { problem } : { problem, fix: `did you mean ${meant}?` };
}
