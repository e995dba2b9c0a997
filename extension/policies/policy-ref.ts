/** Which namespace's policy, and the address of its YAML. */
import { posix } from 'node:path';
import * as vscode from 'vscode';
import type { PolicyRef } from '../../common/api/panels.ts';

export const POLICY_SCHEME = 'ambient-policy';

/** The cluster's name goes into the query: it may hold anything, and the authority of a URI may not. */
export const policyUri = ({ cluster, namespace }: PolicyRef): vscode.Uri =>
  vscode.Uri.from({ scheme: POLICY_SCHEME, path: posix.join('/', namespace, 'policy.yaml'), query: cluster });

/** Undefined for what is no policy's address. */
export function policyPlace({ scheme, path, query }: vscode.Uri): PolicyRef | undefined {
  const [, namespace = '', file, ...rest] = path.split('/');
  if (scheme !== POLICY_SCHEME || namespace === '' || file !== 'policy.yaml' || rest.length > 0)
    return undefined;
  return { cluster: query, namespace };
}

/** Of a command's argument: a row of the tree, a session, an address. */
export function policyRefOf(value: unknown): PolicyRef | undefined {
  if (value instanceof vscode.Uri) return policyPlace(value);
  const cluster: unknown = Reflect.get(Object(value) as object, 'cluster');
  const namespace: unknown = Reflect.get(Object(value) as object, 'namespace');
  return typeof cluster === 'string' && typeof namespace === 'string' ? { cluster, namespace } : undefined;
}
