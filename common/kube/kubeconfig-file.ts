/** Kubeconfig files as they are written: parsing, and merging several by kubectl's rule that the first to say a thing wins. */
import { readFile } from 'node:fs/promises';
import { AmbientError, messageOf } from '../errors.ts';
import { errorCode } from './errors.ts';
import type { ExecConfig } from './exec-plugin.ts';
import { sameJson } from './patch.ts';

export interface ClusterEntry {
  server?: string;
  'certificate-authority'?: string;
  'certificate-authority-data'?: string;
  'insecure-skip-tls-verify'?: boolean;
  'tls-server-name'?: string;
  'proxy-url'?: string;
  extensions?: { name?: string; extension?: unknown }[] | null;
}

export interface UserEntry {
  token?: string;
  tokenFile?: string;
  username?: string;
  password?: string;
  'client-certificate'?: string;
  'client-certificate-data'?: string;
  'client-key'?: string;
  'client-key-data'?: string;
  exec?: ExecConfig | null;
  'auth-provider'?: { name?: string; config?: Record<string, string> | null } | null;
  as?: string;
  'as-uid'?: string;
  'as-groups'?: string[] | null;
  'as-user-extra'?: Record<string, string[]> | null;
}

export interface ContextEntry {
  cluster?: string;
  user?: string;
  namespace?: string;
}

/** An entry and the file it stands in, against which its paths are resolved. */
export interface Sourced<E> {
  entry: E;
  source: string;
  /** Set when the file defines the name twice, differently: nobody can say which is meant. */
  ambiguous?: boolean;
}

export interface MergedFiles {
  clusters: Map<string, Sourced<ClusterEntry>>;
  users: Map<string, Sourced<UserEntry>>;
  contexts: Map<string, Sourced<ContextEntry>>;
  currentContext?: string;
  problems: AmbientError[];
  /** Of the files that could be read, in order. */
  texts: string[];
}

const LISTS = { clusters: 'cluster', users: 'user', contexts: 'context' } as const;
type ListName = keyof typeof LISTS;

const invalid = (message: string, details: Record<string, unknown>, cause?: unknown): AmbientError =>
  new AmbientError('kubeconfig_invalid', message, { details, cause });

/**
 * Reads and merges files in order. What is wrong with one goes to `problems` and the others still count. A file that
 * does not exist is skipped, as kubectl does with entries of KUBECONFIG, unless it is `required`.
 */
export async function readFiles(paths: readonly string[], required: boolean): Promise<MergedFiles> {
  const merged: MergedFiles = {
    clusters: new Map(),
    users: new Map(),
    contexts: new Map(),
    problems: [],
    texts: [],
  };
  for (const path of paths) {
    let text: string;
    try {
      text = await readFile(path, 'utf8');
    } catch (error) {
      if (errorCode(error) !== 'ENOENT' || required) {
        merged.problems.push(
          invalid(`the kubeconfig ${path} cannot be read: ${messageOf(error)}`, { file: path }, error),
        );
      }
      continue;
    }
    merged.texts.push(text);
    try {
      await mergeText(merged, path, text);
    } catch (error) {
      merged.problems.push(
        error instanceof AmbientError ? error : invalid(messageOf(error), { file: path }, error),
      );
    }
  }
  return merged;
}

async function mergeText(merged: MergedFiles, path: string, text: string): Promise<void> {
  const { parseDocument } = await import('./yaml.ts');
  const document = parseDocument(text, { prettyErrors: true, uniqueKeys: true });
  const [syntaxError] = document.errors;
  if (syntaxError !== undefined) {
    // Its first line says where; what follows is an excerpt, which may show a token.
    const where = syntaxError.message.split('\n', 1).join('').replace(/:$/, '');
    throw invalid(`the kubeconfig ${path} is not valid YAML: ${where}`, { file: path });
  }
  const config: unknown = document.toJS({ maxAliasCount: 100 });
  if (config === null || config === undefined) return;
  if (typeof config !== 'object' || Array.isArray(config)) {
    throw invalid(`the kubeconfig ${path} is not a mapping`, { file: path });
  }
  const fields = config as Record<string, unknown>;
  for (const list of Object.keys(LISTS) as ListName[]) mergeList(merged, path, list, fields[list]);
  const current = fields['current-context'];
  if (merged.currentContext === undefined && typeof current === 'string' && current !== '') {
    merged.currentContext = current;
  }
}

function mergeList(merged: MergedFiles, path: string, list: ListName, value: unknown): void {
  if (value === undefined || value === null) return;
  if (!Array.isArray(value)) {
    merged.problems.push(invalid(`${list} in the kubeconfig ${path} is not a list`, { file: path }));
    return;
  }
  const target = merged[list] as Map<string, Sourced<object>>;
  const kind = LISTS[list];
  for (const [index, item] of (value as unknown[]).entries()) {
    const { name, [kind]: entry } = (typeof item === 'object' && item !== null ? item : {}) as Record<
      string,
      unknown
    >;
    if (typeof name !== 'string' || name === '' || (typeof entry !== 'object' && entry !== undefined)) {
      const message = `${list}[${index}] in the kubeconfig ${path} has no name, or its ${kind} is not a mapping`;
      merged.problems.push(invalid(message, { file: path }));
      continue;
    }
    const sourced = { entry: entry ?? {}, source: path };
    const known = target.get(name);
    if (known === undefined) {
      target.set(name, sourced);
    } else if (known.source === path && !sameJson(known.entry, sourced.entry) && known.ambiguous !== true) {
      known.ambiguous = true;
      const message = `the kubeconfig ${path} defines the ${kind} ${JSON.stringify(name)} more than once`;
      merged.problems.push(invalid(message, { file: path, [kind]: name }));
    }
  }
}
