/** Which session, across clusters: what commands, pages and documents of the extension pass to each other. */
import type { Session } from '../../common/api/session.ts';

export interface SessionRef {
  /** The kubeconfig context through which it is seen: what Clusters.connection takes. */
  cluster: string;
  namespace: string;
  name: string;
  /** Tells a session from a later one of the same name. */
  uid?: string;
}

export function refOf(cluster: string, session: Session): SessionRef {
  const { namespace = '', name, uid } = session.metadata;
  return { cluster, namespace, name, ...(uid === undefined ? {} : { uid }) };
}

/** One line that names a session: for maps and identities. Neither namespaces nor names hold a slash, contexts may. */
export const refKey = (ref: SessionRef): string => `${ref.namespace}/${ref.name}/${ref.cluster}`;

/** Whether a command's argument names a session. */
export const isSessionRef = (value: unknown): value is SessionRef =>
  typeof value === 'object' &&
  value !== null &&
  ['cluster', 'namespace', 'name'].every((field) => typeof Reflect.get(value, field) === 'string');
