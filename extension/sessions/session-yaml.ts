/** Sessions as YAML and back, with mistakes named by line. Heavy to load (YAML and schemas): `await import` it. */
import { Errors } from 'typebox/schema';
import { isMap, isScalar, LineCounter, parseDocument, stringify } from 'yaml';
import type { Framework } from '../../common/api/framework.ts';
import { API_VERSION } from '../../common/api/names.ts';
import { SessionSpec } from '../../common/api/session.ts';
import type { Session } from '../../common/api/session.ts';
import { admit } from '../../common/rules/admission.ts';

export interface YamlProblem {
  message: string;
  /** From 0. */
  line: number;
}

export type ParsedSession = { ok: true; session: Session } | { ok: false; problems: YamlProblem[] };

/** Fields in the order of the object; status and what the server keeps for itself come last or not at all. */
export function toYaml(session: Session, options: { header?: string } = {}): string {
  const { apiVersion, kind, metadata, spec, status } = session;
  const { managedFields: _, ...kept } = metadata;
  const text = stringify(
    { apiVersion, kind, metadata: kept, spec, ...(status === undefined ? {} : { status }) },
    { lineWidth: 0, aliasDuplicateObjects: false },
  );
  return options.header === undefined ? text : `${options.header.replace(/^/gm, '# ')}\n${text}`;
}

/** One Session of ambient.ai/v1alpha1. The API server checks again, and more. */
export function parseSession(text: string): ParsedSession {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  if (document.errors.length > 0)
    return fail(
      document.errors.map(({ message, pos }) => ({
        message: message.split('\n')[0] ?? message,
        line: lines.linePos(pos[0]).line - 1,
      })),
    );
  const value: unknown = document.toJS({ maxAliasCount: 100 });
  const at = (path: readonly string[]): number => {
    for (let length = path.length; length > 0; length -= 1) {
      const parent: unknown =
        length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true);
      const pair = isMap(parent)
        ? parent.items.find(({ key }) => isScalar(key) && key.value === path[length - 1])
        : undefined;
      const range = isScalar(pair?.key) ? pair.key.range : undefined;
      if (range) return lines.linePos(range[0]).line - 1;
    }
    return 0;
  };
  const problems = objectProblems(value).map(({ path, message }) => ({ message, line: at(path) }));
  return problems.length > 0 ? fail(problems) : { ok: true, session: value as Session };
}

const fail = (problems: YamlProblem[]): ParsedSession => ({ ok: false, problems });

interface Found {
  path: string[];
  message: string;
}

function objectProblems(value: unknown): Found[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return [{ path: [], message: 'This is not a Session object.' }];
  const { apiVersion, kind, metadata, spec } = value as Partial<Record<string, unknown>>;
  const problems: Found[] = [];
  if (apiVersion !== API_VERSION)
    problems.push({ path: ['apiVersion'], message: `apiVersion must be ${API_VERSION}.` });
  if (kind !== 'Session') problems.push({ path: ['kind'], message: 'kind must be Session.' });
  if (metadata !== undefined && (typeof metadata !== 'object' || metadata === null))
    problems.push({ path: ['metadata'], message: 'metadata must be an object.' });
  if (spec === undefined) problems.push({ path: [], message: 'spec is missing.' });
  return problems.length > 0 ? problems : specProblems(spec);
}

function specProblems(spec: unknown): Found[] {
  const [valid, errors] = Errors(SessionSpec, spec);
  if (valid) return [];
  return errors
    .filter(({ keyword }) => keyword !== 'boolean')
    .map(({ instancePath, message, params }) => ({
      path: ['spec', ...instancePath.split('/').slice(1).map(unescape)],
      message: `spec${instancePath.replaceAll('/', '.')} ${message}${missing(params)}`,
    }));
}

const unescape = (segment: string): string => segment.replaceAll('~1', '/').replaceAll('~0', '~');

function missing(params: object): string {
  const names: unknown = Reflect.get(params, 'requiredProperties');
  return Array.isArray(names) ? ` (${names.join(', ')})` : '';
}

/** What the operator would refuse the session for, as far as it can be told from here; undefined when nothing. */
export function admissionProblem(session: Session, frameworks: readonly Framework[]): string | undefined {
  if (frameworks.length === 0) return undefined;
  const bytes = Buffer.byteLength(JSON.stringify(session));
  const admission = admit(session.spec, bytes, frameworks);
  return admission.accepted ? undefined : admission.message;
}
