/**
 * What the pods of different sessions have in common. A pod that is kept ready is made by what makes a session's own, for a session
 * without name, UID and run; a session may have it when its own pod would come out the very same.
 */
import { createHash } from 'node:crypto';
import { LABEL_KUEUE_QUEUE } from '../../../common/api/names.ts';
import { DEFAULT_TIMEOUT_SECONDS } from '../../../common/api/session.ts';
import type { Session } from '../../../common/api/session.ts';
import type { Job } from '../../../common/kube/core-types.ts';
import type { RunPlan } from '../../../common/rules/admission.ts';
import type { SessionPolicy } from '../../../common/rules/policy/narrow.ts';
import { withBrought } from '../session/brought.ts';
import { buildJob } from '../session/job.ts';

/** Where runners report to, and the PEM of whom they may trust there. */
export interface Endpoint {
  url: string;
  ca: string;
}

export interface Template {
  job: Job;
  /** Fits into a label. */
  digest: string;
}

/** Undefined for a session whose pod has something of its own from the start. */
export function templateOf(
  session: Session,
  plan: RunPlan,
  { restrictions, runtimeClass }: Pick<SessionPolicy, 'restrictions' | 'runtimeClass'>,
  endpoint: Endpoint,
): Template | undefined {
  const { namespace = '', labels } = session.metadata;
  if (labels?.[LABEL_KUEUE_QUEUE] !== undefined || plan.sidecar !== undefined) return undefined;
  const nobodys: Session = { ...session, metadata: { name: '', uid: '', namespace } };
  // How long tokens live follows from the time-out: the usual one is enough for shorter ones too.
  const timeoutSeconds = Math.max(plan.limits.timeoutSeconds, DEFAULT_TIMEOUT_SECONDS);
  const lasting = { ...plan, limits: { ...plan.limits, timeoutSeconds } };
  const job = withBrought(buildJob(nobodys, lasting, '', restrictions, runtimeClass), session);
  const { activeDeadlineSeconds: _set, ...spec } = job.spec.template.spec;
  // What is brought before comes with credentials, or takes its time.
  if (spec.initContainers !== undefined) return undefined;
  const { labels: shared } = job.spec.template.metadata ?? {};
  // One that waits for an operator that has moved would wait for ever.
  return { job, digest: digestOf({ labels: shared, spec, endpoint }) };
}

const DIGITS = 32;
const digestOf = (value: object): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, DIGITS);
