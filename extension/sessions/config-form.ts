/** Questions from a framework's configSchema (JSON Schema), and answers back into its values. Pure. */
import { plain } from '../ide/plain-text.ts';
import { joinWords, splitWords } from './words.ts';

export type FieldKind = 'text' | 'number' | 'integer' | 'boolean' | 'choice' | 'words' | 'json';

export interface Field {
  name: string;
  title: string;
  description?: string;
  kind: FieldKind;
  required: boolean;
  choices?: unknown[];
  default?: unknown;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
}

type Schema = Readonly<Record<string, unknown>>;

/** One field a property: required ones first, each in the schema's order. */
export function fieldsOf(schema: Schema | undefined): Field[] {
  const properties = asSchema(schema?.['properties']);
  const required = Array.isArray(schema?.['required']) ? (schema['required'] as unknown[]) : [];
  const fields = Object.entries(properties).map(([name, property]) =>
    fieldOf(name, asSchema(property), required.includes(name)),
  );
  return [...fields.filter((field) => field.required), ...fields.filter((field) => !field.required)];
}

function fieldOf(name: string, schema: Schema, required: boolean): Field {
  const choices = Array.isArray(schema['enum']) ? (schema['enum'] as unknown[]) : undefined;
  const field: Field = {
    name,
    title: typeof schema['title'] === 'string' ? plain(schema['title'], 60) : titleOf(name),
    kind: choices === undefined ? kindOf(schema) : 'choice',
    required,
  };
  if (typeof schema['description'] === 'string') field.description = plain(schema['description'], 300);
  if (choices !== undefined) field.choices = choices;
  if ('default' in schema) field.default = schema['default'];
  for (const limit of ['minimum', 'maximum', 'minLength', 'maxLength'] as const)
    if (typeof schema[limit] === 'number') field[limit] = schema[limit];
  if (typeof schema['pattern'] === 'string') field.pattern = schema['pattern'];
  return field;
}

function kindOf(schema: Schema): FieldKind {
  switch (schema['type']) {
    case 'string':
      return 'text';
    case 'number':
    case 'integer':
    case 'boolean':
      return schema['type'];
    case 'array':
      return asSchema(schema['items'])['type'] === 'string' ? 'words' : 'json';
    default:
      return 'json';
  }
}

const asSchema = (value: unknown): Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Schema) : {};

/** `maxTurns` and `max_turns` read `Max turns`. */
function titleOf(name: string): string {
  const words = plain(name, 60)
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/[_-]+/g, ' ')
    .toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** A value as it is edited in an input box. */
export function textOf(field: Field, value: unknown): string {
  if (value === undefined || value === null) return '';
  if (field.kind === 'words' && isStrings(value)) return joinWords(value);
  if (field.kind === 'json') return JSON.stringify(value);
  return typeof value === 'string' ? value : JSON.stringify(value);
}

const isStrings = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((each) => typeof each === 'string');

export type Parsed = { ok: true; value: unknown } | { ok: false; problem: string };

/** The value that a text stands for; undefined when nothing was entered. The schema itself is checked later, as a whole. */
export function parseField(field: Field, text: string): Parsed {
  if (text.trim() === '')
    return field.required && field.default === undefined
      ? bad(`${field.title} is required.`)
      : { ok: true, value: undefined };
  switch (field.kind) {
    case 'number':
    case 'integer':
      return parseNumber(field, text);
    case 'words': {
      const words = splitWords(text);
      return words.ok ? { ok: true, value: words.value } : bad(words.problem);
    }
    case 'json':
      try {
        return { ok: true, value: JSON.parse(text) as unknown };
      } catch {
        return bad('Give a JSON value, for example {"key": "value"}.');
      }
    case 'text':
    case 'boolean':
    case 'choice':
      return parseText(field, text);
  }
}

function parseNumber(field: Field, text: string): Parsed {
  const value = Number(text);
  if (!Number.isFinite(value)) return bad('Give a number.');
  if (field.kind === 'integer' && !Number.isInteger(value)) return bad('Give a whole number.');
  if (field.minimum !== undefined && value < field.minimum) return bad(`At least ${field.minimum}.`);
  if (field.maximum !== undefined && value > field.maximum) return bad(`At most ${field.maximum}.`);
  return { ok: true, value };
}

function parseText(field: Field, text: string): Parsed {
  if (field.minLength !== undefined && text.length < field.minLength)
    return bad(`At least ${field.minLength} characters.`);
  if (field.maxLength !== undefined && text.length > field.maxLength)
    return bad(`At most ${field.maxLength} characters; this has ${text.length}.`);
  if (field.pattern !== undefined && !matches(field.pattern, text))
    return bad(`Must match ${field.pattern}.`);
  return { ok: true, value: text };
}

function matches(pattern: string, text: string): boolean {
  try {
    return new RegExp(pattern, 'u').test(text);
  } catch {
    // The schema's author meant another dialect; the operator checks again.
    return true;
  }
}

const bad = (problem: string): Parsed => ({ ok: false, problem });
