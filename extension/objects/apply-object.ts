/** Brings an edited object to the cluster, never over a change that the editor has not seen. */
import type { KubeObject } from '../../common/api/kubernetes.ts';
import type { KubeClient } from '../../common/kube/client.ts';
import { isAlreadyExists, isConflict, isNotFound, KubeError } from '../../common/kube/errors.ts';
import type { Resource } from '../../common/kube/resource.ts';
import { pathOfField, rangeOf } from '../ide/yaml-place.ts';
import type { YamlProblem } from './object-kind.ts';

export const FIELD_MANAGER = 'ambient-vscode';

export type Applied<T> =
  | { outcome: 'applied'; object: T }
  /** Somebody changed, made or deleted it since it was read. `current` is what is there now. */
  | { outcome: 'conflict'; current: T | undefined }
  | { outcome: 'refused'; message: string; problems: YamlProblem[] };

/** Throws KubeError for what is neither a conflict nor about the object itself. */
export async function applyObject<T extends KubeObject>(
  client: KubeClient,
  resource: Resource<T>,
  object: NoInfer<T>,
  text: string,
  signal: AbortSignal,
): Promise<Applied<T>> {
  const options = { signal, fieldManager: FIELD_MANAGER, fieldValidation: 'Strict' } as const;
  const { resourceVersion } = object.metadata;
  try {
    const applied =
      resourceVersion === undefined
        ? await client.create(resource, object, options)
        : await client.replace(resource, object, options);
    return { outcome: 'applied', object: applied };
  } catch (error) {
    const isGone = resourceVersion !== undefined && isNotFound(error);
    if (isConflict(error) || isAlreadyExists(error) || isGone)
      return { outcome: 'conflict', current: await current(client, resource, object, signal) };
    if (!(error instanceof KubeError) || ![400, 403, 422].includes(error.status)) throw error;
    // A 403 of RBAC names no field and is no matter of what was written.
    const causes = error.kubeStatus?.details?.causes ?? [];
    if (error.status === 403 && causes.length === 0) throw error;
    return { outcome: 'refused', message: error.message, problems: problemsOf(error, text) };
  }
}

async function current<T extends KubeObject>(
  client: KubeClient,
  resource: Resource<T>,
  { metadata }: NoInfer<T>,
  signal: AbortSignal,
): Promise<T | undefined> {
  try {
    const at = { namespace: metadata.namespace, name: metadata.name };
    return await client.get(resource, at, { signal });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

function problemsOf(error: KubeError, text: string): YamlProblem[] {
  const causes = (error.kubeStatus?.details?.causes ?? []).filter(({ message }) => message !== undefined);
  if (causes.length === 0) return [{ message: error.message, severity: 'error', ...rangeOf(text, []) }];
  return causes.map(({ field = '', message = '' }) => ({
    message: `${field === '' ? '' : `${field}: `}${message}`,
    severity: 'error',
    ...rangeOf(text, pathOfField(field)),
  }));
}
