/** metav1.Status, with the catalogue's code where Kubernetes clients find it. */
import type { KubeStatus } from '../../../common/api/kubernetes.ts';
import { LIVE_GROUP } from '../../../common/api/names.ts';
import { CATALOGUE } from '../../../common/errors.ts';
import type { AmbientError } from '../../../common/errors.ts';

type Cause = NonNullable<NonNullable<KubeStatus['details']>['causes']>[number];

export interface Refusal {
  error: AmbientError;
  traceId: string;
  session?: string | undefined;
  /** Instead of the catalogue's. */
  http?: { status: number; reason: string };
}

export function statusOf({ error, traceId, session, http }: Refusal): KubeStatus {
  const { status, reason } = http ?? CATALOGUE[error.code];
  const causes: Cause[] = [{ reason: error.code, message: error.remedy }];
  causes.push({ reason: 'traceId', message: traceId });
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: error.message,
    reason,
    code: status,
    details: {
      ...(session === undefined ? {} : { name: session }),
      group: LIVE_GROUP,
      kind: 'sessions',
      causes,
    },
  };
}
