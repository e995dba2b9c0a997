/** The REST API as people use it: tokens of ServiceAccounts that stand for them, and requests to an operator on this machine. */
import type { ErrorBody } from '../../common/api/rest/error.ts';
import { REST_BASE } from '../../common/api/rest/operation.ts';
import { OPERATOR_NAMESPACE } from '../../common/api/names.ts';
import type { Cluster } from '../cluster/index.ts';
import type { Answer, AskOptions, Server } from './https.ts';
import { ask } from './https.ts';
import { rightsAreKnown } from './known-rights.ts';

/** A ServiceAccount with a role in each of the namespaces, in effect, and a token of it. */
export async function aPerson(
  cluster: Cluster,
  home: string,
  name: string,
  roles: Readonly<Record<string, string>> = {},
): Promise<string> {
  await cluster.kubectl(['-n', home, 'create', 'serviceaccount', name]);
  for (const [namespace, role] of Object.entries(roles))
    await cluster.kubectl([
      ...['-n', namespace, 'create', 'rolebinding', name],
      ...[`--clusterrole=${role}`, `--serviceaccount=${home}:${name}`],
    ]);
  for (const namespace of Object.keys(roles))
    await rightsAreKnown(cluster, `system:serviceaccount:${home}:${name}`, namespace);
  return (await cluster.kubectl(['-n', home, 'create', 'token', name, '--duration=4h'])).trim();
}

/** The PEM of whom to trust at the operator's doors. */
export async function operatorAuthority(cluster: Cluster): Promise<string> {
  const args = ['-n', OPERATOR_NAMESPACE, 'get', 'secret', 'ambient-operator-tls'];
  const base64 = await cluster.kubectl([...args, '-o', 'jsonpath={.data.ca\\.crt}']);
  return Buffer.from(base64, 'base64').toString('utf8');
}

export interface RestRequest extends Omit<AskOptions, 'body'> {
  token?: string | undefined;
  /** Sent as JSON. */
  json?: unknown;
  body?: AskOptions['body'];
}

export type Rest = (path: string, request?: RestRequest) => Promise<Answer>;

export const restAt =
  (server: Server): Rest =>
  (path, { token, json, headers = {}, ...options } = {}) =>
    ask(server, `${REST_BASE}${path}`, {
      ...options,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    });

/** Status and code of a refusal, as `403 forbidden`; of an answer only the status. */
export const outcomeOf = ({ status, json }: Answer): string =>
  status < 400 ? String(status) : `${status} ${(json as ErrorBody | undefined)?.error ?? 'without a body'}`;
