import { z } from 'zod';
import type { ConfigPath } from './path.ts';
import { configSchema } from './schema.ts';
import {
  EXAMPLE_MEMBER,
  FILE_MEMBER,
  type FileKind,
  NOT_YET_MEMBER,
  TYPE_MEMBER,
} from './schema-members.ts';

/** One place of the configuration file, as texts for people need it; read from the JSON Schema. */
export interface SchemaNode {
  readonly text: string;
  /** `object`, `array`, `string`, `boolean`, or a finer word such as `duration`. */
  readonly type: string;
  /** The keys of an object with fixed keys. */
  readonly keys: ReadonlyMap<string, SchemaNode>;
  readonly required: ReadonlySet<string>;
  /** What stands under each name, for an object whose names are the operator's choice. */
  readonly entry: SchemaNode | undefined;
  /** What stands in a list. */
  readonly item: SchemaNode | undefined;
  /** The values possible, when they are a closed list. */
  readonly choices: readonly string[];
  /** Values of later versions, with the sentence for them. */
  readonly notYet: ReadonlyMap<string, string>;
  /** The one value possible, when there is only one. */
  readonly only: unknown;
  readonly default: unknown;
  readonly example: unknown;
  readonly range: string | undefined;
  readonly file: FileKind | undefined;
}

/** The JSON Schema of the configuration file as it is written, generated from the schema in this folder. */
export function configJsonSchema(): Readonly<Record<string, unknown>> {
  return jsonSchemaOf(configSchema);
}

/** The top of the configuration file. */
export function configRoot(): SchemaNode {
  return readNode(configJsonSchema());
}

/** The top of a file of another kind. */
export function rootOf(schema: z.ZodType): SchemaNode {
  return readNode(jsonSchemaOf(schema));
}

function jsonSchemaOf(source: z.ZodType): Readonly<Record<string, unknown>> {
  const schema = z.toJSONSchema(source, {
    io: 'input',
    // zod leaves out `examples` where a value is transformed, hence the member of our own.
    override: ({ jsonSchema }) => {
      if (jsonSchema[EXAMPLE_MEMBER] === undefined) return;
      jsonSchema.examples = [jsonSchema[EXAMPLE_MEMBER]];
      delete jsonSchema[EXAMPLE_MEMBER];
    },
  });
  return { ...schema };
}

/** The place at `path`, or undefined where the schema has none. */
export function nodeAt(root: SchemaNode, path: ConfigPath): SchemaNode | undefined {
  let node: SchemaNode | undefined = root;
  for (const step of path) {
    if (node === undefined) return undefined;
    node = typeof step === 'number' ? node.item : (node.keys.get(step) ?? node.entry);
  }
  return node;
}

/** Calls `visit` for every place of the schema that has a value in `data`, from the top down. */
export function visitValues(
  node: SchemaNode,
  data: unknown,
  visit: (node: SchemaNode, value: unknown, path: ConfigPath) => void,
): void {
  descend({ node, value: data, path: [] }, visit);
}

interface Place {
  readonly node: SchemaNode;
  readonly value: unknown;
  readonly path: ConfigPath;
}

function descend(
  place: Place,
  visit: (node: SchemaNode, value: unknown, path: ConfigPath) => void,
): void {
  const { node, value, path } = place;
  visit(node, value, path);
  if (typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) {
    const { item } = node;
    if (item === undefined) return;
    for (const [index, member] of value.entries()) {
      descend({ node: item, value: member, path: [...path, index] }, visit);
    }
    return;
  }
  for (const [key, member] of Object.entries(value)) {
    const child = node.keys.get(key) ?? node.entry;
    if (child !== undefined) descend({ node: child, value: member, path: [...path, key] }, visit);
  }
}

type Json = Readonly<Record<string, unknown>>;

function readNode(json: Json): SchemaNode {
  const examples = json['examples'];
  const choices = json['enum'];
  return {
    text: textOf(json['description']) ?? '',
    type: textOf(json[TYPE_MEMBER]) ?? textOf(json['type']) ?? 'any',
    keys: new Map(
      Object.entries(objectOf(json['properties']) ?? {}).map(([key, child]) => [
        key,
        readNode(objectOf(child) ?? {}),
      ]),
    ),
    required: new Set(textsOf(json['required'])),
    entry: childOf(json['additionalProperties']),
    item: childOf(json['items']),
    choices: textsOf(choices),
    notYet: new Map(
      Object.entries(objectOf(json[NOT_YET_MEMBER]) ?? {}).map(([value, sentence]) => [
        value,
        String(sentence),
      ]),
    ),
    only: json['const'],
    default: json['default'],
    example: Array.isArray(examples) ? examples[0] : undefined,
    range: textOf(json['x-range']),
    file: fileKindOf(json[FILE_MEMBER]),
  };
}

function childOf(json: unknown): SchemaNode | undefined {
  const child = objectOf(json);
  return child === undefined ? undefined : readNode(child);
}

function objectOf(value: unknown): Json | undefined {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? (value as Json) : undefined;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

function fileKindOf(value: unknown): FileKind | undefined {
  switch (value) {
    case 'certificates':
    case 'private-key':
    case 'password':
    case 'token':
    case 'docker-config':
    case 'tuf-root':
    case 'htpasswd':
    case 'key-set':
      return value;
    default:
      return undefined;
  }
}
