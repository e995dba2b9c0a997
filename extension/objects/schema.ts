/** The schema of an object's YAML, walked by path: what may stand there, and what it means. Pure. */
import { markdownText } from '../ide/plain-text.ts';
import type { YamlPath } from '../ide/yaml-place.ts';

/** As much of JSON Schema as these schemas use. */
export interface Schema {
  type?: string;
  description?: string;
  default?: unknown;
  enum?: readonly unknown[];
  properties?: Readonly<Record<string, Schema>>;
  patternProperties?: Readonly<Record<string, Schema>>;
  additionalProperties?: Schema | boolean;
  required?: readonly string[];
  items?: Schema;
  minimum?: number;
  maximum?: number;
  pattern?: string;
}

/** Undefined where nothing is defined. */
export function schemaAt(document: Schema, path: YamlPath): Schema | undefined {
  let schema: Schema | undefined = document;
  for (const step of path) schema = schema === undefined ? undefined : below(schema, step);
  return schema;
}

function below(schema: Schema, step: string | number): Schema | undefined {
  if (schema.type === 'array') return schema.items;
  if (schema.properties !== undefined && Object.hasOwn(schema.properties, step))
    return schema.properties[step];
  const [pattern] = Object.values(schema.patternProperties ?? {});
  if (pattern !== undefined) return pattern;
  return typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined;
}

/** Whether a record: its keys are the writer's own. */
const isRecord = ({ properties, patternProperties, additionalProperties }: Schema): boolean =>
  properties === undefined && (patternProperties !== undefined || typeof additionalProperties === 'object');

/** Fields that the schema does not know at this place; undefined where any may stand. */
export const knownKeys = (schema: Schema): string[] | undefined =>
  schema.properties === undefined || isRecord(schema) ? undefined : Object.keys(schema.properties);

/** Values that may be offered for a scalar. */
export function valuesOf({ type, enum: values, default: standard }: Schema): string[] {
  if (values !== undefined) return values.map(String);
  if (type === 'boolean') return ['true', 'false'];
  return standard === undefined || typeof standard === 'object' ? [] : [JSON.stringify(standard)];
}

/** What a field is, in Markdown; the name may be the writer's own. */
export function describe(name: string, schema: Schema): string {
  const lines = [`**${markdownText(name)}**${schema.type === undefined ? '' : ` — ${typeText(schema)}`}`];
  if (schema.description !== undefined) lines.push(schema.description);
  const values = schema.enum ?? schema.items?.enum;
  if (values !== undefined) lines.push(`One of ${values.map((value) => `\`${String(value)}\``).join(', ')}.`);
  if (schema.minimum !== undefined || schema.maximum !== undefined)
    lines.push(`From ${schema.minimum ?? '…'} to ${schema.maximum ?? '…'}.`);
  if (schema.pattern !== undefined && example(schema.pattern) !== undefined)
    lines.push(`For example \`${example(schema.pattern)}\`.`);
  if (schema.default !== undefined) lines.push(`Default: \`${JSON.stringify(schema.default)}\`.`);
  return lines.join('\n\n');
}

function typeText({ type, items }: Schema): string {
  switch (type) {
    case 'array':
      return items?.type === undefined ? 'list' : `list of ${typeText(items)}s`;
    case 'object':
      return 'object';
    case 'string':
      return 'text';
    case 'boolean':
      return 'true or false';
    default:
      return type ?? '';
  }
}

/** Of the patterns in this schema: money and periods. */
function example(pattern: string): string | undefined {
  for (const text of ['"12.50"', '30d', 'https://example.com/hook'])
    if (new RegExp(pattern).test(text.replaceAll('"', ''))) return text;
  return undefined;
}
