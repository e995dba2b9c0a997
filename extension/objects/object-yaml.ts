/** Objects as YAML and back, with mistakes named where they stand. Heavy to load (YAML and schemas): `await import` it. */
import type { TSchema } from 'typebox';
import { Errors } from 'typebox/schema';
import { parseDocument, stringify } from 'yaml';
import type { KubeObject } from '../../common/api/kubernetes.ts';
import { API_VERSION } from '../../common/api/names.ts';
import type { PolicyMistake } from '../../common/rules/policy/mistake.ts';
import { pathOfField, rangeOf } from '../ide/yaml-place.ts';
import type { YamlPath } from '../ide/yaml-place.ts';
import type { ParsedObject } from './object-kind.ts';
import { knownKeys, schemaAt } from './schema.ts';
import type { Schema } from './schema.ts';

export const HEADER = `# Save to apply it to the cluster; nothing changes before. Ctrl+Space offers what may be written.
`;

/** As it is edited: without what the server keeps for itself, with the version that applying is measured by. */
export function objectText({ kind, metadata, spec }: KubeObject & { spec: object }): string {
  const { name, namespace, resourceVersion, labels, annotations } = metadata;
  return (
    HEADER +
    stringify(
      {
        apiVersion: API_VERSION,
        kind,
        metadata: { name, namespace, resourceVersion, labels, annotations },
        spec,
      },
      { lineWidth: 0, aliasDuplicateObjects: false, keepUndefined: false },
    )
  );
}

export interface ParseOptions<T> {
  kind: string;
  namespace: string;
  name: string;
  /** Of spec. */
  spec: TSchema;
  /** Of the whole document, for what may stand where. */
  document: Schema;
  /** What the schema takes and still is wrong. */
  mistakes: (object: T) => readonly PolicyMistake[];
}

/** One object of this kind, namespace and name. The API server checks again, and more. */
export function parseObject<T extends KubeObject>(text: string, options: ParseOptions<T>): ParsedObject<T> {
  const document = parseDocument(text, { uniqueKeys: true });
  if (document.errors.length > 0)
    return {
      ok: false,
      problems: document.errors.map(({ message, pos }) => ({
        message: message.split('\n')[0] ?? message,
        severity: 'error',
        from: pos[0],
        to: Math.max(pos[1], pos[0] + 1),
      })),
    };
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    return { ok: false, problems: [{ message: String(error), severity: 'error', from: 0, to: 1 }] };
  }
  const found = objectMistakes(value, options);
  if (found.length > 0)
    return {
      ok: false,
      problems: found.map(({ path, message }) => ({ message, severity: 'error', ...rangeOf(text, path) })),
    };
  const object = value as T;
  const mistakes = options.mistakes(object).map(({ path, message, severity }) => ({
    message: `${path} ${message}`,
    severity,
    ...rangeOf(text, pathOfField(path)),
  }));
  return { ok: true, object, mistakes };
}

interface Mistake {
  path: YamlPath;
  message: string;
}

function objectMistakes(
  value: unknown,
  { kind, name, namespace, spec: schema, document }: Omit<ParseOptions<never>, 'mistakes'>,
): Mistake[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return [{ path: [], message: `This is not a ${kind} object.` }];
  const { apiVersion, kind: writtenKind, metadata, spec } = value as Partial<Record<string, unknown>>;
  const written = Object(metadata) as { name?: unknown; namespace?: unknown };
  const mistakes: Mistake[] = [];
  const expect = (path: YamlPath, is: unknown, should: string): void => {
    if (is !== should) mistakes.push({ path, message: `${path.join('.')} must be ${should}.` });
  };
  expect(['apiVersion'], apiVersion, API_VERSION);
  expect(['kind'], writtenKind, kind);
  expect(['metadata', 'name'], written.name, name);
  // Applying elsewhere than where it was opened would be a surprise.
  expect(['metadata', 'namespace'], written.namespace, namespace);
  if (typeof spec !== 'object' || spec === null || Array.isArray(spec))
    mistakes.push({ path: ['spec'], message: 'spec must be an object; {} for the defaults.' });
  if (mistakes.length > 0) return mistakes;
  return [...unknownFields(spec, ['spec'], document), ...schemaMistakes(schema, spec)];
}

function schemaMistakes(schema: TSchema, spec: unknown): Mistake[] {
  const [valid, errors] = Errors(schema, spec);
  if (valid) return [];
  return errors
    .filter(({ keyword }) => keyword !== 'boolean')
    .map(({ instancePath, message, params }) => {
      const path = ['spec', ...instancePath.split('/').slice(1).map(unescape)];
      return { path, message: `${path.join('.')} ${message}${details(params)}` };
    });
}

const unescape = (segment: string): string => segment.replaceAll('~1', '/').replaceAll('~0', '~');

function details(params: object): string {
  const names: unknown = Reflect.get(params, 'requiredProperties') ?? Reflect.get(params, 'allowedValues');
  return Array.isArray(names) ? ` (${names.join(', ')})` : '';
}

/** The API server would leave them out without a word. */
function unknownFields(value: unknown, path: readonly (string | number)[], document: Schema): Mistake[] {
  if (Array.isArray(value))
    return value.flatMap((item, index) => unknownFields(item, [...path, index], document));
  if (typeof value !== 'object' || value === null) return [];
  const schema = schemaAt(document, path);
  const known = schema === undefined ? undefined : knownKeys(schema);
  return Object.entries(value).flatMap(([name, item]) =>
    known !== undefined && !known.includes(name)
      ? [
          {
            path: [...path, name],
            message: `${[...path, name].join('.')} is unknown; here may stand ${known.join(', ')}.`,
          },
        ]
      : unknownFields(item, [...path, name], document),
  );
}
