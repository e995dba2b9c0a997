/** The parts of Kubernetes' own API shapes that this project reads, and schema pieces every CRD shares. */
import Type from 'typebox';

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

export interface ObjectMeta {
  name: string;
  namespace?: string;
  generateName?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
  finalizers?: string[];
  managedFields?: unknown;
}

export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
}

export interface ListMeta {
  resourceVersion?: string;
  continue?: string;
  remainingItemCount?: number;
}

export interface KubeList<T extends KubeObject> {
  apiVersion: string;
  kind: string;
  metadata: ListMeta;
  items: T[];
}

/** metav1.Status: the body of every refusal of a Kubernetes-style API. */
export interface KubeStatus {
  kind: 'Status';
  apiVersion: 'v1';
  metadata?: object;
  status: 'Success' | 'Failure';
  message?: string;
  reason?: string;
  code?: number;
  details?: {
    name?: string;
    group?: string;
    kind?: string;
    uid?: string;
    retryAfterSeconds?: number;
    causes?: { reason?: string; message?: string; field?: string }[];
  };
}

/**
 * Owned as a whole by whoever wrote it, as nobody writes a part of it. The API server otherwise keeps account of the owner of
 * every single field, in each object, at each write (docs/decisions/0013-what-a-burst-costs.md).
 */
export const ATOMIC = { 'x-kubernetes-map-type': 'atomic' } as const;

/** metav1.Condition, https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md#typical-status-properties */
export const Condition = (types: readonly string[]) =>
  Type.Object(
    {
      type: Type.Enum([...types]),
      status: Type.Enum(['True', 'False', 'Unknown']),
      reason: Type.String({
        minLength: 1,
        maxLength: 256,
        pattern: '^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$',
      }),
      message: Type.String({ maxLength: 32768 }),
      lastTransitionTime: Timestamp(),
      observedGeneration: Type.Optional(Type.Integer({ minimum: 0 })),
    },
    ATOMIC,
  );

export interface Condition<T extends string = string> {
  type: T;
  status: 'True' | 'False' | 'Unknown';
  reason: string;
  message: string;
  lastTransitionTime: string;
  observedGeneration?: number;
}

/** RFC 3339 time, UTC. */
export const Timestamp = (description?: string) =>
  Type.String({ format: 'date-time', ...(description === undefined ? {} : { description }) });

/** An object whose fields are its owner's business: kept as it came, never pruned. */
export const FreeObject = (options: { description: string; maxProperties: number }) =>
  Type.Unsafe<Record<string, unknown>>({
    type: 'object',
    'x-kubernetes-preserve-unknown-fields': true,
    ...ATOMIC,
    ...options,
  });

/** A Kubernetes quantity such as `500m` or `2Gi`. */
export const Quantity = (description: string) =>
  Type.String({
    description,
    maxLength: 32,
    pattern: '^[0-9]+(\\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$',
  });

/** Name of a RuntimeClass, as `runtimeClassName` of a pod. */
export const RuntimeClassName = (description: string) =>
  Type.String({
    description,
    minLength: 1,
    maxLength: 253,
    pattern: '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$',
  });

/** One CEL rule of `x-kubernetes-validations`. */
export interface ValidationRule {
  rule: string;
  message: string;
  fieldPath?: string;
  reason?: 'FieldValueInvalid' | 'FieldValueForbidden' | 'FieldValueRequired' | 'FieldValueDuplicate';
}
