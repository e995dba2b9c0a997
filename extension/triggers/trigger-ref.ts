/** The address of a trigger's YAML. */
import { posix } from 'node:path';
import * as vscode from 'vscode';
import type { ObjectRef } from '../objects/object-kind.ts';

export const TRIGGER_SCHEME = 'ambient-trigger';
const SUFFIX = '.yaml';

/** The cluster's name goes into the query: it may hold anything, and the authority of a URI may not. */
export const triggerUri = ({ cluster, namespace, name }: ObjectRef): vscode.Uri =>
  vscode.Uri.from({
    scheme: TRIGGER_SCHEME,
    path: posix.join('/', namespace, `${name}${SUFFIX}`),
    query: cluster,
  });

/** Undefined for what is no trigger's address. */
export function triggerPlace({ scheme, path, query }: vscode.Uri): ObjectRef | undefined {
  const [, namespace = '', file = '', ...rest] = path.split('/');
  const name = file.endsWith(SUFFIX) ? file.slice(0, -SUFFIX.length) : '';
  if (scheme !== TRIGGER_SCHEME || namespace === '' || name === '' || rest.length > 0) return undefined;
  return { cluster: query, namespace, name };
}
