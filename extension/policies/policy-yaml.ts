/** Policies as YAML and back, with mistakes named where they stand. Heavy to load (YAML and schemas): `await import` it. */
import { Errors } from 'typebox/schema';
import { parseDocument, stringify } from 'yaml';
import type { NamespacePolicy } from '../../common/api/namespace-policy.ts';
import { DEFAULT_SESSION_BUDGET, NamespacePolicySpec } from '../../common/api/namespace-policy.ts';
import { API_VERSION, POLICY_NAME } from '../../common/api/names.ts';
import { policyMistakes } from '../../common/rules/policy/config.ts';
import { effectivePolicy } from '../../common/rules/policy/effective.ts';
import { pathOfField, rangeOf } from '../ide/yaml-place.ts';
import type { YamlPath } from '../ide/yaml-place.ts';
import { knownKeys, schemaAt } from './policy-schema.ts';

export interface PolicyProblem {
  message: string;
  /** Offsets in the text. */
  from: number;
  to: number;
  severity: 'error' | 'warning';
}

/** What contradicts itself does not keep a policy from being applied; its status will say so too. */
export type ParsedPolicy =
  { ok: true; policy: NamespacePolicy; mistakes: PolicyProblem[] } | { ok: false; problems: PolicyProblem[] };

const HEADER = `# Save to apply it to the cluster; nothing changes before. Ctrl+Space offers what may be written.
`;

/** As it is edited: without what the server keeps for itself, with the version that applying is measured by. */
export function policyText({ metadata, spec }: NamespacePolicy): string {
  const { name, namespace, resourceVersion, labels, annotations } = metadata;
  return (
    HEADER +
    stringify(
      {
        apiVersion: API_VERSION,
        kind: 'NamespacePolicy',
        metadata: { name, namespace, resourceVersion, labels, annotations },
        spec,
      },
      { lineWidth: 0, aliasDuplicateObjects: false, keepUndefined: false },
    )
  );
}

/** To begin with, for a namespace that has none: what holds without a policy, as a start. */
export function newPolicyText(namespace: string): string {
  const { maxSessions, retention, approval } = effectivePolicy(undefined);
  return policyText({
    apiVersion: API_VERSION,
    kind: 'NamespacePolicy',
    metadata: { name: POLICY_NAME, namespace },
    spec: {
      models: { budget: { monthly: '100.00', perSession: DEFAULT_SESSION_BUDGET, resetDay: 1 } },
      approval: { required: approval.required },
      retention: { ...retention },
      concurrency: { maxSessions },
    },
  });
}

/** With another version to be measured by: what the person has written stays as it is. */
export function withVersion(text: string, resourceVersion: string | undefined): string {
  const document = parseDocument(text);
  const { from, to } = rangeOf(text, ['metadata', 'resourceVersion']);
  const isThere = document.hasIn(['metadata', 'resourceVersion']);
  if (resourceVersion === undefined) return text;
  if (isThere) return `${text.slice(0, from)}"${resourceVersion}"${text.slice(to)}`;
  const metadata = /^metadata:[ \t]*\n/m.exec(text);
  if (metadata === null) return text;
  const at = metadata.index + metadata[0].length;
  return `${text.slice(0, at)}  resourceVersion: "${resourceVersion}"\n${text.slice(at)}`;
}

/** One NamespacePolicy for this namespace. The API server checks again, and more. */
export function parsePolicy(text: string, namespace: string): ParsedPolicy {
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
  const found = objectMistakes(value, namespace);
  if (found.length > 0)
    return {
      ok: false,
      problems: found.map(({ path, message }) => ({ message, severity: 'error', ...rangeOf(text, path) })),
    };
  const policy = value as NamespacePolicy;
  const mistakes = policyMistakes(policy.spec).map(({ path, message, severity }) => ({
    message: `${path} ${message}`,
    severity,
    ...rangeOf(text, pathOfField(path)),
  }));
  return { ok: true, policy, mistakes };
}

interface Mistake {
  path: YamlPath;
  message: string;
}

function objectMistakes(value: unknown, namespace: string): Mistake[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return [{ path: [], message: 'This is not a NamespacePolicy object.' }];
  const { apiVersion, kind, metadata, spec } = value as Partial<Record<string, unknown>>;
  const { name, namespace: written } = Object(metadata) as { name?: unknown; namespace?: unknown };
  const mistakes: Mistake[] = [];
  const expect = (path: YamlPath, is: unknown, should: string): void => {
    if (is !== should) mistakes.push({ path, message: `${path.join('.')} must be ${should}.` });
  };
  expect(['apiVersion'], apiVersion, API_VERSION);
  expect(['kind'], kind, 'NamespacePolicy');
  expect(['metadata', 'name'], name, POLICY_NAME);
  // Applying elsewhere than where it was opened would be a surprise.
  expect(['metadata', 'namespace'], written, namespace);
  if (typeof spec !== 'object' || spec === null || Array.isArray(spec))
    mistakes.push({ path: ['spec'], message: 'spec must be an object; {} for the defaults.' });
  if (mistakes.length > 0) return mistakes;
  return [...unknownFields(spec, ['spec']), ...schemaMistakes(spec)];
}

function schemaMistakes(spec: unknown): Mistake[] {
  const [valid, errors] = Errors(NamespacePolicySpec, spec);
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
function unknownFields(value: unknown, path: readonly (string | number)[]): Mistake[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => unknownFields(item, [...path, index]));
  if (typeof value !== 'object' || value === null) return [];
  const schema = schemaAt(path);
  const known = schema === undefined ? undefined : knownKeys(schema);
  return Object.entries(value).flatMap(([name, item]) =>
    known !== undefined && !known.includes(name)
      ? [
          {
            path: [...path, name],
            message: `${[...path, name].join('.')} is unknown; here may stand ${known.join(', ')}.`,
          },
        ]
      : unknownFields(item, [...path, name]),
  );
}
