/** Names of objects across clusters: cluster, namespace and name, as a value and as one line of text. */
import type { KubeObject } from '../api/kubernetes.ts';

export interface ObjectKey {
  /** Connection.cluster. */
  readonly cluster: string;
  /** '' for cluster-scoped objects. */
  readonly namespace: string;
  readonly name: string;
}

/**
 * `namespace/name@cluster`. A name holds neither `/` nor `@` (RFC 1123, or RBAC's path segment names, which forbid `/`
 * and `%`), while a cluster may be any text: so the namespace ends at the first `/`, and the name at the last `@`
 * would be wrong only for a cluster with `@`: its `%` and `@` are escaped.
 */
export const keyText = (key: ObjectKey): string =>
  `${key.namespace}/${key.name}@${key.cluster.replace(/[%@]/g, encodeURIComponent)}`;

/** The inverse of keyText. Throws RangeError for any other text. */
export function parseKey(text: string): ObjectKey {
  const slash = text.indexOf('/');
  const at = text.lastIndexOf('@');
  if (slash < 0 || at < slash + 2) throw new RangeError(`not an object key: ${JSON.stringify(text)}`);
  return {
    namespace: text.slice(0, slash),
    name: text.slice(slash + 1, at),
    cluster: decodeURIComponent(text.slice(at + 1)),
  };
}

export const keyOf = (cluster: string, object: Pick<KubeObject, 'metadata'>): ObjectKey => ({
  cluster,
  namespace: object.metadata.namespace ?? '',
  name: object.metadata.name,
});
